"""backing: after 9de48ead.  vm_map_backing lists hang off the map entry; no chain lock; the map is held across I/O.

Nothing is collapsed: layers accumulate.  (`dragonfly.md` 1.3, 3, 4.)
"""

from vmconc.protocols.backing import entries, fault, objects  # noqa: F401 (importing provides the operations)

LINKED_BY = "backing_ba"  # the field by which layers follow one another: the checks read it
