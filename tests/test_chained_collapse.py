"""How `chained` keeps chains short: each way is reached, loses nothing, and is left alone where it must not go."""

import pytest
from conftest import orders
from helpers_chained import (
    BASE,
    HERE,
    PAGE,
    PAGES,
    RW,
    SHIFT,
    Chain,
    busy_until_wanted,
    collapse_now,
    collapse_when_busy,
    depths,
    free_page,
    objects,
    page_of,
    put_page,
)
from helpers_machine import Machine

from vmconc.checks.violations import inline_violations
from vmconc.locks.busy import soft_try
from vmconc.locks.pip import pip_add, pip_wakeup
from vmconc.program import PlanBuilder
from vmconc.vm import opcodes as op
from vmconc.vm.structs import OBJ_ONEMAPPING

FIRST = {0: [2, 5], 1: [3, 5, 7], 2: [2, 7, 9]}  # indices at the front of the pages of each layer


def chain_of(types="DDD", layers=FIRST, cpus=1):
    """Return a chain with pages at these indices, counted at the front; page i of layer k holds 100 k + i."""
    chain = Chain(types, cpus=cpus)
    for layer, indices in layers.items():
        for index in indices:
            put_page(chain.cpu, chain.objects[layer], index + layer * SHIFT, 100 * layer + index)
    return chain


