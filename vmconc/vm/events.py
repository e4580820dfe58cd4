"""What a CPU counts besides lock operations, and why attempts at a fault are retried."""

from vmconc.memory.jit import kernel
from vmconc.memory.queries import recorded, tracked
from vmconc.memory.refs import offset
from vmconc.schedule.steps import STEP_MAKE, log_step, tell

(
    ATTEMPTS, MAP_UPGRADE, MAP_DOWNGRADE, TOK_VNWALK, PIP_ADDED, BUSIED, PAGE_ALLOC, PAGE_FREE, GETPAGE, IO, ZFILL,
    COPY, PMAP_ENTER, HASPAGE_PEEK, MAP_UNLOCK_FOR_IO, MAP_RELOCK_TIMED, TS_FAIL, FAULTS, PAGEINS,
    PAGEINS_MAP_RELEASED, PAGEINS_MAP_HELD, SHADOWS, COLLAPSES, BYPASSES, SPLITS, RENAMES, SHOOTDOWNS, CLIPS, MERGES,
    VIRTUAL_COPIES, IO_ERRORS,
) = range(31)  # fmt: skip

EVENT_NAMES = {
    ATTEMPTS: "attempts", MAP_UPGRADE: "map_upgrade", MAP_DOWNGRADE: "map_downgrade", TOK_VNWALK: "tok_vnwalk",
    PIP_ADDED: "pip", BUSIED: "busy", PAGE_ALLOC: "page_alloc", PAGE_FREE: "page_free", GETPAGE: "getpage", IO: "io",
    ZFILL: "zfill", COPY: "copy", PMAP_ENTER: "pmap_enter", HASPAGE_PEEK: "haspage_peek",
    MAP_UNLOCK_FOR_IO: "map_unlock_for_io", MAP_RELOCK_TIMED: "map_relock_timed", TS_FAIL: "ts_fail", FAULTS: "faults",
    PAGEINS: "pageins", PAGEINS_MAP_RELEASED: "pageins_map_released", PAGEINS_MAP_HELD: "pageins_map_held",
    SHADOWS: "shadows", COLLAPSES: "collapses", BYPASSES: "bypasses", SPLITS: "splits", RENAMES: "renames",
    SHOOTDOWNS: "shootdowns", CLIPS: "clips", MERGES: "merges", VIRTUAL_COPIES: "virtual_copies",
    IO_ERRORS: "io_errors",
}  # fmt: skip

(
    RETRY_BUSY, RETRY_NEED_FIRST, RETRY_NEED_ALL, RETRY_PAGER_FIRST, RETRY_PAGER_ALL, RETRY_ALLOC, RETRY_PAGED_IN,
    RETRY_PAGE_GONE, RETRY_RELOCK, RETRY_TIMESTAMP, RETRY_UPGRADE, RETRY_STACK,
) = range(12)  # fmt: skip

RETRY_NAMES = {
    RETRY_BUSY: "page busy", RETRY_NEED_FIRST: "first object needed exclusive",
    RETRY_NEED_ALL: "deeper object needed exclusive", RETRY_PAGER_FIRST: "pager, first object needed exclusive",
    RETRY_PAGER_ALL: "pager, deeper object needed exclusive", RETRY_ALLOC: "allocation failed or raced",
    RETRY_PAGED_IN: "paged in", RETRY_PAGE_GONE: "page gone after page-in", RETRY_RELOCK: "map relock timed out",
    RETRY_TIMESTAMP: "map timestamp changed", RETRY_UPGRADE: "map upgrade lost", RETRY_STACK: "stack grown",
}  # fmt: skip


@kernel
def event(cpu, number):
    """Count an event."""
    if tracked(cpu):
        cpu.events[number] += 1


@kernel
def retried(cpu, reason):
    """Count a retry by its reason."""
    if tracked(cpu):
        cpu.retries[reason] += 1


@kernel
def tell_op(cpu, action, kind, more, layers):
    """Record that a fault (kind TOUCH) or another operation begins or ends; `more`: the LWP, or what came of it.

    `layers`: how many a fault that ends well has looked into; of anything else 0.
    """
    if recorded(cpu):
        tell(cpu, action, cpu.op, layers, kind, 0, more)


@kernel
def tell_made(cpu, record):
    """Record that an object or a backing was made; that it is freed every record says."""
    if recorded(cpu):
        log_step(cpu, STEP_MAKE, offset(record), 0, 0, 0)
