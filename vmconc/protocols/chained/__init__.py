"""chained: before 9de48ead.  Objects point to the object below; a chain lock on each; the map is dropped for I/O.

Chains are kept short by collapse, bypass and split.  (`dragonfly.md` 2.4, 3, 4.1, 4.2, 4.5.)
"""

from vmconc.protocols.chained import entries, fault, objects  # noqa: F401 (importing provides the operations)

LINKED_BY = "backing_object"  # the field by which layers follow one another: the checks read it
