"""Who a shared record belongs to, and whether anybody can find it: read from the records as they are, without locks.

Only for the checks of builds whose accesses are steps; everything is read as plain words, for their own looks are none.
"""

from vmconc.memory.jit import kernel
from vmconc.memory.refs import words_at
from vmconc.memory.struct import STRUCTS, WORD_BYTES, resolve
from vmconc.memory.table import table
from vmconc.vm.structs import PQ_NONE, PQ_SETS

# How the record that has the lock is found from the one that is guarded.
ITSELF, ITS_OBJECT, ITS_QUEUE, ITS_SPACE, ITS_MAP, ITS_OWNER, ITS_PAGE = range(7)
LEVELS_MAX = 11  # more levels no page tree has


def place(struct: str, path: str) -> int:
    """Return the byte offset of a field in a record."""
    return resolve(STRUCTS[struct].fields, path).offset


PAGE_OBJECT, PAGE_QUEUE, PAGE_COLOR = place("VmPage", "object"), place("VmPage", "queue"), place("VmPage", "color")
PAGE_PV, PV_NEXT = place("VmPage", "pv"), place("PvEntry", "following")
SPACE_INDEX, SPACE_COUNT = place("Vmspace", "map.index"), place("Vmspace", "map.nentries")
SPACE_REFS, BACKING_REFS = place("Vmspace", "refs"), place("Backing", "refs")
ROOT, PARENT = place("VmObject", "pages.root"), place("RadixNode", "parent")
ENTRY_OBJECT, BACKING_OBJECT = place("VmMapEntry", "ba.object"), place("Backing", "object")
OBJECT_BELOW, VNODE_OBJECT = place("VmObject", "backing_object"), place("Vnode", "object")


@kernel
def word_at(near, off):
    """Return the word at a byte offset."""
    return words_at(near, off)[0]


@kernel
def nth(table, i):
    """Return the byte offset of a record by its number."""
    return table.first + i * table.stride


@kernel
def live(near, record):
    """Tell whether a record that counts its lives is allocated."""
    return word_at(near, record) & 1 != 0


@kernel
def queue_of(near, page):
    """Return the queue that a page is on, 0 if it is on none."""
    kind = word_at(near, page + PAGE_QUEUE)
    if kind == PQ_NONE:
        return 0
    return nth(table(near, "PageQueue"), kind * PQ_SETS + word_at(near, page + PAGE_COLOR))


@kernel
def space_of(near, index):
    """Return the space whose map has this place of an index."""
    places, spaces = table(near, "MapIndex"), table(near, "Vmspace")
    return nth(spaces, (index - places.first) // places.stride // (places.capacity // spaces.capacity))


@kernel
def top_of(near, node):
    """Return the topmost node above a node of a page tree, itself if there is none."""
    for _ in range(LEVELS_MAX):
        parent = word_at(near, node + PARENT)
        if parent == 0:
            break
        node = parent
    return node


@kernel
def maps(near, space, entry):
    """Tell whether an entry stands in a space's map."""
    first = word_at(near, space + SPACE_INDEX)
    for i in range(word_at(near, space + SPACE_COUNT)):
        if word_at(near, first + i * WORD_BYTES) == entry:
            return True
    return False


@kernel
def lists(near, page, pv):
    """Tell whether a pv entry is on a page's list."""
    other = word_at(near, page + PAGE_PV)
    while other != 0 and other != pv:
        other = word_at(near, other + PV_NEXT)
    return other != 0


@kernel
def contains(near, how, holder, record):
    """Tell whether a record belongs to the space, object or page `holder`."""
    if how == ITS_MAP:
        return maps(near, holder, record)
    if how == ITS_OWNER:
        return word_at(near, holder + ROOT) == top_of(near, record)
    return lists(near, holder, record)


@kernel
def lock_holder(near, how, record):
    """Return the record that has the lock, 0 if there is none at present; not for what can only be searched for."""
    if how == ITS_OBJECT:
        return word_at(near, record + PAGE_OBJECT)
    if how == ITS_QUEUE:
        return queue_of(near, record)
    if how == ITS_SPACE:
        return space_of(near, record)
    return record


@kernel
def entry_found(near, entry):
    """Tell whether some map has an entry."""
    spaces = table(near, "Vmspace")
    for i in range(spaces.capacity):
        if live(near, nth(spaces, i)) and maps(near, nth(spaces, i), entry):
            return True
    return False


@kernel
def node_found(near, node):
    """Tell whether some object's tree has a node."""
    objects, top = table(near, "VmObject"), top_of(near, node)
    for i in range(objects.capacity):
        if live(near, nth(objects, i)) and word_at(near, nth(objects, i) + ROOT) == top:
            return True
    return False


@kernel
def pv_found(near, pv):
    """Tell whether some page's list has a pv entry."""
    pages = table(near, "VmPage")
    for i in range(pages.capacity):
        if lists(near, nth(pages, i), pv):
            return True
    return False


@kernel
def pointed_to(near, table, field, target):
    """Tell whether some allocated record of a table refers to `target`."""
    for i in range(table.capacity):
        if live(near, nth(table, i)) and word_at(near, nth(table, i) + field) == target:
            return True
    return False


@kernel
def object_found(near, object):
    """Tell whether an entry, a layer, another object or a file refers to an object."""
    files, entries = table(near, "Vnode"), table(near, "VmMapEntry")
    for i in range(files.capacity):
        if word_at(near, nth(files, i) + VNODE_OBJECT) == object:
            return True
    for i in range(entries.capacity):
        entry = nth(entries, i)
        if live(near, entry) and word_at(near, entry + ENTRY_OBJECT) == object and entry_found(near, entry):
            return True
    return pointed_to(near, table(near, "Backing"), BACKING_OBJECT, object) or pointed_to(
        near, table(near, "VmObject"), OBJECT_BELOW, object
    )
