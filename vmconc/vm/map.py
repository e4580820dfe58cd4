"""Address maps: finding, making, clipping and merging entries; the map lock and its timestamp.

The sorted index is changed under the map lock exclusively.  (DragonFly `sys/vm/vm_map.c`; `dragonfly.md` 1.1,
1.2, 5.1.)
"""

from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.exhaust import give_record, take_record
from vmconc.locks.lockmgr import lock_exclusive, lock_mode, lock_release, lock_upgrade
from vmconc.locks.rules import STOP_TABLE, TABLE_FULL, broken
from vmconc.locks.sites import site
from vmconc.locks.sleep import leave_if_stopping
from vmconc.memory.jit import kernel
from vmconc.memory.operation import operation
from vmconc.memory.pagebytes import PAGE_SHIFT
from vmconc.memory.refs import at, null, offset
from vmconc.memory.segment import HEADER
from vmconc.memory.struct import WORD_BYTES
from vmconc.memory.table import slot_of, table
from vmconc.vm.events import CLIPS, MAP_UPGRADE, MERGES, RETRY_UPGRADE, event, retried
from vmconc.vm.structs import ENTRY_IN_TRANSITION, ENTRY_USER_WIRED

MAP_X = site("vm_map.exclusive")
INDEX_SLOT = slot_of("MapIndex")


@operation
def entry_reference(cpu, entry):
    """Add the references that a second entry with the same layers as `entry` needs (clip, mremap).

    Locks: entry  the map exclusively
           exit   same
    """


@operation
def entry_dispose(cpu, entry):
    """Drop the references of an entry's layers.

    Locks: entry  the map exclusively, or the entry is out of every map; no object token held shared
           exit   same
    """


@kernel
def map_lock(cpu, map):
    """Acquire a map exclusively; whatever was read under an earlier hold may be stale.

    Locks: entry  the map not held
           exit   held exclusively
    """
    lock_exclusive(cpu, map.lock, MAP_X)
    map.timestamp += 1


@kernel
def map_unlock(cpu, map):
    """Release a map, whatever the mode."""
    lock_release(cpu, map.lock)


@kernel
def map_upgrade(cpu, map):
    """Make sure the map is held exclusively.  Return False, **holding nothing**, if another upgrade came first.

    Locks: entry  the map held
           exit   held exclusively if True, not held if False
    """
    if lock_mode(cpu, map.lock) == EXCLUSIVE:
        return True
    if not lock_upgrade(cpu, map.lock):
        retried(cpu, RETRY_UPGRADE)
        return False
    map.timestamp += 1
    event(cpu, MAP_UPGRADE)
    return True


@kernel
def index_at(map, place):
    """Return one place of a map's index."""
    return at(map, "MapIndex", map.index + place * WORD_BYTES)


@kernel
def map_search(map, va):
    """Return the place of the first entry that ends above `va`; `nentries` if there is none.

    Locks: entry  the map
           exit   same
    """
    low, high = 0, map.nentries
    while low < high:
        middle = (low + high) // 2
        if index_at(map, middle).entry.end > va:
            high = middle
        else:
            low = middle + 1
    return low


@kernel
def entry_at(map, place):
    """Return the entry at a place of the index, null beyond its end."""
    if place < 0 or place >= map.nentries:
        return at(map, "VmMapEntry", 0)
    return index_at(map, place).entry


@kernel
def map_lookup_entry(map, va):
    """Return the entry that contains `va`, null if none does.

    Locks: entry  the map
           exit   same
    """
    entry = entry_at(map, map_search(map, va))
    return null(entry) if entry and entry.start > va else entry


@kernel
def index_full(cpu, map):
    """Stop the machine: a map has more entries than its index has room for."""
    machine = at(cpu, "Machine", HEADER)
    machine.exhausted = INDEX_SLOT + 1
    broken(cpu, TABLE_FULL, INDEX_SLOT, map.capacity, map.nentries)
    machine.stop = STOP_TABLE
    leave_if_stopping(cpu)


