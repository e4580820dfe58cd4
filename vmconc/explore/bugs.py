"""The catalogue of known concurrency bugs: each can be switched on in a build and has a program that shows it.

A bug is added in two places: here, and as `if bug(cpu, "Bn")` in the kernel, which is compiled only into builds that
have it switched on (`memory/queries.py`).  The numbers are those of the catalogue in `docs/bugs.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from vmconc.explore import bug_programs as programs
from vmconc.explore.target import ACCESSES, LOCKS
from vmconc.program.builder import PlanBuilder
from vmconc.program.plan import Plan

BOTH = ("backing", "chained")


@dataclass(frozen=True)
class Bug:
    """A known bug: what it is, the program that shows it and the rule that finds it."""

    name: str
    title: str
    rule: str  # of locks/rules.py or checks/quiescent_report.py; or how the execution ends: deadlock, livelock
    origin: str
    protocols: tuple[str, ...]
    program: Callable[[PlanBuilder], None]
    interleaving: str
    cpus: int = 2
    io_errors: int = 0  # of 1,000 disk requests fail
    points: str = LOCKS  # what has to be a step for it to be found
    races: bool = False  # data races have to be looked for
    committed: bool = False  # the protocol has it as it was committed; here it is mended

    def plan(self) -> Plan:
        """Return the program that shows the bug."""
        build = PlanBuilder(self.name)
        self.program(build)
        return build.finish()


CATALOGUE = (
    Bug(
        "B1", "no timestamp check after the map is locked again", "needs-copy", "mutation", ("chained",),
        programs.write_against_fork,
        "T1 writes a page of a file mapping, unlocks the map and reads. P forks: the entry needs a copy from now on. "
        "T1 locks the map again, does not see that it changed, and enters the page writable.",
    ),
    Bug(
        "B2", "timestamp compared before the map is locked", "needs-copy", "DragonFly 6e9c08674f", ("chained",),
        programs.write_against_fork,
        "As B1, but T1 does compare: the map is as it was. Then P gets the map lock first and forks, "
        "and what T1 knows is no longer true when it has its share.",
    ),
    Bug(
        "B3", "the map is waited for without a time-out while a page is busy", "lock-order", "DragonFly 625a293762",
        ("chained",), programs.fault_against_clip,
        "T1 has a page busy and a chain lock and waits for the map. T2 holds the map and waits for the chain lock. "
        "The order of locks says so before they meet.",
    ),
    Bug(
        "B4", "the map is unlocked for a page-in and not asked afterwards", "io-map-released", "mutation", ("backing",),
        programs.fault_against_clip,
        "T1 unlocks the map and reads. T2 changes the map. T1 locks it again and goes on with the layers it looked up "
        "before, which nothing kept from being freed. The rule says so whether or not T2 was there.",
    ),
    Bug(
        "B5", "after a read error the layer's paging count is taken down twice, the first object's never",
        "count-underflow", "inferred from 9de48ead", ("backing",), programs.copy_file_page,
        "T1 writes a private page of a file. The read fails: the handler takes down the count of the file's object, "
        "and cleanup does so again; that of the first object stays for ever.",
        io_errors=300, committed=True,
    ),
    Bug(
        "B6", "a page that was read is un-busied and used all the same", "page-not-busy", "mutation", ("backing",),
        programs.read_file_page,
        "T1 reads a page, un-busies it and does not begin anew. It maps a page that anybody may free.",
    ),
    Bug(
        "B11", "fork does not count the child's pointer to a heap ba", "ba-refs", "mutation", ("backing",),
        programs.fork_of_layers,
        "P has a layer below its first object and forks. The child points to the ba, too, which still counts one.",
    ),
    Bug(
        "B12", "dispose drops the first heap ba and forgets the rest of the list", "ba-reachable",
        "mutation, like DragonFly 1f8fc82a8c", ("backing",), programs.exit_with_layers,
        "C has two layers below its first object, P has left them. C exits: the second ba has no pointer and stays.",
    ),
    Bug(
        "B13", "a heap ba's refs are taken down in two steps", "ba-reachable", "mutation", ("backing",),
        programs.exits_of_layers,
        "P and C exit at the same time and share a ba. Both read two and write one: nobody frees it.",
    ),
    Bug(
        "B15", "fork does not make the parent's translations read-only", "oracle", "mutation", BOTH,
        programs.write_after_fork,
        "P writes a page, forks and writes it again, through the translation it had. The child reads the later value.",
    ),
    Bug(
        "B18", "ONEMAPPING stays when a fork shares an object", "frame-mapped", "DragonFly 6056eb53d2", BOTH,
        programs.unmap_shared,
        "P and C share an object. C unmaps a part of it: its pages are freed though P maps them.",
    ),
    Bug(
        "B19", "ONEMAPPING is set again when one reference is left", "one-mapping", "mutation", ("backing",),
        programs.share_a_list,
        "C and its child G share a list whose object P maps as well. P exits: one reference is left, that of the list, "
        "and through it two entries.",
    ),
    Bug(
        "B21", "faults walk without chain locks", "oracle", "DragonFly b12defdc61", ("chained",),
        programs.walk_against_collapse,
        "T1 has looked into L1, where the page is not, and waits for the token of L2, which T3 has. T2 collapses: the "
        "page moves from L2 up to L1. T1 does not find it in L2 either and maps zeroes.",
    ),
    Bug(
        "B22", "the chain lock of the last object of a walk is not released", "lock-order",
        "mutation, like DragonFly b59b553b70", ("chained",), programs.write_anonymous,
        "T1 faults and releases all chain locks but the one where the walk stopped. Then it asks for the map.",
    ),
    Bug(
        "B23", "EXCLREQ stays when the exclusive request is granted", "deadlock", "mutation", ("chained",),
        programs.fork_against_fault,
        "T1 faults with a share of the chain lock; P forks and waits for it exclusively: EXCLREQ. P gets and releases "
        "it, and the bit bars every later share for ever.",
    ),
    Bug(
        "B24", "a reference is added to an object whose chain is locked", "chain-referenced", "mutation", ("chained",),
        programs.fault_against_clip,
        "T1 faults and has the chain lock. T2 clips the entry and adds a reference without waiting for T1.",
    ),
    Bug(
        "B25", "fork divides or shares an object without its chain lock", "chain-referenced",
        "mutation, like FreeBSD r335171", ("chained",), programs.fork_against_fault,
        "T1 faults and reads with the chain lock held. P forks, does not ask for the chain lock and adds the child's "
        "reference to the object that T1 is about to put a page into.",
    ),
    Bug(
        "B26", "the last reference is dropped without a lock, and nobody ends the object", "leak",
        "mutation, like DragonFly 1f8fc82a8c", BOTH, programs.unmap_all,
        "T1 unmaps the only entry of an object and takes its reference count from one to zero as if others remained. "
        "The object and its pages stay for ever.",
    ),
    Bug(
        "B27", "a page is allocated with a shared token", "page-without-token", "mutation", BOTH,
        programs.write_anonymous,
        "T1 finds no page and allocates one without asking for the token exclusively; so may T2.",
    ),
    Bug(
        "B28", "pages are freed by who holds the object's token shared", "token-upgrade", "DragonFly 61dac052d2", BOTH,
        programs.unmap_part,
        "T1 unmaps with a shared token and frees a page, which asks for the same token exclusively: it waits for "
        "itself.",
    ),
    Bug(
        "B29", "the exchange of a shared token for an exclusive one is taken to be atomic", "page-identity", "mutation",
        BOTH, programs.two_writers,
        "T1 finds no page and exchanges its token. In between T2 inserts the page, maps it and writes. T1 inserts "
        "another one without a second look, and what T2 wrote is gone.",
    ),
    Bug(
        "B30", "a scan goes on with a page that it had to wait for", "free-page", "DragonFly 120ac5dd96", ("backing",),
        programs.fault_against_madvise,
        "T1 has a new page busy while it reads the one to be copied. P scans the object and waits for the page. T1 "
        "begins anew and frees it. P puts the free page on the inactive queue.",
    ),
    Bug(
        "B32", "WANTED is set without a second look at the busy bit", "deadlock", "DragonFly 41bf5974e2", BOTH,
        programs.two_readers,
        "T2 sees that a page is busy. T1 releases it and sees nobody waiting. T2 says that it waits, and sleeps for "
        "ever.",
    ),
    Bug(
        "B37", "MAPPED is cleared outside of the lock under which the last translation was removed", "page-flags",
        "DragonFly, part 12 of the series", BOTH, programs.map_against_unmap,
        "T2 removes the last translation of a file's page. T1 maps the page and sets MAPPED. T2 clears it.",
    ),
    Bug(
        "B42", "a wired entry's copy keeps the layers below while its pages are copied to index 0", "oracle",
        "inferred from 9de48ead", ("backing",), programs.fork_of_wired,
        "P writes and wires the second page of a private file mapping, then forks. The child looks at index 1 of its "
        "object, finds nothing, and reads the file's page below.",
        committed=True,
    ),
    Bug(
        "B44", "a hole is taken for a page when memory is given back", "page-queue",
        "DragonFly 1dcf1bc716, there in objects with swap", ("backing",), programs.free_with_hole,
        "P says that it does not need two pages any more, one of which never was there. The null reference is "
        "followed; here that leads to the unused start of the segment, and a queue counts a page that it has not.",
    ),
    Bug(
        "B50", "the map is locked shared once more while a page is read", "lock-recursion",
        "mutation, like DragonFly 10c39de26c", ("backing",), programs.fault_against_clip,
        "T1 has its share of the map and reads; the file system looks into the map itself. T2 has asked for the map in "
        "between, which bars new shares, and waits for T1's. The rule says so before they meet.",
    ),
    Bug(
        "B52", "an upgrade gives up and begins anew while others share the map", "step limit", "mutation", ("backing",),
        programs.upgrade_against_page_in,
        "T1 has its share of the map and reads. T2 has to change an entry, sees that it is not alone, gives its share "
        "back, looks the entry up again, and so on: it never says that it waits, so nothing lets it in.",
    ),
    Bug(
        "B63", "translations are removed before their pages are unwired", "frame-mapped", "DragonFly a51ba7a69d", BOTH,
        programs.exit_of_wired,
        "P wires a page and exits. Without a translation nobody knows that the page is to be unwired, and it is freed "
        "wired.",
    ),
    Bug(
        "B45", "a map is unlocked before the entry that was found in it is looked at", "guarded-by",
        "inferred from 9de48ead, where procfs does", BOTH, programs.advise_against_unmap,
        "T1 looks an entry up, unlocks the map and reads the entry's range and object. T2 unmaps it: the entry is "
        "free.",
        points=ACCESSES,
    ),
    Bug(
        "B64", "a token is kept when the way to the file has to begin anew", "token-lifo",
        "mutation, like DragonFly 552112a039", ("chained",), programs.walk_against_collapse_of_file,
        "T1 is on its way down the chain to lock the file, without chain locks. T2 collapses: the link that T1 "
        "followed has changed. T1 begins anew and keeps the token of the object that was below.",
    ),
    Bug(
        "B65", "tokens are released in another order than they were taken", "token-lifo", "mutation", BOTH,
        programs.read_third_layer,
        "T1 goes on from the second layer to the third and releases the second's token, with the third's on top.",
    ),
    Bug(
        "B69", "who drops the last hold of an object asks the object whether it is dead", "use-after-free",
        "found here: vm_object_drop without the token", BOTH, programs.unmaps_of_shared,
        "T1 has released the token and dropped its hold, the last. T2 takes a hold, drops the last reference, ends the "
        "object, drops its hold and frees the record. T1 reads the flags of the free record; or it reads them before, "
        "and both free it.",
        points=ACCESSES,
    ),
    Bug(
        "B70", "msync follows an object's link without token or chain lock", "guarded-by", "found here", ("chained",),
        programs.sync_private,
        "T1 reads which object is below that of an entry, holding only the map. A collapse by another space may change "
        "the link and free that object, whose type T1 reads next.",
        points=ACCESSES,
    ),
    Bug(
        "B71", "a layer's refs are read again after they were taken down", "double-free", "mutation", ("backing",),
        programs.unmaps_of_shared_list,
        "C and G share a layer and unmap it. Both take a pointer away, then both read that none is left, and both "
        "free it.",
    ),
    Bug(
        "B72", "a freed page's valid bits are cleared when it is on the free queue", "data-race", "mutation", BOTH,
        programs.write_what_was_freed,
        "P unmaps a page and puts its frame on the free queue. T1 takes it from there for a space of its own. P clears "
        "the bits, before T1 sets them or after: nothing orders the two.",
        points=ACCESSES, races=True,
    ),
)  # fmt: skip

BUGS = {bug.name: bug for bug in CATALOGUE}
