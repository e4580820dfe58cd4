"""A fault under `backing` can be stepped through in the ordinary Python debugger."""

import inspect
import os
import subprocess
import sys
from pathlib import Path

import vmconc.vm.walk as walk

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
from helpers_machine import Machine
from vmconc.program import PlanBuilder
from vmconc.vm.run import run_cpu

build = PlanBuilder("stepped")
lwp = build.spawn()
build.mmap(lwp, 1 << 30, 4096, 3, 0)
build.touch(lwp, 1 << 30, write=True)
for _ in range(2):
    build.fork(lwp)
    build.mprotect(lwp, 1 << 30, 4096, 3)
build.touch(lwp, 1 << 30, write=True)
machine = Machine(build.finish(), "backing")
machine.machine.go = 1
run_cpu(machine.segment.nth("Cpu", 0))
print("violations", machine.check())
"""


def test_a_fault_is_stepped_through(tmp_path):
    script = tmp_path / "stepped.py"
    script.write_text(SCRIPT.format(tests=str(Path(__file__).parent)))
    lines, first = inspect.getsourcelines(getattr(walk.search, "py_func", walk.search))
    place = first + next(i for i, line in enumerate(lines) if "look_in_layer" in line)
    show = ["p 'layer', fs.layer, fs.object", "continue"]
    commands = [f"break {walk.__file__}:{place}", "continue", "where", *show * 4, "clear 1", "continue", "quit"]
    done = subprocess.run(
        [sys.executable, "-m", "pdb", str(script)], input="\n".join(commands) + "\n", text=True, capture_output=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "1"}, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"Breakpoint 1 at {walk.__file__}:{place}" in done.stdout
    assert "result = look_in_layer(cpu, fs)" in done.stdout and "attempt(cpu, fs)" in done.stdout
    layers = [line.split("'layer', ")[1][0] for line in done.stdout.splitlines() if "'layer'" in line]
    assert layers == ["0", "0", "0", "1"]
    assert "violations []" in done.stdout
