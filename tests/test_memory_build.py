"""Builds, operations chosen by protocol, and the cache of compiled code."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from conftest import MODE, make_segment
from helpers_memory import greet, leave, meet, part_first
from numba import TypingError

import vmconc
from vmconc.memory import jit
from vmconc.memory.build import MODES, Build
from vmconc.memory.jit import jit_off
from vmconc.memory.operation import implements, operation

PACKAGE = Path(vmconc.__file__).parent


def node(protocol: str, bugs=()):
    """Return a node of a segment built for a protocol."""
    return make_segment({"Node": 1}, protocol=protocol, bugs=bugs).nth("Node", 0)


def test_unknown_mode_is_refused_with_the_choices():
    """Names the value and what there is."""
    with pytest.raises(ValueError, match=r"no mode 'fast'; choose one of off, counted"):
        Build("fast")


def test_build_names_are_distinct():
    """The name is the key of the disk cache: two builds never share one."""
    builds = [
        Build(m, p, b) for m in MODES for p in ("", "chained", "backing") for b in ((), ("x",), ("x", "y"), ("y",))
    ]
    assert len({str(build) for build in builds}) == len(builds) == len(set(builds))
    assert Build("off", "p", ("a",)) == Build("off", "p", ("a",))


def test_order_of_bugs_does_not_matter():
    """One set of bugs is one build: compiled once, and references of both compare."""
    assert Build(MODE, "p", ("b", "a")) == Build(MODE, "p", ("a", "b"))


def test_operation_is_chosen_by_the_protocol():
    """The same source, two protocols, in one process."""
    first, second = node("first"), node("second")
    first.number = second.number = 10
    assert (meet(first, 3), meet(second, 3)) == (13, 7)
    assert (meet(first, 3), meet(second, 3)) == (16, 4)
    assert (first.number, second.number) == (16, 4)


def test_operation_inside_an_operation():
    """A provider may call another operation by name."""
    first = node("first")
    assert leave(first, 4) == 8 and part_first(first, 1) == 10


def test_bugs_do_not_change_the_protocol():
    """The protocol is found by its name, not by the build's."""
    assert meet(node("first", bugs=("lost",)), 5) == 5


@pytest.mark.parametrize("protocol", ["second", "third", ""])
def test_missing_provider_is_named(protocol):
    """Says which protocol lacks which operation, compiled or not."""
    with pytest.raises((NotImplementedError, TypingError), match=f"protocol '{protocol}' does not provide part"):
        leave(node(protocol), 1)


@pytest.mark.parametrize("parameters", ["ref", "ref, number", "ref, amount, more", "amount, ref"])
def test_wrong_signature_is_refused_at_once(parameters):
    """When the module is imported, naming the function and what it must take."""
    scope = {"__name__": "here"}
    exec(f"def wrong({parameters}):\n    return 0\n", scope)
    with pytest.raises((TypeError, RuntimeError), match=r"must take \(ref, amount\)|cannot cache"):
        implements(greet, "fourth")(scope["wrong"])
    assert "fourth" not in greet.operation.providers


def test_wrong_signature_of_a_function_in_a_file(tmp_path):
    """The same from a real module: the message is about the signature."""
    path = tmp_path / "wrong_provider.py"
    path.write_text("def wrong(ref, number):\n    return 0\n")
    sys.path.insert(0, str(tmp_path))
    try:
        import wrong_provider

        with pytest.raises(TypeError, match=r"wrong_provider.wrong must take \(ref, amount\)"):
            implements(greet, "fourth")(wrong_provider.wrong)
    finally:
        sys.path.remove(str(tmp_path))


def test_an_operation_keeps_its_name_and_documentation():
    """For the reader and for generated documentation."""
    assert greet.__name__ == "greet" and greet.__doc__ == "Do what the protocol does."

    @operation
    def other(ref):
        """Another."""

    assert other.operation.providers == {} and set(greet.operation.providers) >= {"first", "second"}


def copy_package(target: Path, size: int) -> None:
    """Copy the memory layer, and one kernel file that uses another, into a package tree of its own."""
    (target / "vmconc" / "locks").mkdir(parents=True)
    shutil.copytree(PACKAGE / "memory", target / "vmconc" / "memory", ignore=shutil.ignore_patterns("__pycache__"))
    (target / "vmconc" / "__init__.py").write_text("")
    (target / "vmconc" / "locks" / "__init__.py").write_text("")
    more = "    n = KONST\n" + "    n = n * 3 - 2 * n\n" * size
    below = f"from vmconc.memory.jit import kernel\nKONST = 10\n\n@kernel\ndef callee():\n{more}    return n\n"
    above = (
        "from vmconc.memory.jit import kernel\nfrom vmconc.locks.below import KONST, callee\n\n"
        "@kernel\ndef caller():\n    return callee() * 1000 + KONST\n"
    )
    (target / "vmconc" / "locks" / "below.py").write_text(below)
    (target / "vmconc" / "locks" / "above.py").write_text(above)


