"""Lock classes and modes: what kinds of lock there are, in the order in which they may be waited for.

Classes below UNORDERED are ranked: a CPU that holds one may wait only for one of the same or a higher
number (DragonFly's order of hard locks, `docs/locks.md`).  Tokens have no rank: they are given up while
their holder sleeps.
"""

VM_MAP = 1
VNODE = 2
RANGE = 3
CHAIN = 4
VM_PAGE = 5
PMAP = 6
PAGE_SPIN = 7
PAGE_QUEUE = 8
RANGE_SPIN = 9
UNORDERED = 10  # first class without a rank
VM_OBJECT = 10
MAP_TOKEN = 11
PIP = 12
MUTEX = 13
RWLOCK = 14
SEMAPHORE = 15
CONDITION = 16
USER_SPIN = 17
CLASSES = 20  # room in the tables indexed by class

CLASS_NAMES = {
    VM_MAP: "vm_map", VNODE: "vnode", RANGE: "range", CHAIN: "chain", VM_PAGE: "vm_page", PMAP: "pmap",
    PAGE_SPIN: "page_spin", PAGE_QUEUE: "page_queue",
    RANGE_SPIN: "range_spin", VM_OBJECT: "vm_object", MAP_TOKEN: "map_token", PIP: "pip",
    MUTEX: "mutex", RWLOCK: "rwlock", SEMAPHORE: "semaphore", CONDITION: "condition", USER_SPIN: "spin",
}  # fmt: skip

CLASS_DOCS = {
    VM_MAP: "lockmgr lock of an address map: entries, their order, the timestamp",
    VNODE: "lockmgr lock of a file: it stays while its pages are read",
    RANGE: "interlock of an address range of a map",
    CHAIN: "lock of one element of a chain of objects (chained only): links do not change, no collapse",
    VM_PAGE: "busy state of a page: hard (exclusive) or soft (shared)",
    PMAP: "one translation slot or page-table page of a pmap",
    PAGE_SPIN: "spinlock of a page: its list of translations, its queue",
    PAGE_QUEUE: "spinlock of one page queue",
    RANGE_SPIN: "spinlock of a map's list of interlocked ranges",
    VM_OBJECT: "token of an object: its resident pages, size, type",
    MAP_TOKEN: "token of a map: serialises fork, insert, delete",
    PIP: "paging-in-progress count of an object: it may not be torn down",
    MUTEX: "mutex of a lock program",
    RWLOCK: "readers-writer lock of a lock program",
    SEMAPHORE: "counting semaphore of a lock program",
    CONDITION: "condition variable of a lock program",
    USER_SPIN: "spinlock of a lock program",
}

SHARED = 0
EXCLUSIVE = 1
MODE_NAMES = {SHARED: "shared", EXCLUSIVE: "exclusive"}

# Columns of the counters kept for each class.
COUNT_SHARED, COUNT_EXCLUSIVE, COUNT_RECURSIVE, COUNT_CONTENDED, COUNT_WAIT, COUNT_FAILED, COUNT_REOWNED = range(7)
COUNT_COLUMNS = 8
COLUMN_NAMES = ("shared", "exclusive", "recursive", "contended", "wait_ns", "failed", "reowned")
