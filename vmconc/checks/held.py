"""What emulated CPUs hold and wait for, read from their records without taking a lock."""

from typing import Any

from vmconc.checks.places import place
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES
from vmconc.locks.cpu import HELD_MAX, HELD_SITE_MASK, HELD_SITE_SHIFT, HELD_WHAT_MASK, STATE_BLOCKED, STATE_NAMES
from vmconc.locks.sites import site_name
from vmconc.schedule.records import BARRED, GATE_BITS
from vmconc.vm.opcodes import KIND_NAMES, TOUCH_WRITE


def held_locks(segment: Any, record: Any) -> list[dict[str, str]]:
    """Return the held-lock stack of a Cpu or a Violation record, bottom first."""
    return [
        {
            "class": CLASS_NAMES[(record.held_word[i] & HELD_WHAT_MASK) >> 1],
            "instance": place(segment, record.held_lock[i]),
            "mode": MODE_NAMES[record.held_word[i] & 1],
            "site": site_name(record.held_word[i] >> HELD_SITE_SHIFT & HELD_SITE_MASK),
        }
        for i in range(min(record.held_count, HELD_MAX))
    ]


def operation(segment: Any, number: int) -> dict[str, Any]:
    """Describe an operation by its number in the table of operations; `index` is its place in the plan."""
    if not 0 <= number < segment.table("Op").capacity:
        return {"index": -1, "kind": "none", "va": "0x0", "lwp": -1}
    op: Any = segment.nth("Op", number)
    kind = KIND_NAMES.get(op.kind, str(op.kind))
    if kind == "touch":
        kind = "write" if op.flags & TOUCH_WRITE else "read"
    return {"index": op.stamp - 1, "kind": kind, "va": hex(op.va), "lwp": op.lwp}


def sleeps_on(segment: Any, cpu: Any) -> int:
    """Return the byte offset of what a CPU sleeps on or, where CPUs take turns, of the gate that bars it; or 0."""
    if cpu.state == STATE_BLOCKED:
        return int(cpu.channel)
    fiber: Any = segment.nth("Fiber", cpu.index) if cpu.index < segment.table("Fiber").capacity else None
    return int(fiber.gate & ~GATE_BITS) if fiber is not None and fiber.state == BARRED else 0


def waits_for(segment: Any, cpu: Any) -> dict[str, Any] | None:
    """Describe what a CPU sleeps on, None if it does not sleep or is just being woken."""
    channel = sleeps_on(segment, cpu)
    if channel == 0:
        return None
    return {
        "instance": place(segment, channel),
        "class": CLASS_NAMES.get(cpu.wait_class, ""),
        "mode": MODE_NAMES.get(cpu.wait_mode, "") if cpu.wait_class else "",
        "site": site_name(cpu.reason),
        "offset": channel,
        "since": cpu.wait_since,
    }


def cpu_state(segment: Any, index: int) -> dict[str, Any]:
    """Describe one CPU: who it is, what it does, holds and waits for."""
    cpu: Any = segment.nth("Cpu", index)
    return {
        "cpu": index,
        "pid": cpu.pid,
        "state": STATE_NAMES.get(cpu.state, str(cpu.state)),
        "lwp": cpu.lwp,
        "operation": operation(segment, cpu.op),
        "progress": cpu.progress,
        "held": held_locks(segment, cpu),
        "waits_for": waits_for(segment, cpu),
    }


def held_by(segment: Any, offset: int) -> list[int]:
    """Return the CPUs that hold the lock at a byte offset."""
    return [
        index
        for index in range(segment.machine.cpus)
        if any(lock == offset for lock in held_offsets(segment.nth("Cpu", index)))
    ]


def held_offsets(cpu: Any) -> list[int]:
    """Return the byte offsets of the locks on a CPU's held-lock stack."""
    return [cpu.held_lock[i] for i in range(min(cpu.held_count, HELD_MAX))]


def say_held(locks: list[dict[str, str]]) -> str:
    """Write a held-lock stack in one line."""
    return ", ".join(f"{k['class']} {k['instance']} {k['mode']} ({k['site']})" for k in locks) or "nothing"
