"""The records of the VM system, and for every field the lock that guards it.

One set of declarations serves both protocols: `chained` links objects by `backing_object`, `backing` links
`Backing` records off the map entry; each leaves the other's fields alone.  Offsets into objects are in pages.
(DragonFly `sys/vm/vm_page.h`, `vm_object.h`, `vm_map.h`, `sys/platform/pc64/include/pmap.h`; `dragonfly.md` 1.)
"""

from vmconc.locks import busy, chain, lockmgr, pip, range, spin, token  # noqa: F401 (their structs are embedded)
from vmconc.memory.build import ON_REQUEST
from vmconc.memory.struct import Embed, Same, Words, guard
from vmconc.memory.twins import struct

RADIX_SLOTS = 64
PAGE_TABLE_SLOTS = 512
PLACEMARKERS = 64

# VmObject.type
OBJT_DEFAULT, OBJT_SWAP, OBJT_VNODE = 0, 1, 2
TYPE_LETTERS = {OBJT_DEFAULT: "D", OBJT_SWAP: "S", OBJT_VNODE: "V"}

# VmObject.flags
OBJ_DEAD, OBJ_NOSPLIT, OBJ_WRITEABLE, OBJ_MIGHTBEDIRTY, OBJ_ONEMAPPING = 0x8, 0x10, 0x80, 0x100, 0x2000

# VmPage.queue
PQ_NONE, PQ_FREE, PQ_INACTIVE, PQ_ACTIVE = 0, 1, 2, 3
PQ_NAMES = {PQ_NONE: "none", PQ_FREE: "free", PQ_INACTIVE: "inactive", PQ_ACTIVE: "active"}
PQ_KINDS = 4
PQ_SETS = 64  # sub-queues of each kind, each with its own spinlock

# VmPage.flags
PG_REFERENCED, PG_MAPPED, PG_WRITEABLE = 1, 2, 4
VALID_ALL = 0xFF

# VmMapEntry.eflags
ENTRY_NOSYNC, ENTRY_COW, ENTRY_NEEDS_COPY, ENTRY_USER_WIRED = 0x1, 0x4, 0x8, 0x20
ENTRY_IN_TRANSITION, ENTRY_NEEDS_WAKEUP, ENTRY_STACK = 0x100, 0x200, 0x1000

# Backing.flags
BACK_EXCL_HEUR = 1

# Page-table words: the frame's page number above PTE_SHIFT.
PTE_VALID, PTE_WRITE, PTE_WIRED, PTE_MODIFIED, PTE_SHIFT = 1, 2, 4, 8, 12


@struct(align=8, points=ON_REQUEST)
class Radix:
    """A sparse array of pages: height in levels of 64, 0 when empty."""

    root: "RadixNode" = guard("owner.token")
    height: int = guard("owner.token")


@struct(points=ON_REQUEST)
class RadixNode:
    """A node of a radix tree; a leaf's slots are offsets of VmPage records."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    parent: "RadixNode" = guard("owner.token")
    place: int = guard("owner.token")  # its slot in the parent
    used: int = guard("owner.token")
    slot: Words(RADIX_SLOTS) = guard("owner.token")


@struct(points=ON_REQUEST)
class VmPage:
    """A frame's record; record i describes frame i for ever."""

    busy: Embed("Busy") = guard("atomic")
    spin: Embed("Spin") = guard("atomic")
    object: "VmObject" = guard("busy", "object.token")  # null if free
    pindex: int = guard("busy", "object.token")
    frame: int = guard("const")  # byte offset of its 4096 bytes
    color: int = guard("const")  # sub-queue it belongs to
    queue: int = guard("spin", "queue.spin")  # whoever takes a free page off its queue is alone with it
    queue_next: "VmPage" = guard("queue.spin")
    queue_prev: "VmPage" = guard("queue.spin")
    valid: int = guard("busy", "peek")  # a bit for each 512 bytes; what is valid stays so while it is in its object
    dirty: int = guard("busy", "atomic")  # set without busy when a translation that was written through goes
    flags: int = guard("atomic")
    wire_count: int = guard("atomic")
    pv: "PvEntry" = guard("spin", "peek")  # null stays null while the page is busy, or its object's chain locked
    pv_count: int = guard("spin")


