"""Options that were given and can have no effect: that is said, they are not ignored in silence."""

from typing import TYPE_CHECKING

from vmconc.cli.asked import Asked
from vmconc.cli.asking import Given
from vmconc.coordinator.errors import UsageError

if TYPE_CHECKING:
    from vmconc.explore.target import Target

OF_MACHINE = ("protocol", "cpus", "points", "io_error_rate", "bugs", "as_committed")
OF_STRATEGY = {"depth": "pct", "preemptions": "dfs"}
UNRANDOM = ("round-robin", "stay", "dfs", "dpor")


def check_effect(asked: Asked, given: Given, target: "Target") -> None:
    """Raise UsageError naming the first option given that can have no effect on exploring the target, and the fix."""
    idle = idle_by_strategy(asked, target) | idle_by_target(asked, target)
    for name, why in idle.items():
        if name in given:
            raise UsageError(f"{given[name]} has no effect: {why}")


def idle_by_strategy(asked: Asked, target: "Target") -> dict[str, str]:
    """Return the options that can have no effect with the strategy asked for, each with the reason and the fix."""
    idle = {
        name: f"it is for --strategy {strategy}; choose that or leave it out"
        for name, strategy in OF_STRATEGY.items()
        if asked.strategy != strategy
    }
    if asked.strategy == "stay":
        idle["io_error_rate"] = "with --strategy stay no I/O fails; choose another or leave it out"
    if asked.strategy in UNRANDOM and not target.io_errors and (not target.protocol or not asked.what):
        idle["seed"] = f"nothing is random with --strategy {asked.strategy}; choose another or leave it out"
    return idle


def idle_by_target(asked: Asked, target: "Target") -> dict[str, str]:
    """Return the options that can have no effect on the program, each with the reason and the fix."""
    if not target.protocol:
        return dict.fromkeys(
            OF_MACHINE, f"it is for programs of the machine, {asked.what} is a lock program; leave it out"
        )
    idle = {}
    if "accesses" not in (asked.points, target.points):
        idle["races"] = f"accesses are no steps of {target.name}; add --points accesses"
    if not asked.what:
        own = "the program that shows a bug has its own; name a PROGRAM or leave it out"
        idle |= dict.fromkeys(("cpus", "settings"), own)
        idle |= {"points": own} if target.points != "locks" else {}
        idle |= {"io_error_rate": own} if target.io_errors and not asked.io_error_rate else {}
    return idle