def seen(chain, object=None) -> dict[int, int]:
    """Return what each index of the front shows: the first word of the page that a walk down the chain finds."""
    found = {}
    frames = chain.machine.segment.frames()
    for index in range(1, PAGES):
        layer, at = object or chain.entry.object, index
        while layer:
            page = page_of(layer, at)
            if page:
                found[index] = int(frames[(page.frame - chain.machine.segment.machine.pool) // PAGE][0])
                break
            at += layer.backing_offset
            layer = layer.backing_object
    return found


SHOWN = {2: 2, 5: 5, 3: 103, 7: 107, 9: 209}


@pytest.mark.parametrize("shared", [False, True])
def test_a_page_that_is_soft_busy_is_not_freed(shared):
    """Its owner must have waited for those who share it (invariant 30)."""
    chain = Chain("D", resident=[0])
    page = page_of(chain.objects[0], chain.index)
    if shared:
        soft_try(chain.cpu, page.busy, HERE)
    free_page(chain.cpu, chain.objects[0], page)
    found = [violation["rule"] for violation in inline_violations(chain.machine.segment)]
    assert found == (["frame-mapped"] if shared else [])


def test_collapse_takes_over_all_layers():
    """Nobody else refers to them: one object is left, with every page that could be seen, and the others are freed."""
    chain = chain_of()
    below = chain.objects[1:]
    assert seen(chain) == SHOWN
    collapse_now(chain.cpu, chain.entry.object)
    assert seen(chain) == SHOWN and not chain.entry.object.backing_object
    assert [object.life & 1 for object in below] == [0, 0] and len(objects(chain.machine)) == 1
    assert chain.machine.event("collapses") == 2 and chain.machine.event("renames") == 3
    assert chain.entry.object.resident_page_count == len(SHOWN) + 1
    assert chain.machine.check() == []


def test_collapse_frees_what_lies_out_of_reach():
    """Pages before and behind the part that the object above shows."""
    chain = chain_of("DD", {1: [4]})
    put_page(chain.cpu, chain.objects[1], 0, 1)
    put_page(chain.cpu, chain.objects[1], PAGES + SHIFT, 2)
    free = chain.machine.event("page_free")
    collapse_now(chain.cpu, chain.entry.object)
    assert seen(chain) == {4: 104} and chain.machine.event("page_free") == free + 2
    assert chain.machine.check() == []


def test_collapse_stops_at_a_file():
    """The file stays below, at the offset that both steps add up to."""
    chain = chain_of("DDV", {0: [2], 1: [3]})
    collapse_now(chain.cpu, chain.entry.object)
    front = chain.entry.object
    assert front.backing_object == chain.objects[2] and front.backing_offset == 2 * SHIFT
    assert chain.machine.event("collapses") == 1 and chain.machine.check() == []


def test_collapse_waits_for_a_busy_page():
    """It sleeps, with the token lost, and goes on."""
    chain = chain_of(cpus=2)
    page, other = page_of(chain.objects[1], 3 + SHIFT), chain.machine.segment.nth("Cpu", 1)
    collapsing = collapse_when_busy, chain.cpu, chain.entry.object, page
    for _ in orders(chain.machine.segment, collapsing, (busy_until_wanted, other, page, chain.cpu)):
        assert seen(chain) == SHOWN and chain.machine.event("collapses") == 2
        assert chain.cpu.tokens_lost > 0 and chain.machine.broken() == []


def test_paging_in_progress_allows_only_moves():
    """qcollapse: pages go up, but the object below lives on until nobody pages there."""
    chain = chain_of()
    pip_add(chain.cpu, chain.objects[1].pip, 0)
    collapse_now(chain.cpu, chain.entry.object)
    assert seen(chain) == SHOWN and chain.machine.event("collapses") == 0
    assert chain.entry.object.backing_object == chain.objects[1] and chain.objects[1].resident_page_count == 0
    assert chain.machine.event("renames") == 2 and chain.objects[2].resident_page_count == 3
    pip_wakeup(chain.cpu, chain.objects[1].pip)
    collapse_now(chain.cpu, chain.entry.object)
    assert seen(chain) == SHOWN and chain.machine.event("collapses") == 2 and chain.machine.check() == []


def test_moves_while_paging_pass_busy_pages_by():
    """Without sleeping."""
    chain = chain_of()
    page = page_of(chain.objects[1], 3 + SHIFT)
    page.busy.word = 0x80000000
    pip_add(chain.cpu, chain.objects[1].pip, 0)
    collapse_now(chain.cpu, chain.entry.object)
    assert seen(chain) == SHOWN and page.object == chain.objects[1] and chain.objects[1].resident_page_count == 1
    page.busy.word = 0
    pip_wakeup(chain.cpu, chain.objects[1].pip)


def test_nothing_moves_from_an_object_that_others_use_and_page_in():
    """Neither collapse, nor bypass, nor qcollapse."""
    chain = chain_of()
    chain.objects[1].ref_count += 1
    pip_add(chain.cpu, chain.objects[1].pip, 0)
    collapse_now(chain.cpu, chain.entry.object)
    assert chain.machine.event("renames") == 0 and chain.entry.object.backing_object == chain.objects[1]
    pip_wakeup(chain.cpu, chain.objects[1].pip)


def test_bypass_of_what_is_hidden():
    """An object that others use, too, but of which nothing can be seen here."""
    layers = {0: [2, 5], 1: [2, 5], 2: [4, 5]}
    chain = chain_of(layers=layers)
    front, middle, bottom = chain.objects
    put_page(chain.cpu, middle, 0, 7)  # out of reach
    middle.ref_count += 1
    before, middles = seen(chain), seen(chain, middle)
    collapse_now(chain.cpu, front)
    assert chain.machine.event("bypasses") == 1 and chain.machine.event("collapses") == 0
    assert front.backing_object == bottom and front.backing_offset == 2 * SHIFT
    assert (middle.ref_count, bottom.ref_count) == (1, 2) and middle.backing_object == bottom
    assert seen(chain) == before and seen(chain, middle) == middles


@pytest.mark.parametrize("layers", [{0: [2], 1: [2, 5], 2: []}, {0: [], 1: [], 2: [3]}])
def test_no_bypass_of_what_is_seen(layers):
    """One page in reach is enough; and of none at all the object below the one passed by is seen."""
    chain = chain_of(layers=layers)
    front, middle, bottom = chain.objects
    middle.ref_count += 1
    collapse_now(chain.cpu, front)
    hidden = not layers[1]
    assert chain.machine.event("bypasses") == hidden
    assert front.backing_object == (bottom if hidden else middle)


def test_no_bypass_of_a_mapped_page_after_sharing():
    """If the front was ever shared, somebody may map through it what another has copied up: it must stay in reach."""
    chain = chain_of(layers={0: [], 1: [], 2: []})
    front, middle, _ = chain.objects
    put_page(chain.cpu, middle, chain.index + SHIFT, 55)
    assert chain.fault(write=False) and chain.word() == 55
    put_page(chain.cpu, front, chain.index, 56)
    middle.ref_count += 1
    front.flags &= ~OBJ_ONEMAPPING
    collapse_now(chain.cpu, front)
    assert chain.machine.event("bypasses") == 0 and front.backing_object == middle
    front.flags |= OBJ_ONEMAPPING
    collapse_now(chain.cpu, front)
    assert chain.machine.event("bypasses") == 2 and chain.machine.broken() == []


def test_collapse_leaves_a_mapped_page_where_it_is():
    """It could only be freed, and may not: the chain stays one longer until the translation is gone."""
    chain = chain_of(layers={0: [2], 1: [4], 2: []})
    front, middle, _ = chain.objects
    put_page(chain.cpu, middle, chain.index + SHIFT, 55)
    assert chain.fault(write=False) and chain.word() == 55
    put_page(chain.cpu, front, chain.index, 56)
    collapse_now(chain.cpu, front)
    assert chain.machine.event("collapses") == 0 and middle.resident_page_count == 1
    assert seen(chain) == {2: 2, 3: 56, 4: 104} and chain.machine.broken() == []


def test_a_mapped_page_that_moves_stays_mapped():
    """Its translation leads to the same frame, which the front object has now."""
    chain = Chain("DD", resident=[1])
    chain.fault(write=False)
    collapse_now(chain.cpu, chain.entry.object)
    assert chain.word() == 1001 and chain.machine.event("collapses") == 1 and chain.machine.check() == []


def shared_over_chain(exits: bool):
    """Return a plan in which two spaces share an object with another below it, from which one maps a page."""
    build = PlanBuilder("shared")
    parent = build.spawn()
    build.mmap(parent, BASE, 4 * PAGE, RW, 0)
    for page in range(4):
        build.touch(parent, BASE + page * PAGE, write=True)
    older = build.fork(parent)
    build.touch(older, BASE)
    build.minherit(parent, BASE, 4 * PAGE, op.INHERIT_SHARE)
    sharer = build.fork(parent)
    build.touch(sharer, BASE)
    if exits:
        build.exit_(older)
    for page in range(4):
        build.touch(parent, BASE + page * PAGE, write=True)
    build.minherit(parent, BASE, 4 * PAGE, op.INHERIT_COPY)
    copy = build.fork(parent)
    for lwp in (copy, parent, sharer):
        build.touch(lwp, BASE + PAGE, write=True)
    for lwp in (copy, parent, sharer) if exits else (older, copy, parent, sharer):
        build.exit_(lwp)
    return build.finish()


@pytest.mark.parametrize("exits", [True, False])
def test_sharers_of_a_chain(exits):
    """A page below a shared object stays mapped in one space after the other copied it up: it is not freed early."""
    machine = Machine(shared_over_chain(exits), "chained").run()
    assert machine.check() == [] and objects(machine) == []


def clipped_plan(generations: int):
    """Return a plan in which an object extends over several entries when its process forks."""
    build = PlanBuilder("clipped")
    lwp = build.spawn()
    build.mmap(lwp, BASE, 9 * PAGE, RW, 0)
    for generation in range(generations):
        for page in range(0, 9, 1 + generation):
            build.touch(lwp, BASE + page * PAGE, write=True)
        build.mprotect(lwp, BASE + 3 * PAGE, 3 * PAGE, op.PROT_READ)
        child = build.fork(lwp)
        for one in (lwp, child):
            for page in range(9):
                build.touch(one, BASE + page * PAGE, write=page not in (3, 4, 5) and page % 2 == generation % 2)
        build.mprotect(lwp, BASE + 3 * PAGE, 3 * PAGE, RW)
    return build.finish()


def test_split_at_fork():
    """Each entry gets an object of its own, the last keeps the old one; everybody sees what he saw."""
    machine = Machine(clipped_plan(1), "chained").run()
    assert machine.check() == [] and machine.event("splits") == 2 and machine.event("renames") == 6


def test_split_above_a_chain():
    """Objects that are split stand in front of the same object below, at different offsets."""
    machine = Machine(clipped_plan(3), "chained").run()
    assert machine.check() == [] and machine.event("splits") >= 2


def generations(count: int, keep: bool, part: int):
    """Return a plan in which each process writes one in `part` pages and forks the next."""
    build = PlanBuilder("generations")
    lwp = build.spawn()
    build.mmap(lwp, BASE, 8 * PAGE, RW, 0)
    for page in range(8):
        build.touch(lwp, BASE + page * PAGE, write=True)
    for generation in range(count):
        older, lwp = lwp, build.fork(lwp)
        for page in range(generation % part, 8, part):
            build.touch(lwp, BASE + page * PAGE, write=True)
        if not keep:
            build.exit_(older)
        for page in range(8):
            build.touch(lwp, BASE + page * PAGE)
    return build.finish()


def test_recursive_forks_stay_shallow_when_ancestors_exit():
    """What an ancestor leaves is collapsed at the next fork."""
    machine = Machine(generations(12, keep=False, part=3), "chained").run()
    assert machine.check() == [] and max(depths(machine)) <= 1 and machine.event("collapses") >= 10


def test_recursive_forks_stay_shallow_when_all_is_written():
    """Then every ancestor is bypassed."""
    machine = Machine(generations(12, keep=True, part=1), "chained").run()
    assert machine.check() == [] and max(depths(machine)) <= 1 and machine.event("bypasses") >= 10


def test_recursive_forks_grow_when_ancestors_stay():
    """Nothing can be collapsed: one layer more for each generation."""
    machine = Machine(generations(12, keep=True, part=3), "chained").run()
    assert machine.check() == [] and max(depths(machine)) == 12


def fan(children: int, part: int, exits: bool):
    """Return a plan in which one process forks many and writes one in `part` pages after each fork."""
    build = PlanBuilder("fan")
    parent, young = build.spawn(), []
    build.mmap(parent, BASE, 8 * PAGE, RW, 0)
    for number in range(children):
        for page in range(number % part, 8, part):
            build.touch(parent, BASE + page * PAGE, write=True)
        young.append(build.fork(parent))
        build.touch(young[-1], BASE, write=True)
    if exits:
        for child in young:
            build.exit_(child)
    build.fork(parent)
    return build.finish()


@pytest.mark.parametrize(("part", "exits", "deepest"), [(1, False, 1), (2, True, 1)])
def test_fans_stay_shallow(part, exits, deepest):
    """Written through, each older front is bypassed; with the children gone, all is collapsed at the next fork."""
    machine = Machine(fan(10, part, exits), "chained").run()
    assert machine.check() == [] and max(depths(machine)) <= deepest


def test_fan_grows_while_children_see_the_rest():
    """Half written, children alive: nothing can go."""
    machine = Machine(fan(10, 2, False), "chained").run()
    assert machine.check() == [] and max(depths(machine)) >= 8


def test_exit_takes_a_deep_chain_down():
    """Without recursion: the reference to the next object is dropped in turn."""
    chain = chain_of("D" * 60, {layer: [layer % PAGES] for layer in range(1, 60) if layer % PAGES})
    from vmconc.vm.space import space_release

    space_release(chain.cpu, chain.space)
    chain.machine.segment.nth("Lwp", 0).space = type(chain.space)(chain.space.memory, 0, chain.space.build)
    assert objects(chain.machine) == [] and chain.machine.check() == []
