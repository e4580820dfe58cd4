"""What is wrong at the end of an execution, in words, and the file that a failure is kept in."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec

from vmconc.checks.held import cpu_state, held_by, say_held, sleeps_on
from vmconc.checks.violations import inline_violations
from vmconc.coordinator.deadlock import cycle, say_cycle
from vmconc.explore.kept import read_kept
from vmconc.explore.laboratory import Laboratory
from vmconc.explore.story import named
from vmconc.explore.target import Target
from vmconc.locks.rules import GUARDED_BY, RULES
from vmconc.memory.segment import HEADER
from vmconc.program.errors import ProgramError
from vmconc.schedule.records import BARRED, CUT, DEADLOCK, ENDINGS, FINISHED, GATE_BITS, LIVELOCK, TOO_LONG

FORMAT = 1


class Failure(msgspec.Struct):
    """One failing execution: the decisions that lead to it, and what it came to."""

    rule: str  # the rule that is broken, or "deadlock", "livelock", "step limit"
    lines: list[str]  # what is wrong
    turns: list[int]  # the decisions: which CPU went on, or what came of chance
    steps: int  # schedule points passed
    preemptions: int  # decisions against a CPU that could have gone on
    switches: int = 0  # times that a decision was another one than the decision before
    strategy: str = ""
    execution: int = 0  # number of the execution that failed, from 1


class Artifact(msgspec.Struct):
    """A failure that can be replayed."""

    target: Target
    failure: Failure
    digest: str  # of the code it was found with
    spoken: list[str] = []  # each step in words, by which a replay says where it departs
    format: int = FORMAT
    proven: bool = False  # none of this program by this rule has fewer preemptions: all orders with fewer were run


def breaks(failure: Failure, rule: str) -> bool:
    """Tell whether a failure breaks a rule, be it the first or another."""
    return failure.rule == rule or any(line.startswith(f"{rule}:") for line in failure.lines)


def failure_of(lab: Laboratory, at_rest: list[dict[str, Any]] | None = None) -> Failure | None:
    """Return what is wrong with the last execution, None if nothing is."""
    engine: Any = lab.engine
    found = inline_violations(lab.segment) + (at_rest or [])
    if found:
        return failure(lab, found[0]["rule"], [text(violation) for violation in found])
    if engine.ended in (FINISHED, CUT):
        return None
    return failure(lab, ENDINGS[engine.ended], explain(lab))


def failure(lab: Laboratory, rule: str, lines: list[str]) -> Failure:
    """Describe the last execution as a failure."""
    engine: Any = lab.engine
    turns = lab.turns()
    switches = sum(one != other for one, other in pairwise(turns))
    return Failure(rule, lines, turns, engine.steps, engine.preemptions, switches)


def text(violation: dict[str, Any]) -> str:
    """Write a violation in one line; a lock program has no operations to name."""
    if "accesses" in violation or violation.get("operation", {}).get("index", 0) >= 0:
        return str(violation["text"])
    held = say_held(violation["held"])
    if violation["rule"] == RULES[GUARDED_BY][0]:
        how = f"cpu {violation['cpu']} {violation['found']} {violation['expected']}"
        return f"{violation['rule']}: {violation['subject']}: {how}, holding {held}"
    return f"{violation['rule']}: {violation['invariant']}; cpu {violation['cpu']} found it broken, holding {held}"


def explain(lab: Laboratory) -> list[str]:
    """Say of every CPU where it is: for an execution that did not come to its end."""
    engine: Any = lab.engine
    why = {
        DEADLOCK: "deadlock: no CPU can go on",
        LIVELOCK: "livelock: the only CPU that can go on waits for another to change something",
        TOO_LONG: f"step limit: not finished after {engine.limit:,} steps",
    }
    if engine.ended == DEADLOCK and engine.cycle:
        stuck = stuck_cpus(lab)
        cpus = [say(lab, i) for i in stuck]
        return [f"deadlock: {say_cycle(cycle(waiting(lab, stuck)))}", *cpus]
    cpus = [line for i in range(engine.fibers) if (line := say(lab, i))]
    return [why.get(engine.ended, ENDINGS[engine.ended]), *cpus]


def out_of_memory(lab: Laboratory) -> bool:
    """Tell whether the last execution could not go on because a CPU waits for a frame."""
    cpus = [lab.segment.nth("Cpu", index) for index in range(lab.segment.machine.cpus)]
    return lab.engine.ended == DEADLOCK and any(sleeps_on(lab.segment, cpu) == HEADER for cpu in cpus)


def stuck_cpus(lab: Laboratory) -> list[int]:
    """Return the CPUs that wait for one another, and those behind them."""
    engine: Any = lab.engine
    return [index for index in range(engine.fibers) if lab.segment.view("Fiber")["stuck"][index]]


def waiting(lab: Laboratory, stuck: list[int]) -> list[dict[str, Any]]:
    """Return an edge for each (CPU, CPU that it waits for) among those who cannot go on."""
    segment = lab.segment
    edges = []
    for index in stuck:
        lock = sleeps_on(segment, segment.nth("Cpu", index))
        holders = {*held_by(segment, lock)} | {other for other in stuck if segment.nth("Fiber", other).off == lock}
        edges += [{"from": index, "to": other} for other in sorted(holders & {*stuck})]
    return edges


def say(lab: Laboratory, index: int) -> str:
    """Say what a CPU waits for and holds; empty if it has finished."""
    state = cpu_state(lab.segment, index)
    waits = state["waits_for"]
    held = say_held(state["held"])
    fiber: Any = lab.segment.nth("Fiber", index)
    if fiber.state == BARRED:
        return f"cpu {index} waits for {named(lab.segment, fiber.gate & ~GATE_BITS)}, holds {held}"
    if waits is None:
        return f"cpu {index} is {state['state']}, holds {held}" if state["held"] else ""
    return f"cpu {index} waits for {waits['instance']} ({waits['site']}), holds {held}"


def write(path: Path, artifact: Artifact) -> None:
    """Keep a failure.  Raises ProgramError if it cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(artifact), indent=1))
    except OSError as error:
        raise ProgramError(f"{path} cannot be written: {error.strerror}; name another folder with --keep") from error


def read(path: Path) -> Artifact:
    """Read a failure back.  Raises ProgramError with one line."""
    return read_kept(path, Artifact, msgspec.json.decode, FORMAT, "failure")
