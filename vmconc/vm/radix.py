"""A sparse array from page index to page: what an object's resident pages stand in.

Looked up under the object's token, changed under it exclusively.
"""

from vmconc.locks.exhaust import give_record, take_record
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at, null, offset
from vmconc.memory.table import table
from vmconc.vm.structs import RADIX_SLOTS

BITS = 6
MASK = RADIX_SLOTS - 1


@kernel
def fits(tree, index):
    """Tell whether an index lies below the tree's present height."""
    return index >> (BITS * tree.height) == 0


@kernel
def radix_get(tree, index):
    """Return the word at an index, 0 if there is none.

    Locks: entry  the owner's token
           exit   same
    """
    if tree.height == 0 or not fits(tree, index):
        return 0
    node = tree.root
    level = tree.height - 1
    while level > 0:
        word = node.slot[index >> (BITS * level) & MASK]
        if word == 0:
            return 0
        node = at(node, "RadixNode", word)
        level -= 1
    return node.slot[index & MASK]


@kernel
def node_new(cpu, parent, place):
    """Allocate a node below `parent` (null: a root)."""
    node = at(cpu, "RadixNode", take_record(cpu, table(cpu, "RadixNode")))
    node.parent = parent
    node.place = place
    if parent:
        parent.slot[place] = offset(node)
        parent.used += 1
    return node


@kernel
def grow(cpu, tree, index):
    """Make the tree high enough for `index`.  An old root goes below the new one, so it is never an empty node."""
    if tree.height == 0:
        tree.root = node_new(cpu, null(tree.root), 0)
        tree.height = 1
        while not fits(tree, index):
            tree.height += 1
    while not fits(tree, index):
        old = tree.root
        root = node_new(cpu, null(old), 0)
        root.slot[0] = offset(old)
        root.used = 1
        old.parent = root
        tree.root = root
        tree.height += 1


@kernel
def radix_put(cpu, tree, index, word):
    """Set the empty place `index`.

    Locks: entry  the owner's token exclusively; the place is empty
           exit   same
    """
    grow(cpu, tree, index)
    node = tree.root
    level = tree.height - 1
    while level > 0:
        place = index >> (BITS * level) & MASK
        below = at(node, "RadixNode", node.slot[place])
        if not below:
            below = node_new(cpu, node, place)
        node = below
        level -= 1
    node.slot[index & MASK] = word
    node.used += 1


@kernel
def radix_remove(cpu, tree, index):
    """Empty a place and free the nodes that become empty.

    Locks: entry  the owner's token exclusively; the place is set
           exit   same
    """
    node = tree.root
    level = tree.height - 1
    while level > 0:
        node = at(node, "RadixNode", node.slot[index >> (BITS * level) & MASK])
        level -= 1
    place = index & MASK
    while node:
        node.slot[place] = 0
        node.used -= 1
        if node.used > 0:
            return
        parent = node.parent
        place = node.place
        give_record(cpu, table(cpu, "RadixNode"), offset(node))
        node = parent
    tree.root = null(tree.root)
    tree.height = 0


@kernel
def radix_next(tree, index):
    """Return the first index >= `index` that is set, -1 if there is none.

    Locks: entry  the owner's token
           exit   same
    """
    while tree.height > 0 and fits(tree, index):
        node = tree.root
        level = tree.height - 1
        word = node.slot[index >> (BITS * level) & MASK]
        while word != 0 and level > 0:
            node = at(node, "RadixNode", word)
            level -= 1
            word = node.slot[index >> (BITS * level) & MASK]
        if word != 0:
            return index
        step = 1 << (BITS * level)
        index = (index // step + 1) * step
    return -1
