"""What a mapping's name in a Linux trace means: the only place that knows Linux's special names."""

from vmconc.vm.opcodes import MAP_ANON, MAP_SHARED, MAP_STACK, PROT_EXEC, PROT_READ, PROT_WRITE

_SEGMENTS = ("/SYSV", "/memfd:", "/dev/shm/", "/dev/hugepages/", "/anon_hugepage")  # memory that has an identity
_MADE_UP_FILES = ("[vdso]", "[vvar]", "[vvar_vclock]", "[vsyscall]", "[uprobes]")  # the kernel's own pages


def is_anonymous(name: str) -> bool:
    """Tell whether a mapping of this name is plain zero-filled memory."""
    if name in _MADE_UP_FILES or name.startswith(_SEGMENTS):
        return False
    return name.startswith(("//anon", "[", "anon_inode:", "/dev/zero")) or not name.startswith("/")


def flags_of(name: str, shared: bool) -> int:
    """Return the MAP_* flags of a mapping with this name."""
    flags = MAP_SHARED if shared else 0
    if is_anonymous(name):
        flags |= MAP_ANON
    if name.startswith("[stack"):
        flags |= MAP_STACK
    return flags


def prot_of(letters: str) -> int:
    """Return the PROT_* bits of `rwxp` letters."""
    bits = zip("rwx", (PROT_READ, PROT_WRITE, PROT_EXEC), strict=True)
    return sum(bit for letter, bit in bits if letter in letters)
