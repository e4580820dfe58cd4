"""Finds what a user means by PROGRAM|TRACE: a built-in program, a built-in trace, a `.py` file, or a trace file."""

import difflib
from pathlib import Path

from vmconc.coordinator.errors import UsageError
from vmconc.program.plan import Plan


def resolve(what: str, cpus: int, given: dict[str, str], seed: int, skip_bad: bool) -> Plan:
    """Return the plan of a program or a trace.  Raises UsageError with one line."""
    from vmconc.program.errors import PlanError, ProgramError
    from vmconc.traces.errors import TraceError

    try:
        if is_trace(what):
            return read_trace(what, given, skip_bad)
        from vmconc.program.programs import load_program

        return load_program(what, cpus, given, seed)
    except (PlanError, ProgramError, TraceError) as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise UsageError(f"{what}: {error.strerror or error}") from error


def is_trace(what: str) -> bool:
    """Tell whether the argument names a trace; raises UsageError if it names nothing."""
    from vmconc.program.programs import list_programs
    from vmconc.traces.builtin import names

    programs, traces = [program.name for program in list_programs()], list(names())
    if what in programs:
        return False
    if what in traces:
        return True
    path = Path(what)
    if path.is_dir():
        raise UsageError(f"{what} is a directory; name a program, a trace, a .py file or a trace file")
    if path.exists():
        return path.suffix != ".py"
    raise UsageError(unknown(what, [*programs, *traces]))


def read_trace(what: str, given: dict[str, str], skip_bad: bool) -> Plan:
    """Read a trace; it has no options of its own."""
    from vmconc.traces import open_trace

    if given:
        raise UsageError(f"--set {next(iter(given))}: {what} is a trace and has no options; leave --set out")
    return open_trace(what, skip_bad)


def unknown(what: str, names: list[str]) -> str:
    """Return the line for a name that nothing has."""
    close = difflib.get_close_matches(what, names, 1)
    hint = f"; did you mean {close[0]!r}?" if close else ";"
    kind = "file" if "/" in what or "." in what else "program or trace"
    return f"no {kind} {what!r}{hint} (vmconc list programs, vmconc list traces)"


def settings(pairs: list[str]) -> dict[str, str]:
    """Turn `NAME=VALUE` words into a dictionary."""
    given = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise UsageError(f"--set {pair!r} is not NAME=VALUE; write for example --set pages=64")
        given[name] = value
    return given


def check_protocol(name: str) -> None:
    """Raise UsageError unless there is a protocol of this name, or one that is wrong on purpose."""
    from vmconc.protocols import protocol_names
    from vmconc.protocols.busted import BUSTED

    names = protocol_names()
    if name not in names and name not in BUSTED:
        close = difflib.get_close_matches(name, [*names, *BUSTED], 1)
        hint = f"did you mean {close[0]!r}?" if close else f"choose one of {', '.join(names)}"
        raise UsageError(f"--protocol {name!r} is unknown; {hint} (vmconc list protocols)")
