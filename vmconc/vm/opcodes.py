"""The numbers of the operation records and their names: plain constants, no import at all.

Programs and traces use them without compiled code; kernels read the same module.
"""

# Kinds of operation.  `va` and `length` are in bytes; `target` is the index of another LWP.
TOUCH = 1  # read or write the LWP's own word of the page at va; flags: TOUCH_*
MMAP = 2  # map [va, va+length), replacing what is there; prot, flags MAP_*, file and offset unless anonymous
MUNMAP = 3  # unmap [va, va+length)
MPROTECT = 4  # set prot over [va, va+length)
BRK = 5  # length > 0: grow the heap by [va, va+length); length < 0: shrink it by [va+length, va)
MREMAP = 6  # move or resize [va, va+length) to [offset, offset+new_length)
MADVISE = 7  # flags: ADVICE_*
MSYNC = 8  # write dirty pages of [va, va+length) back
MLOCK = 9  # wire [va, va+length)
MUNLOCK = 10  # unwire it
MINHERIT = 11  # flags: INHERIT_*, for later forks
FORK = 12  # LWP `target` starts in a copy of this LWP's space
VFORK = 13  # LWP `target` starts in this LWP's own space (vfork, or a thread); flags: VFORK_*
EXEC = 14  # leave the space, go on in a new and empty one
EXIT = 15  # leave the space; the last one to leave tears it down
SPAWN = 16  # LWP `target` starts in a new and empty space (the first process of a program)

KIND_NAMES = {
    TOUCH: "touch", MMAP: "mmap", MUNMAP: "munmap", MPROTECT: "mprotect", BRK: "brk", MREMAP: "mremap",
    MADVISE: "madvise", MSYNC: "msync", MLOCK: "mlock", MUNLOCK: "munlock", MINHERIT: "minherit", FORK: "fork",
    VFORK: "vfork", EXEC: "exec", EXIT: "exit", SPAWN: "spawn",
}  # fmt: skip

PROT_READ, PROT_WRITE, PROT_EXEC = 1, 2, 4

TOUCH_WRITE = 1  # write (and first read) the word; else only read
TOUCH_KERNEL = 2  # the kernel touched user memory: a page that is not mapped is no violation

MAP_SHARED = 1
MAP_ANON = 2
MAP_STACK = 4  # grows down on a miss just below it

VFORK_SUSPEND = 1  # a true vfork: the waits hold the parent back until the child has called exec or exit

ADVICE_NORMAL, ADVICE_WILLNEED, ADVICE_DONTNEED, ADVICE_FREE = 0, 1, 2, 3
INHERIT_SHARE, INHERIT_COPY, INHERIT_NONE = 0, 1, 2

# What the oracle knows beforehand (`check`): which of the two expected values are exact.
CHECK_OWN, CHECK_PARENT = 1, 2

# How a touch ended (`outcome`).
OUTCOME_NONE = 0  # not executed
OUTCOME_RESIDENT = 1  # translation was there: no fault
OUTCOME_HIT = 2  # fault; page was resident in the first object or may be used where it is
OUTCOME_ZERO = 3  # fault; zero-filled
OUTCOME_COPY = 4  # fault; copied into the first object
OUTCOME_PAGEIN = 5  # fault; read from its pager, mapped where it is
OUTCOME_PAGEIN_COPY = 6  # fault; read from its pager, then copied
OUTCOME_UNMAPPED = 7  # fault; no mapping, or no permission

OUTCOME_NAMES = {
    OUTCOME_NONE: "none", OUTCOME_RESIDENT: "resident", OUTCOME_HIT: "hit", OUTCOME_ZERO: "zero-fill",
    OUTCOME_COPY: "copy", OUTCOME_PAGEIN: "file", OUTCOME_PAGEIN_COPY: "file-copy", OUTCOME_UNMAPPED: "unmapped",
}  # fmt: skip

# What the trace says the kernel did (`recorded`).
RECORDED_ZERO, RECORDED_FILE, RECORDED_FILE_COPY, RECORDED_COPY, RECORDED_SHARED = 1, 2, 3, 4, 5
RECORDED_NAMES = {
    RECORDED_ZERO: "zero-fill", RECORDED_FILE: "file", RECORDED_FILE_COPY: "file-copy", RECORDED_COPY: "copy",
    RECORDED_SHARED: "shared",
}  # fmt: skip
