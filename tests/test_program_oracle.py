"""What reads must see, case by case; `test_program_agreement_of_models` tries the rest at random."""

import struct

from vmconc.program import PlanBuilder
from vmconc.program.plan import file_word
from vmconc.vm import opcodes as op

RW = op.PROT_READ | op.PROT_WRITE


def started(flags=0, file_pages=0):
    build = PlanBuilder("oracle")
    a = build.spawn()
    file = build.file("f", file_pages) if file_pages else -1
    build.mmap(a, 0x10000, 0x4000, RW, flags, file)
    return build, a


def last(build):
    """Return check, own and parent's value of the last operation."""
    row = build.finish().ops[-1]
    return int(row["check"]), int(row["expect_own"]), int(row["expect_parent"])


def test_the_childs_view_is_the_parents_at_the_fork():
    build, a = started()
    build.touch(a, 0x10000, write=True)  # stamp 3
    child = build.fork(a)
    build.touch(a, 0x10000, write=True)
    build.touch(child, 0x10000)
    assert last(build) == (op.CHECK_OWN | op.CHECK_PARENT, 0, 3)


def test_a_grandchild_sees_through_two_forks():
    build, a = started()
    child = build.fork(a)
    build.touch(child, 0x10000, write=True)  # stamp 4
    grandchild = build.fork(child)
    build.touch(grandchild, 0x10000)
    assert last(build) == (3, 0, 4)


def test_shared_memory_is_not_copied_and_the_parents_word_is_not_predicted():
    build, a = started(op.MAP_SHARED)
    child = build.fork(a)
    build.touch(child, 0x10000, write=True)
    build.touch(child, 0x10000)
    assert last(build) == (op.CHECK_OWN, 4, 0)


def test_a_private_file_page_shows_the_file_until_it_is_written():
    build, a = started(file_pages=2)
    build.touch(a, 0x11000, write=True)
    assert last(build)[:2] == (op.CHECK_OWN, file_word(0, 1, 0))
    build.touch(a, 0x11000)
    assert last(build)[:2] == (op.CHECK_OWN, 3)
    build.touch(a, 0x12000)  # beyond the end
    assert last(build)[:2] == (op.CHECK_OWN, 0)


def test_a_real_file_shows_its_bytes(tmp_path):
    file = tmp_path / "content"
    file.write_bytes(b"\0" * 4096 + struct.pack("<q", -5) + b"\1" * 3)
    build = PlanBuilder("real")
    a = build.spawn()
    build.mmap(a, 0, 8192, RW, 0, build.file("content", 2, str(file)))
    build.touch(a, 4096)
    assert last(build)[:2] == (op.CHECK_OWN, -5)
    b = build.fork(a)
    build.touch(b, 4096)  # word 1 ends behind the end of the file
    assert last(build) == (3, 0x010101, -5)


def test_unmapping_forgets_and_advice_does_not():
    build, a = started()
    build.touch(a, 0x10000, write=True)  # stamp 3
    build.madvise(a, 0x10000, 0x1000, op.ADVICE_DONTNEED)
    build.touch(a, 0x10000)
    assert last(build)[:2] == (op.CHECK_OWN, 3)
    build.munmap(a, 0x10000, 0x1000)
    build.touch(a, 0x10000)
    assert last(build)[0] == 0
    build.mmap(a, 0x10000, 0x1000, RW, 0)
    build.touch(a, 0x10000)
    assert last(build)[:2] == (op.CHECK_OWN, 0)


def test_mremap_moves_contents_and_adds_zero_pages():
    build, a = started()
    build.touch(a, 0x13000, write=True)  # stamp 3
    build.mremap(a, 0x12000, 0x2000, 0x90000, 0x4000)
    build.touch(a, 0x91000)
    assert last(build)[:2] == (op.CHECK_OWN, 3)
    build.touch(a, 0x92000)
    assert last(build)[:2] == (op.CHECK_OWN, 0)
    build.touch(a, 0x13000)
    assert last(build)[0] == 0


def test_a_stack_grows_to_8_mib_and_not_further():
    build = PlanBuilder("stack")
    a = build.spawn()
    top = 0x4000_0000
    build.mmap(a, top - 0x1000, 0x1000, RW, op.MAP_STACK)
    build.touch(a, top - (8 << 20), write=True)
    assert last(build)[:2] == (op.CHECK_OWN, 0)
    build.touch(a, top - (8 << 20) - 1)
    assert last(build)[0] == 0


def test_a_stack_grows_into_fresh_memory_also_where_it_was_before():
    build = PlanBuilder("stack")
    a = build.spawn()
    build.mmap(a, 0x40000, 0x1000, RW, op.MAP_STACK)
    build.touch(a, 0x3e000, write=True)
    build.munmap(a, 0x3e000, 0x1000)
    build.touch(a, 0x3e000)
    assert last(build)[:2] == (op.CHECK_OWN, 0)


def test_inheritance_none_and_share():
    build, a = started()
    build.touch(a, 0x10000, write=True)
    build.minherit(a, 0x10000, 0x1000, op.INHERIT_NONE)
    build.minherit(a, 0x11000, 0x1000, op.INHERIT_SHARE)
    child = build.fork(a)
    build.touch(child, 0x10000)
    assert last(build)[0] == 0
    build.touch(child, 0x11000, write=True)  # stamp 8
    build.touch(child, 0x11000)
    assert last(build) == (op.CHECK_OWN, 8, 0)


def test_the_parents_word_is_not_predicted_where_its_next_owner_lives(monkeypatch):
    monkeypatch.setattr("vmconc.program.builder.WORDS", 2)
    build, a = started()
    child = build.fork(a)
    build.touch(child, 0x10000)
    assert last(build)[0] == op.CHECK_OWN | op.CHECK_PARENT
    build.exit_(a)
    thread = build.vfork(child)  # takes the word of LWP 0 and may write before the touch above
    build.touch(thread, 0x10000, write=True)
    assert build.finish().ops["check"][3] == op.CHECK_OWN


def test_exec_starts_afresh():
    build, a = started()
    build.touch(a, 0x10000, write=True)
    child = build.fork(a)
    build.exec_(child)
    build.mmap(child, 0x10000, 0x1000, RW, 0)
    build.touch(child, 0x10000)
    assert last(build) == (3, 0, 0)


def test_a_forbidden_write_changes_nothing():
    build, a = started()
    build.mprotect(a, 0x10000, 0x1000, op.PROT_READ)
    build.touch(a, 0x10000, write=True)
    assert last(build)[0] == 0
    build.touch(a, 0x10000)
    assert last(build)[:2] == (op.CHECK_OWN, 0)