def run_copy(target: Path, program: str, **settings) -> str:
    """Run a program over the copied package in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(target), "VMCONC_CACHE": str(target / "cache"), **settings}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        env=environment,
        cwd=target,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


CALL = """
    from vmconc.locks.above import caller
    from vmconc.memory.jit import CACHE
    value = caller()
    print(value, sum(caller.stats.cache_hits.values()), CACHE.name)
"""


@pytest.mark.skipif(jit_off(), reason="needs the JIT")
@pytest.mark.parametrize("size", [0, 40])
def test_compiled_code_is_never_stale(tmp_path, size):
    """A hit while nothing changes; an edit of another file, or of a setting, is seen; the way back is a hit again.

    The kernel of the other file is small (copied into its caller) or large (called by symbol).
    """
    copy_package(tmp_path, size)
    below = tmp_path / "vmconc" / "locks" / "below.py"
    first = run_copy(tmp_path, CALL).split()
    assert first[:2] == ["10010", "0"]
    assert run_copy(tmp_path, CALL).split() == ["10010", "1", first[2]]
    text, times = below.read_text(), below.stat()
    below.write_text(text.replace("KONST = 10", "KONST = 20"))
    os.utime(below, ns=(times.st_atime_ns, times.st_mtime_ns))  # same size, same time
    edited = run_copy(tmp_path, CALL).split()
    assert edited[0] == "20020", "a kernel kept the old value of a constant of another file"
    checked = run_copy(tmp_path, CALL, NUMBA_BOUNDSCHECK="1").split()
    assert checked[1] == "0" and len({first[2], edited[2], checked[2]}) == 3
    below.write_text(text)
    assert run_copy(tmp_path, CALL).split() == ["10010", "1", first[2]]


@pytest.mark.skipif(jit_off(), reason="needs the JIT")
def test_who_copies_a_cached_kernel_is_restored_with_what_that_calls_by_symbol(tmp_path):
    """Three processes: one compiles the middle kernel, one its caller, one restores the caller alone."""
    copy_package(tmp_path, 40)
    top = "from vmconc.memory.jit import kernel\nfrom vmconc.locks.above import caller\n\n"
    (tmp_path / "vmconc" / "locks" / "top.py").write_text(f"{top}@kernel\ndef outer():\n    return caller() + 1\n")
    assert run_copy(tmp_path, CALL).split()[0] == "10010"
    for hits in (0, 1):
        said = run_copy(tmp_path, CALL.replace("above", "top").replace("caller", "outer")).split()
        assert said[:2] == ["10011", str(hits)]


def test_digest_covers_every_kernel_file(monkeypatch, tmp_path):
    """Added, renamed, edited, moved between files: another digest each time; no change, the same."""
    monkeypatch.setattr(jit, "PACKAGE", tmp_path)
    seen = [jit.source_digest()]
    file = tmp_path / "locks" / "a.py"
    file.parent.mkdir()
    for text in ("x = 1\n", "x = 2\n"):
        file.write_text(text)
        seen.append(jit.source_digest())
    (tmp_path / "protocols" / "p").mkdir(parents=True)
    file = file.rename(tmp_path / "protocols" / "p" / "a.py")
    seen.append(jit.source_digest())
    monkeypatch.setenv("NUMBA_OPT", "0")
    seen.append(jit.source_digest())
    assert len(set(seen)) == len(seen)
    assert jit.source_digest() == seen[-1]


def test_only_the_newest_digests_are_kept(tmp_path):
    """Three, the current one always, and nothing that is not a digest."""
    names = [f"{i:012x}" for i in range(6)]
    for i, name in enumerate(names):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 + i, 1000 + i))
    (tmp_path / "precious").mkdir()
    jit.prune(tmp_path, tmp_path / names[0])
    assert {path.name for path in tmp_path.iterdir()} == {names[0], names[4], names[5], "precious"}


def test_every_module_can_be_imported_first():
    """No module of the kernel layers leans on another having been imported before it.  One process forks for each."""
    program = """
        import os, sys, traceback
        import numba, numpy, llvmlite
        bad = 0
        for name in sys.argv[1:]:
            pid = os.fork()
            if pid == 0:
                try:
                    __import__(name)
                except BaseException:
                    print("cannot import", name, "first:", traceback.format_exc().splitlines()[-1])
                    sys.stdout.flush()
                    os._exit(1)
                os._exit(0)
            bad += os.waitpid(pid, 0)[1] != 0
        sys.exit(min(bad, 100))
    """
    names = [
        f"vmconc.{layer}.{path.stem}"
        for layer in ("memory", "schedule", "locks")
        for path in sorted((PACKAGE / layer).glob("*.py"))
    ]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *names],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
