"""On a machine whose stacks compiled code cannot switch the explorer runs uncompiled by itself, and says so."""

import os
import platform
import subprocess
import sys

import pytest

from vmconc.memory.jit import SWITCHING
from vmconc.memory.stacks import ENTRY, FRAME, SWITCH

COMMAND = "import platform; platform.machine = lambda: {!r}; from vmconc.cli.main import main; main()"
SAYS = "vmconc: vmconc compiles for x86_64 and aarch64 only, this is riscv64: running uncompiled"


def vmconc(machine, folder, *arguments, **environment):
    """Run a command on a machine that takes itself for another one."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND.format(machine), *arguments], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "NUMBA_DISABLE_JIT": "0", **environment},
        timeout=120, check=False,
    )  # fmt: skip


def test_the_assembly_is_there_where_it_is_said_to_be():
    assert set(SWITCHING) == set(FRAME) == set(SWITCH) == set(ENTRY)


def test_a_bug_is_found_and_replayed(tmp_path):
    found = vmconc("riscv64", tmp_path, "explore", "account", "--minimise", "1s")
    assert found.returncode == 1, found.stderr
    assert found.stderr.startswith(SAYS)
    (kept,) = (tmp_path / "failures").iterdir()
    again = vmconc("riscv64", tmp_path, "replay", str(kept))
    assert again.returncode == 1 and again.stderr.startswith(SAYS)


def test_what_needs_compiled_code_is_refused(tmp_path):
    done = vmconc("riscv64", tmp_path, "run", "zero_fill")
    assert done.returncode == 2 and "this is riscv64: there are no worker processes" in done.stderr


@pytest.mark.skipif(platform.machine() not in SWITCHING, reason="here it is said")
def test_elsewhere_nothing_is_said(tmp_path):
    """Switched off by hand is no news either."""
    done = vmconc(platform.machine(), tmp_path, "explore", "mutex_pair", "--executions", "10", NUMBA_DISABLE_JIT="1")
    assert done.returncode == 0 and "uncompiled" not in done.stderr