@struct(points=ON_REQUEST)
class PageQueue:
    """One sub-queue of pages."""

    spin: Embed("Spin") = guard("atomic")
    head: "VmPage" = guard("spin", "peek")  # a queue that looks empty is passed by, another one is asked again locked
    tail: "VmPage" = guard("spin")
    count: int = guard("spin")


@struct(points=ON_REQUEST)
class VmObject:
    """A container of pages."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    token: Embed("Token") = guard("atomic")
    pages: Embed("Radix") = guard("token")
    resident_page_count: int = guard("token")
    size: int = guard("token")  # pages
    type: int = guard("token", "peek")  # whether it is a file's never changes: no more is asked without the token
    flags: int = guard("atomic")
    ref_count: int = guard("atomic")
    hold_count: int = guard("atomic")  # and whether it has been torn down: object.ENDED
    generation: int = guard("atomic")
    pip: Embed("Pip") = guard("atomic")
    vnode: "Vnode" = guard("const")  # its file, null if anonymous
    chain: Embed("Chain") = guard("atomic")  # chained only
    backing_object: "VmObject" = guard("token", "chain")  # chained only
    backing_offset: int = guard("token", "chain")  # chained only: pages added when stepping down


@struct(points=ON_REQUEST)
class Backing:
    """vm_map_backing: one layer below a map entry (`backing` only, but for the head's object and offset).

    The head is embedded in its entry.  One from the table is never changed but for `refs`.
    """

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    backing_ba: "Backing" = guard("map.lock")
    object: "VmObject" = guard("map.lock")
    offset: int = guard("map.lock")  # pages; below the head: added to the index when stepping down
    refs: int = guard("atomic")  # pointers to it; 0 for a head
    flags: int = guard("hint")  # a lost update costs one attempt, as in DragonFly
    frozen: int = guard("const")  # digest of object, offset and link at creation


@struct(points=ON_REQUEST)
class VmMapEntry:
    """A range of a map: [start, end) in bytes."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    start: int = guard("map.lock")
    end: int = guard("map.lock")
    eflags: int = guard("map.lock")
    protection: int = guard("map.lock")
    max_protection: int = guard("map.lock")
    inheritance: int = guard("map.lock")
    wired_count: int = guard("map.lock")
    ba: Embed("Backing") = guard("map.lock")
    object: Same("ba.object") = guard("map.lock")
    offset: Same("ba.offset") = guard("map.lock")


@struct(align=8, points=ON_REQUEST)
class VmMap:
    """An address map.  `index` is a sorted array of references to its entries."""

    lock: Embed("Lockmgr") = guard("atomic")
    token: Embed("Token") = guard("atomic")
    timestamp: int = guard("lock")
    nentries: int = guard("lock")
    index: int = guard("const")  # byte offset of the array
    capacity: int = guard("const")
    ranges: Embed("RangeList") = guard("atomic")


@struct(align=8, points=ON_REQUEST)
class Pmap:
    """Translations of one space: a page table of four levels, locked by slot."""

    spin: Embed("Spin") = guard("atomic")
    root: "PageTable" = guard("spin", "peek")  # set once, then as it is for as long as anybody is in the space
    resident: int = guard("atomic")
    placemarker: Words(PLACEMARKERS) = guard("atomic")  # spinlocks, hashed by slot


@struct(points=ON_REQUEST)
class PageTable:
    """One page of a page table."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    spin: Embed("Spin") = guard("atomic")
    level: int = guard("const")  # 0: its words map pages
    pte: Words(PAGE_TABLE_SLOTS) = guard("atomic")


@struct(points=ON_REQUEST)
class PvEntry:
    """One translation of a page: where to find it."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    pmap: "Pmap" = guard("page.spin")
    va: int = guard("page.spin")
    following: "PvEntry" = guard("page.spin")


@struct(points=ON_REQUEST)
class Vmspace:
    """An address space."""

    life: int = guard("atomic")
    next_free: int = guard("atomic")
    map: Embed("VmMap") = guard("atomic")
    pmap: Embed("Pmap") = guard("atomic")
    refs: int = guard("atomic")  # LWPs in it


@struct(points=ON_REQUEST)
class Vnode:
    """A file."""

    index: int = guard("const")
    pages: int = guard("const")
    lock: Embed("Lockmgr") = guard("atomic")
    object: "VmObject" = guard("const")


@struct(align=8, points=ON_REQUEST)
class MapIndex:
    """One place of a map's sorted index; a map's places follow one another."""

    entry: "VmMapEntry" = guard("map.lock")
