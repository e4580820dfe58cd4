"""The record of an emulated CPU: what it does, holds, waits for and has counted.

Everything another process needs to say what a hung or killed CPU was at stands here, readable without locks.
"""

from vmconc.locks.classes import CLASSES, COUNT_COLUMNS
from vmconc.memory.struct import PAIR_BYTES, Embed, Refs, Words, guard
from vmconc.memory.table import FreeLists  # noqa: F401  declares what Cpu embeds
from vmconc.memory.twins import struct

CPUS_MAX = 256
TOKENS_MAX = 32  # LWKT_MAXTOKENS
HELD_MAX = 1088  # a chain lock for each of 1,000 layers and what else a fault holds
EVENTS_MAX = 64
REASONS_MAX = 32
ENDED_MAX = 64  # holds of a CPU that are counted together

STATE_IDLE, STATE_RUNNING, STATE_BLOCKED, STATE_DONE, STATE_STOPPED = range(5)
STATE_NAMES = {
    STATE_IDLE: "idle", STATE_RUNNING: "running", STATE_BLOCKED: "blocked", STATE_DONE: "done",
    STATE_STOPPED: "stopped",
}  # fmt: skip


# A word of the held-lock stack: class * 2 + mode, the site, and which classes were held before.
HELD_WHAT_MASK = 0xFF
HELD_SITE_SHIFT = 8
HELD_SITE_MASK = 0xFFFFF
HELD_BEFORE_SHIFT = 32


@struct(align=PAIR_BYTES)
class Cpu:
    """One emulated CPU."""

    index: int = guard("const")
    pid: int = guard("const")
    state: int = guard("cpu")
    lwp: int = guard("cpu")  # LWP it works for, -1: none
    op: int = guard("cpu")  # operation it executes, -1: none
    first_op: int = guard("init")
    last_op: int = guard("init")
    progress: int = guard("cpu")  # operations finished and waits ended: the coordinator watches it
    # Sleeping: see sleep.py.
    wake: Words(1) = guard("atomic")  # futex word: 0 while asleep
    sleep_next: "Cpu" = guard("queue.spin")
    channel: int = guard("queue.spin")  # byte offset of what it sleeps on, 0: awake
    reason: int = guard("cpu")  # site at which it waits
    wait_class: int = guard("cpu")
    wait_mode: int = guard("cpu")
    wait_since: int = guard("cpu")  # ns, monotonic
    # Tokens: see token.py.
    token_count: int = guard("cpu")
    token: Refs("Token", TOKENS_MAX) = guard("cpu")
    token_mode: Words(TOKENS_MAX) = guard("cpu")
    tokens_lost: int = guard("cpu")  # times all tokens were given up and re-owned
    # Tracking: see hook.py.
    held_count: int = guard("cpu")
    held_classes: int = guard("cpu")  # a bit for each class of a held lock
    held_lock: Words(HELD_MAX) = guard("cpu")
    held_word: Words(HELD_MAX) = guard("cpu")  # HELD_* below, packed: tracking is paid for at every acquisition
    held_key: Words(HELD_MAX) = guard("cpu")  # mode timed: as Times.key
    held_since: Words(HELD_MAX) = guard("cpu")  # mode timed: ticks
    counts: Words(CLASSES * COUNT_COLUMNS) = guard("cpu")
    order: Words(CLASSES) = guard("cpu")  # classes that were held when this class was acquired
    events: Words(EVENTS_MAX) = guard("cpu")
    retries: Words(REASONS_MAX) = guard("cpu")
    # Mode timed: see times.py.
    wait_lock: int = guard("cpu")  # byte offset of the lock that was asked for
    wait_begun: int = guard("cpu")  # ticks
    waited: int = guard("cpu")  # ticks of a wait that has ended and is not counted yet; 0: there is none
    waited_what: int = guard("cpu")  # class * 2 + mode that was asked for
    waited_site: int = guard("cpu")  # where it slept
    waited_ended: int = guard("cpu")  # `ended` when the wait was over
    ended: int = guard("cpu")  # holds that have ended and are not counted yet
    ended_key: Words(ENDED_MAX) = guard("cpu")  # as Times.key
    ended_lock: Words(ENDED_MAX) = guard("cpu")  # byte offset
    ended_ticks: Words(ENDED_MAX) = guard("cpu")  # how long each was held
    unlisted: int = guard("cpu")  # waits for locks that have no histograms of their own, for want of room
    # Memory management.
    free: Embed("FreeLists") = guard("cpu")
    user_pmap: int = guard("atomic")  # pmap whose translations it uses at this instant
