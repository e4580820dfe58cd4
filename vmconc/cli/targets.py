"""What `vmconc explore` is asked to explore: a program, under which protocols, with which bugs and steps."""

from typing import TYPE_CHECKING

from vmconc.cli.asked import Asked
from vmconc.cli.asked_effect import check_effect
from vmconc.cli.asking import Given
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.explore.target import Target


def targets_of(asked: Asked, given: Given) -> list["Target"]:
    """Return what is explored.  Raises UsageError."""
    from msgspec.structs import replace

    from vmconc.coordinator.resolve import settings
    from vmconc.coordinator.units import probability

    errors = round(probability("--io-error-rate", asked.io_error_rate) * 1000)
    options = settings(asked.settings)
    targets = targets_of_program(asked, options, errors) if asked.what else targets_of_bug(asked, errors)
    check_effect(asked, given, targets[0])
    targets = with_points(with_bugs(targets, asked.bugs, asked.as_committed), asked.points)
    return [replace(target, races=asked.races or target.races) for target in targets]


def targets_of_program(asked: Asked, options: dict[str, str], io_errors: int) -> list["Target"]:
    """Return a lock program once, another program under each protocol asked for."""
    from vmconc.coordinator.resolve import check_protocol, is_trace
    from vmconc.explore.target import Target, lock_file
    from vmconc.protocols import protocol_names
    from vmconc.protocols.busted import unmask

    what, protocol = asked.what, asked.protocol
    if path := lock_file(what):
        return [Target(path, options=options, limit=asked.steps)]
    if protocol != "both":
        check_protocol(protocol)
    if is_trace(what):
        raise UsageError(f"{what} is a trace: too long to be explored; name a program (vmconc list programs)")
    base, switched_on = unmask(protocol)
    names = list(protocol_names()) if protocol == "both" else [base]
    return [
        Target(what, name, asked.cpus, asked.seed, options, list(switched_on), io_errors, asked.steps) for name in names
    ]


def targets_of_bug(asked: Asked, io_errors: int) -> list["Target"]:
    """Return the program by which the catalogue shows a bug, under the protocols that can have it."""
    from vmconc.explore.bugs import BUGS
    from vmconc.explore.target import OF_BUG, Target

    if len(asked.bugs) != 1:
        raise UsageError("name a program, or one known bug with --bug (vmconc bugs lists them)")
    bug = BUGS[known_bug(asked.bugs[0])]
    names = [name for name in bug.protocols if asked.protocol in ("both", name)]
    if not names:
        raise UsageError(f"--bug {bug.name} is none of {asked.protocol}; choose --protocol {bug.protocols[0]}")
    errors, program = io_errors or bug.io_errors, OF_BUG + bug.name
    return [
        Target(program, name, bug.cpus, io_errors=errors, limit=asked.steps, points=bug.points, races=bug.races)
        for name in names
    ]


def with_points(targets: list["Target"], points: str) -> list["Target"]:
    """Make accesses steps if that is asked for; of a lock program they are anyway.  Raises UsageError."""
    from msgspec.structs import replace

    from vmconc.explore.target import ACCESSES, POINTS

    if points not in POINTS:
        raise UsageError(f"--points {points!r} is unknown; choose one of {', '.join(POINTS)}")
    return [replace(target, points=points) if target.protocol and points == ACCESSES else target for target in targets]


def with_bugs(targets: list["Target"], bugs: list[str], as_committed: bool) -> list["Target"]:
    """Switch bugs on, in each protocol those that it can have.  Raises UsageError for one that none here can have."""
    from msgspec.structs import replace

    from vmconc.explore.bugs import BUGS

    names = [known_bug(name) for name in bugs] + [name for name, bug in BUGS.items() if as_committed and bug.committed]
    for name in names:
        if not any(target.protocol in BUGS[name].protocols for target in targets):
            raise UsageError(f"--bug {name} is one of {' and '.join(BUGS[name].protocols)}; choose another --protocol")
    return [
        replace(target, bugs=sorted({*target.bugs, *(n for n in names if target.protocol in BUGS[n].protocols)}))
        for target in targets
    ]


def known_bug(name: str) -> str:
    """Return the name of a bug.  Raises UsageError if there is none of that name."""
    from vmconc.explore.bugs import BUGS

    if name.upper() not in BUGS:
        raise UsageError(f"--bug {name!r} is unknown; vmconc bugs lists them")
    return name.upper()
