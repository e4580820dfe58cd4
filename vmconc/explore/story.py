"""An execution in words: one row a step, one column a CPU."""

from typing import Any, NamedTuple

from vmconc.checks.places import place
from vmconc.explore.holding import Holding, Lock
from vmconc.explore.laboratory import Laboratory
from vmconc.locks.classes import CLASS_NAMES, PAGE_QUEUE, PAGE_SPIN, PMAP, RANGE_SPIN
from vmconc.locks.sites import site_name
from vmconc.memory.struct import STRUCTS, WORD_BYTES, Words
from vmconc.memory.table import POISON
from vmconc.schedule.records import TOO_LONG, VIOLATED
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_DOWNGRADE,
    STEP_LOAD,
    STEP_NAMES,
    STEP_SLEEP,
    STEP_STORE,
    STEP_UPGRADE,
    STEP_WAKE,
)

SPINLOCKS = (PMAP, PAGE_SPIN, PAGE_QUEUE, RANGE_SPIN)  # leaf locks: left out unless all is wanted
SAID = {"VmObject": "object", "VmPage": "page", "Vmspace": "space", "Vnode": "file", "IoRequest": "request"}
WITH_MODE = (STEP_ACQUIRE, STEP_UPGRADE, STEP_DOWNGRADE)


class Row(NamedTuple):
    """One thing that a CPU did."""

    number: int  # of the step that it begins, from 1; 0: it belongs to the step before
    cpu: int
    text: str
    turn: int = 0  # number of the step in an execution that is observed: within one, several things may be done
    preempted: bool = False  # the CPU of the row before could have gone on
    held: tuple[str, ...] = ()  # the locks that the CPU holds after it, those of its kind that are shown


def story(lab: Laboratory, everything: bool = False, preempted: frozenset[int] = frozenset()) -> list[Row]:
    """Return the steps of the last execution of a watched machine; without `everything` leaf locks are left out.

    `preempted`: the numbers of the steps before which a CPU was preempted.
    """
    count = min(lab.segment.table("Step").fresh, lab.segment.table("Step").capacity)
    logged = lab.segment.view("Step")[:count].tolist()
    written = values_written(lab, logged)
    holdings: dict[int, Holding] = {}
    rows: list[Row] = []
    lock_names, said = LockNames(lab.segment), 0
    for index, (cpu, action, lock, cls, mode, site, number, turn) in enumerate(logged):
        holding = holdings.setdefault(cpu, Holding())
        holding.note(action, lock, cls, mode)
        if everything or telling(lab, logged, index):
            text = words(lab.segment, action, lock, cls, mode, site) + written.get(index, "")
            marked = bool(rows) and cpu != rows[-1].cpu and not preempted.isdisjoint(range(rows[-1].turn + 1, turn + 1))
            held = tuple(lock_names.of(entry) for entry in holding.held if everything or entry.cls not in SPINLOCKS)
            rows.append(Row(number if number != said else 0, cpu, text, turn, marked, held))
            said = number
    return rows


def telling(lab: Laboratory, steps: list[list[int]], i: int) -> bool:
    """Tell whether step `i` belongs into the short form of a story."""
    cpu, action, _, cls, *_ = steps[i]
    if action not in (STEP_LOAD, STEP_STORE) or is_lock_program(lab.segment):
        return cls not in SPINLOCKS
    around = steps[max(0, i - 1) : i] + steps[i + 1 : i + 2]
    return i + 1 == len(steps) or any(other[0] != cpu for other in around)


def is_lock_program(segment: Any) -> bool:
    """Tell whether a machine has no objects."""
    return bool(segment.table("VmObject").capacity == 0)


def values_written(lab: Laboratory, logged: list[list[int]]) -> dict[int, str]:
    """Return what writes wrote, by place in the log: what the next look at the word found, or what is there at the end.

    A write that another one follows before anybody looks has none, nor one in whose midst the execution ended.
    """
    engine: Any = lab.engine
    found: dict[int, str] = {}
    last: dict[int, int] = {}  # place of the last write to a word that nobody has looked at since
    for index, (_, action, lock, _, _, site, *_) in enumerate(logged):
        if action == STEP_STORE:
            last[lock] = index
        elif action == STEP_LOAD and lock in last:
            found[last.pop(lock)] = f" = {site}" if site != POISON else ""
    if lab.segment.table("Step").fresh == len(logged):
        midst = len(logged) - 1 if engine.ended in (VIOLATED, TOO_LONG) else -1
        ends = lab.segment.memory.words
        kept = {index: ends[lock // WORD_BYTES] for lock, index in last.items() if index != midst}
        found |= {index: f" = {value}" for index, value in kept.items() if value != POISON}  # else it was freed then
    return found


class LockNames:
    """Names locks that are held, each once."""

    def __init__(self, segment: Any):
        self.segment = segment
        self.names: dict[Lock, str] = {}

    def of(self, entry: Lock) -> str:
        """Say a lock and how it is held: `X vm_object, object 3 token`."""
        if entry not in self.names:
            self.names[entry] = f"{'SX'[entry.mode & 1]} {kind_and_name(self.segment, entry.cls, entry.lock)}"
        return self.names[entry]


def words(segment: Any, action: int, lock: int, cls: int, mode: int, site: int) -> str:
    """Say one step: `acquire X vm_object, object 3 token`."""
    if action == STEP_WAKE:
        return f"wakes ({site_name(site)})"
    name = named(segment, lock)
    if action == STEP_LOAD:
        return f"read {name} = {'poison' if site == POISON else site}"
    if action == STEP_SLEEP:
        return f"sleeps: {name} ({site_name(site)})"
    letter = f" {'SX'[mode & 1]}" if action in WITH_MODE else ""
    return f"{STEP_NAMES[action]}{letter} {kind_and_name(segment, cls, lock)}".strip()


def kind_and_name(segment: Any, cls: int, lock: int) -> str:
    """Name a lock and its class."""
    return ", ".join(part for part in (CLASS_NAMES.get(cls, ""), named(segment, lock)) if part)


def named(segment: Any, lock: int) -> str:
    """Name what stands at a byte offset; of a lock program just the field."""
    if not lock:
        return ""
    record, *rest = place(segment, lock).split(" ")
    if record == "Fiber":
        return f"cpu {rest[0]}"
    if is_lock_program(segment) and record in STRUCTS:
        return field_named(segment, record, lock)
    return " ".join([SAID.get(record, record), *rest])


def field_named(segment: Any, record: str, lock: int) -> str:
    """Name the field of a shared record that stands at a byte offset, in an array with its index."""
    table, fields = segment.table(record), STRUCTS[record].fields.values()
    inside = (lock - table.first) % table.stride
    for field in fields:
        if field.words and field.offset <= inside < field.offset + field.words * WORD_BYTES:
            index = f"[{(inside - field.offset) // WORD_BYTES}]" if isinstance(field.kind, Words) else ""
            return str(field.name) + index
    return record
