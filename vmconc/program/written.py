"""A plan as a list of operations in words: what a failure is kept with, what is left out of it, what is shown."""

from itertools import groupby
from typing import NamedTuple

import msgspec
import numpy as np

from vmconc.program.builder import PAGE, WORDS, number
from vmconc.program.errors import ProgramError
from vmconc.program.oracle import DENIED, NOTHING, expect
from vmconc.program.order import order
from vmconc.program.plan import OP_DTYPE, FilePlan, LwpPlan, Plan
from vmconc.vm import opcodes as op

KINDS = {name: kind for kind, name in op.KIND_NAMES.items()}
STARTS = ("fork", "vfork", "spawn")
FAR = 1 << 20  # pages: what lies further from the first one is given by its address


class Operation(msgspec.Struct, frozen=True, omit_defaults=True):
    """One operation; the fields are those of `OP_FIELDS`, as far as the program chooses them."""

    kind: str
    lwp: int
    va: int = 0
    length: int = 0
    prot: int = 0
    flags: int = 0
    file: int = -1
    offset: int = 0
    new_length: int = 0
    target: int = -1


class Written(msgspec.Struct, frozen=True, omit_defaults=True):
    """A program: its operations in order, and its files (name, pages, path)."""

    operations: tuple[Operation, ...]
    files: tuple[tuple[str, int, str], ...] = ()


class Checked(NamedTuple):
    """A plan, and how many of its touches find nothing or are not allowed."""

    plan: Plan
    missing: int


def write_down(plan: Plan) -> Written:
    """Return a plan's operations.  Raises ProgramError if two LWPs share a word: then they cannot be numbered anew."""
    if len(plan.lwps) > WORDS:
        raise ProgramError(f"program {plan.name} starts {len(plan.lwps)} LWPs; {WORDS} can be written down")
    names = [field for field in Operation.__struct_fields__ if field != "kind"]
    rows = zip(*(plan.ops[name].tolist() for name in names), strict=True)
    kinds = (op.KIND_NAMES[kind] for kind in plan.ops["kind"].tolist())
    operations = (Operation(kind, *row) for kind, row in zip(kinds, rows, strict=True))
    return Written(tuple(operations), tuple((file.name, file.pages, file.path) for file in plan.files))


def plan_of(written: Written, name: str) -> Checked:
    """Return the plan.  LWPs keep their numbers, and with them their CPUs, also where some between were left out."""
    operations = written.operations
    ops = np.zeros(len(operations), dtype=OP_DTYPE)
    ops["kind"] = [KINDS[operation.kind] for operation in operations]
    for field in Operation.__struct_fields__:
        if field != "kind":
            ops[field] = [getattr(operation, field) for operation in operations]
    number(ops)
    lwps, files = lwps_of(operations), [FilePlan(*file) for file in written.files]
    findings = expect(ops, lwps, files)
    missing = int(np.isin(findings.found[ops["kind"] == op.TOUCH], (NOTHING, DENIED)).sum())
    return Checked(Plan(name, ops, order(ops, lwps, findings.reach), lwps, files), missing)


def lwps_of(operations: tuple[Operation, ...]) -> list[LwpPlan]:
    """Return the LWPs: each has the word of its number; its parent's is that of the LWP whose fork made its space."""
    lwps = [LwpPlan(word) for word in range(1 + max(max(each.lwp, each.target) for each in operations))]
    for each in operations:
        if each.kind == "fork":
            lwps[each.target] = LwpPlan(each.target, each.lwp)
        elif each.kind == "vfork":
            lwps[each.target] = LwpPlan(each.target, lwps[each.lwp].parent_word)
    return lwps


def without(written: Written, gone: set[int]) -> Written:
    """Return the program without some operations (by number), and without what LWPs do that are not started then."""
    kept, started = [], set()
    for place, each in enumerate(written.operations):
        if place in gone or not (each.lwp in started or (each.kind == "spawn")):
            continue
        kept.append(each)
        if each.kind in STARTS:
            started.add(each.target)
    return Written(tuple(kept), written.files)


def said(written: Written, cpus: int) -> str:
    """Say a program in one line: `cpu 0: spawn, mmap page 0 of file 0, vfork lwp 1; cpu 1: write page 0`."""
    first = min((each.va for each in written.operations if each.length), default=0)
    shared = {cpu for cpu in range(cpus) if len({e.lwp for e in written.operations if e.lwp % cpus == cpu}) > 1}
    parts = []
    for lwp, done in groupby(written.operations, key=lambda each: each.lwp):
        who = f"cpu {lwp % cpus}" + (f" lwp {lwp}" if lwp % cpus in shared else "")
        parts.append(f"{who}: {', '.join(words(each, first) for each in done)}")
    return "; ".join(parts)


def words(each: Operation, first: int) -> str:
    """Say one operation; pages are counted from the address `first`."""
    if each.kind in ("fork", "vfork"):
        return f"{each.kind} lwp {each.target}"
    if each.kind in ("spawn", "exec", "exit"):
        return each.kind
    kind = each.kind if each.kind != "touch" else ("write" if each.flags & op.TOUCH_WRITE else "read")
    file = f" of file {each.file}" if each.file >= 0 else ""
    return f"{kind} {pages(each.va - first, abs(each.length))}{file}"


def pages(start: int, length: int) -> str:
    """Name the pages of a range."""
    low, high = start // PAGE, (start + length) // PAGE - 1
    if high > FAR:
        return f"{length // PAGE} pages at {start:#x} behind page 0"
    return f"page {low}" if low == high else f"pages {low}-{high}"