@kernel
def map_link(cpu, map, entry):
    """Put an entry into the index.

    Locks: entry  the map exclusively; no entry overlaps it
           exit   same
    """
    if map.nentries >= map.capacity:
        index_full(cpu, map)
    place = map_search(map, entry.start)
    i = map.nentries
    while i > place:
        index_at(map, i).entry = index_at(map, i - 1).entry
        i -= 1
    index_at(map, place).entry = entry
    map.nentries += 1


@kernel
def map_unlink(map, entry):
    """Take an entry out of the index.

    Locks: entry  the map exclusively
           exit   same
    """
    place = map_search(map, entry.start)
    last = map.nentries - 1
    while place < last:
        index_at(map, place).entry = index_at(map, place + 1).entry
        place += 1
    map.nentries = last


@kernel
def entry_create(cpu, start, end):
    """Make an entry for [start, end) that maps nothing yet and is in no map."""
    entry = at(cpu, "VmMapEntry", take_record(cpu, table(cpu, "VmMapEntry")))
    entry.start = start
    entry.end = end
    return entry


@kernel
def entry_free(cpu, entry):
    """Free an entry that is in no map and holds no references."""
    give_record(cpu, table(cpu, "VmMapEntry"), offset(entry))


@kernel
def entry_copy(source, target):
    """Copy what an entry maps and how, not where; the caller accounts for the references."""
    target.eflags = source.eflags
    target.protection = source.protection
    target.max_protection = source.max_protection
    target.inheritance = source.inheritance
    target.wired_count = source.wired_count
    target.object = source.object
    target.offset = source.offset
    target.ba.backing_ba = source.ba.backing_ba
    target.ba.flags = source.ba.flags


@kernel
def entry_like(cpu, model, start, end):
    """Return a new, unlinked entry of [start, end): mapped as `model` is, with nothing in it and not wired."""
    entry = entry_create(cpu, start, end)
    entry_copy(model, entry)
    entry.wired_count = 0
    entry.eflags &= ~ENTRY_USER_WIRED
    entry.object = null(model.object)
    entry.ba.backing_ba = null(model.ba)
    entry.offset = 0
    return entry


@kernel
def entry_clip(cpu, map, entry, va):
    """Split an entry at `va`, which lies inside it; return the upper part.

    Locks: entry  the map exclusively
           exit   same
    """
    upper = entry_create(cpu, va, entry.end)
    entry_copy(entry, upper)
    if entry.object:
        upper.offset = entry.offset + (va - entry.start >> PAGE_SHIFT)
        entry_reference(cpu, entry)
    entry.end = va
    map_link(cpu, map, upper)
    event(cpu, CLIPS)
    return upper


@kernel
def clip_range(cpu, map, start, end):
    """Clip entries at both ends of a range, so that every entry lies inside or outside of it.

    Locks: entry  the map exclusively
           exit   same
    """
    first = map_lookup_entry(map, start)
    if first and first.start < start:
        entry_clip(cpu, map, first, start)
    last = map_lookup_entry(map, end)
    if last and last.start < end:
        entry_clip(cpu, map, last, end)


@kernel
def mergeable(lower, upper):
    """Tell whether two neighbours could be one entry."""
    same = (
        lower.end == upper.start
        and lower.eflags == upper.eflags
        and lower.protection == upper.protection
        and lower.max_protection == upper.max_protection
        and lower.inheritance == upper.inheritance
        and lower.wired_count == upper.wired_count
        and lower.object == upper.object
        and lower.ba.backing_ba == upper.ba.backing_ba
        and lower.eflags & ENTRY_IN_TRANSITION == 0
    )
    if not same:
        return False
    return not lower.object or lower.offset + (lower.end - lower.start >> PAGE_SHIFT) == upper.offset


@kernel
def map_simplify(cpu, map, va):
    """Merge the entry that begins at `va` into the one below if they continue each other.

    Locks: entry  the map exclusively; no object token held shared
           exit   same
    """
    place = map_search(map, va)
    lower, upper = entry_at(map, place - 1), entry_at(map, place)
    if not lower or not upper or upper.start != va or not mergeable(lower, upper):
        return
    map_unlink(map, upper)
    lower.end = upper.end
    if upper.object:
        entry_dispose(cpu, upper)
    entry_free(cpu, upper)
    event(cpu, MERGES)
