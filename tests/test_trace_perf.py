"""The importer of perf's text: real traces as wholes, and each record's meaning in small ones."""

import gzip
from pathlib import Path

import pytest

from vmconc.traces import TraceError, open_trace
from vmconc.vm import opcodes as op

DATA = Path(__file__).parent / "data"
START = [
    "sh 10/10 [000] 1.0: PERF_RECORD_COMM exec: sh:10/10",
    "sh 10/10 [000] 1.0: PERF_RECORD_MMAP2 10/10: [0x7ffc730f3000(0x21000) @ 0x7ffffffde000 00:00 0 0]: rw-p [stack]",
    "sh 10/10 [000] 1.0: PERF_RECORD_MMAP2 10/10: [0x400000(0x4000) @ 0x1000 fe:00 26 0]: r-xp /usr/bin/dash",
    "sh 10/10 [000] 1.0: syscalls:sys_exit_execve: 0x0",
]


def fault(address, code=0x6, ids="10/10", kind="user"):
    event = f"exceptions:page_fault_{kind}: address={address:#x} ip=elf_load error_code={code:#x}"
    return f"a b [c] {ids} [001] 2.0: {event}"


def call(name, args, result, between=(), ids="10/10"):
    return [f"sh {ids} [000] 2.0: syscalls:sys_enter_{name}: {args}", *between,
            f"sh {ids} [000] 2.0: syscalls:sys_exit_{name}: {result:#x}"]  # fmt: skip


def plan_of(tmp_path, *lines, skip_bad=False, end="\n"):
    file = tmp_path / "small.txt"
    file.write_text("\n".join([*START, *lines]) + end)
    return open_trace(file, skip_bad)


def kinds(plan):
    return [op.KIND_NAMES[kind] for kind in plan.ops["kind"].tolist()]


def rows(plan, kind):
    return plan.ops[plan.ops["kind"] == kind]


@pytest.mark.parametrize(
    ("name", "touches", "lwps", "forks", "vforks", "execs"),
    [("sh-pipeline", 1405 + 78, 14, 11, 2, 13), ("python-numpy", 5683 + 558, 2, 0, 1, 0)],
)
def test_real_traces_are_read_whole(name, touches, lwps, forks, vforks, execs):
    plan = open_trace(DATA / f"{name}.perf.txt.gz")
    counts = {kind: kinds(plan).count(kind) for kind in ("touch", "fork", "vfork", "exec", "exit")}
    assert counts == {"touch": touches, "fork": forks, "vfork": vforks, "exec": execs, "exit": lwps}
    assert plan.skipped == {} and plan.name == name
    assert (rows(plan, op.TOUCH)["check"] & op.CHECK_OWN).all()
    assert (rows(plan, op.TOUCH)["recorded"] > 0).all()


def test_an_exec_maps_what_its_records_say_and_the_stack_grows(tmp_path):
    plan = plan_of(tmp_path, fault(0x401000, 0x14), fault(0x7ffc730f0000))
    assert kinds(plan) == ["spawn", "mmap", "mmap", "touch", "touch", "exit"]
    stack, text = rows(plan, op.MMAP)
    assert stack["flags"] == op.MAP_ANON | op.MAP_STACK
    assert (text["file"], text["offset"], text["prot"]) == (0, 0x1000, op.PROT_READ | op.PROT_EXEC)
    assert plan.files[0].name == "/usr/bin/dash" and plan.files[0].pages == 5
    assert rows(plan, op.TOUCH)["recorded"].tolist() == [op.RECORDED_FILE, op.RECORDED_ZERO]


def test_the_call_says_the_range_and_the_record_the_file(tmp_path):
    record = "sh 10/10 [000] 2.0: PERF_RECORD_MMAP2 10/10: [0x4f0000(0x30000) @ 0 fe:00 26 0]: rw-p /usr/bin/dash"
    args = "addr: 0x00000000, len: 0x00001be7, prot: 0x00000003, flags: 0x00000002, fd: 0x00000003, off: 0x00010000"
    plan = plan_of(tmp_path, *call("mmap", args, 0x500000, [record]), fault(0x501000), fault(0x501000, 0x7))
    row = rows(plan, op.MMAP)[-1]
    assert (row["va"], row["length"], row["file"], row["offset"]) == (0x500000, 0x2000, 0, 0x10000)
    assert rows(plan, op.TOUCH)["recorded"].tolist() == [op.RECORDED_FILE_COPY, op.RECORDED_COPY]


def test_failed_calls_change_nothing(tmp_path):
    args = "addr: 0x0, len: 0x1000, prot: 0x3, flags: 0x22, fd: 0xffffffff, off: 0x0"
    failed = call("mmap", args, (1 << 64) - 12)
    failed += call("mprotect", "start: 0x400000, len: 0x1000, prot: 0x3", (1 << 64) - 13)
    assert kinds(plan_of(tmp_path, *failed, fault(0x400000, 4))) == ["spawn", "mmap", "mmap", "touch", "exit"]


def test_brk_starts_where_the_first_call_says(tmp_path):
    lines = [line for end in (0x900000, 0x921000, 0x911000) for line in call("brk", "brk: 0x00000000", end)]
    grow, shrink = rows(plan_of(tmp_path, *lines, fault(0x900000)), op.BRK)
    assert (grow["va"], grow["length"]) == (0x900000, 0x21000)
    assert (shrink["va"], shrink["length"]) == (0x921000, -0x10000)


def test_the_other_calls(tmp_path):
    lines = [
        *call("mremap", "addr: 0x400000, old_len: 0x1000, new_len: 0x2000, flags: 0x1, new_addr: 0x0", 0x800000),
        "sh 10/10 [000] 2.0: syscalls:sys_enter_madvise: start: 0x800000, len_in: 0x1000, behavior: 0x4",
        "sh 10/10 [000] 2.0: syscalls:sys_enter_madvise: start: 0x800000, len_in: 0x1000, behavior: 0xa",
        "sh 10/10 [000] 2.0: syscalls:sys_enter_msync: start: 0x800000, len: 0x1000, flags: 0x4",
        "sh 10/10 [000] 2.0: syscalls:sys_enter_mlock: start: 0x800000, len: 0x1000",
        *call("shmat", "shmid: 0x1, shmaddr: 0x0, shmflg: 0x0", 0xA00000, [
            "sh 10/10 [0] 2.0: PERF_RECORD_MMAP2 10/10: [0xa00000(0x2000) @ 0 00:01 7 0]: rw-s /SYSV00000000"]),
        fault(0xA01000),
        "sh 10/10 [000] 2.0: syscalls:sys_enter_shmdt: shmaddr: 0xa00000",
    ]  # fmt: skip
    plan = plan_of(tmp_path, *lines)
    assert kinds(plan)[3:-1] == ["mremap", "madvise", "minherit", "msync", "mlock", "mmap", "touch", "munmap"]
    assert rows(plan, op.MUNMAP)["length"].tolist() == [0x2000]
    assert rows(plan, op.TOUCH)["recorded"].tolist() == [op.RECORDED_SHARED]


@pytest.mark.parametrize(
    ("enter", "child", "kind", "suspend"),
    [
        (["sh 10/10 [0] 2.0: syscalls:sys_enter_vfork: "], "11:11", op.VFORK, 1),
        (["sh 10/10 [0] 2.0: syscalls:sys_enter_clone3: uargs: 0x7ffd, size: 0x58"], "11:11", op.VFORK, 1),
        (["sh 10/10 [0] 2.0: syscalls:sys_enter_clone3: uargs: 0x7ffd, size: 0x58"], "10:11", op.VFORK, 0),
        (["sh 10/10 [0] 2.0: syscalls:sys_enter_clone: clone_flags: 0x100, newsp: 0x0"], "11:11", op.VFORK, 0),
        (["sh 10/10 [0] 2.0: syscalls:sys_enter_clone: clone_flags: 0x4100, newsp: 0x0"], "11:11", op.VFORK, 1),
        (["sh 10/10 [0] 2.0: syscalls:sys_enter_clone: clone_flags: 0x1200011, newsp: 0x0"], "11:11", op.FORK, 0),
        ([], "11:11", op.FORK, 0),
    ],
)
def test_who_shares_the_space(tmp_path, enter, child, kind, suspend):
    fork = f"sh 10/10 [0] 2.0: PERF_RECORD_FORK({child}):(10:10)"
    plan = plan_of(tmp_path, *enter, fork, fault(0x400000, 4, "11/11"))
    start = plan.ops[plan.ops["target"] == 1][0]
    assert (start["kind"], start["flags"]) == (kind, suspend)


def test_a_parent_that_is_seen_before_its_childs_exec_record_moves_the_exec_forward(tmp_path):
    plan = plan_of(
        tmp_path,
        "sh 10/10 [0] 2.0: syscalls:sys_enter_vfork: ",
        "sh 10/10 [0] 2.0: PERF_RECORD_FORK(11:11):(10:10)",
        fault(0x400000, 4),  # the parent cannot have run yet: left out
        "sh 11/11 [0] 2.0: syscalls:sys_enter_execve: filename: 0x1, argv: 0x2, envp: 0x3",
        fault(0x400000, 4),
        "ls 11/11 [0] 2.0: PERF_RECORD_COMM exec: ls:11/11",
        "ls 11/11 [0] 2.0: syscalls:sys_exit_execve: 0x0",
    )
    assert kinds(plan)[3:] == ["vfork", "exec", "touch", "exit", "exit"]
    assert plan.skipped == {"event of a parent suspended in vfork": 1}


def test_faults_that_hit_nothing(tmp_path):
    faults = fault(0x400000, 4), fault(0x100, 4), fault(0x200, 0, kind="kernel"), fault(0x400000, 7)
    plan = plan_of(tmp_path, *faults)
    assert plan.skipped == {"user fault outside every mapping": 1, "user fault that the mapping forbids": 1}
    assert rows(plan, op.TOUCH)["flags"].tolist() == [0, op.TOUCH_KERNEL]
    assert rows(plan, op.TOUCH)["check"].tolist() == [op.CHECK_OWN, 0]


BAD = [
    ("rubbish", "not a line of perf script"),
    ("sh 10 [0] 2.0: PERF_RECORD_COMM: x:10/10", "not a line of perf script"),
    ("sh 10/10 [0] 2.0: exceptions:page_fault_user: address=0x40", "cannot read this record"),
    ("sh 10/10 [0] 2.0: exceptions:page_fault_user: address=0xzz ip=0x1 error_code=0x4", "cannot read this record"),
    ("sh 10/10 [0] 2.0: PERF_RECORD_MMAP2 10/10: [0x1000(0x1000)", "cannot read this record"),
    ("sh 10/10 [0] 2.0: PERF_RECORD_FORK(x:11):(10:10)", "expected PID:TID, found 'x:11'"),
    ("sh 10/10 [0] 2.0: syscalls:sys_exit_brk: what", "cannot read this record"),
    ("sh 10/10 [0] 2.0: syscalls:sys_enter_munmap: addr: 0x1000, len: 0x0", "impossible operation: munmap of LWP 0"),
]


@pytest.mark.parametrize(("line", "reason"), BAD)
def test_a_bad_line_is_named(tmp_path, line, reason):
    with pytest.raises(TraceError) as caught:
        plan_of(tmp_path, fault(0x400000, 4), line)
    assert str(caught.value).startswith(f"{tmp_path}/small.txt:6: {reason}") and "\n" not in str(caught.value)


def test_bad_lines_can_be_skipped_and_are_counted(tmp_path):
    plan = plan_of(tmp_path, fault(0x400000, 4), *(line for line, _ in BAD), fault(0x400000, 4), skip_bad=True)
    assert len(rows(plan, op.TOUCH)) == 2 and sum(plan.skipped.values()) == len(BAD)


def test_a_cut_off_last_line_is_an_error(tmp_path):
    with pytest.raises(TraceError, match=r"small.txt:6: truncated or damaged file: the last line is cut off"):
        plan_of(tmp_path, fault(0x400000, 4), fault(0x400000, 0x1), end="")


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_gzip_file_is_an_error(tmp_path, damage):
    data = bytearray((DATA / "sh-pipeline.perf.txt.gz").read_bytes())
    if damage == "cut":
        del data[20_000:]
    else:
        data[20_000] ^= 0x55
    file = tmp_path / "bad.gz"
    file.write_bytes(data)
    with pytest.raises(TraceError, match=r"bad.gz:\d+: "):
        open_trace(file)
    assert len(open_trace(file, skip_bad=True).ops) > 100


def test_a_file_without_faults_is_an_error(tmp_path):
    with pytest.raises(TraceError, match="no page fault in the whole file"):
        plan_of(tmp_path)
    (tmp_path / "empty.gz").write_bytes(gzip.compress(b""))
    with pytest.raises(TraceError, match=r"empty.gz:1: no page fault"):
        open_trace(tmp_path / "empty.gz")


def test_perf_data_is_read_by_perf_or_the_way_out_is_named(tmp_path, monkeypatch):
    file = tmp_path / "x.data"
    file.write_bytes(b"PERFILE2" + b"\0" * 100)
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(TraceError, match=r"needs perf; on the machine that has it run: perf script -i x\.data"):
        open_trace(file)


def test_a_missing_trace_is_named(tmp_path):
    with pytest.raises(TraceError, match="did you mean 'sh-pipeline'"):
        open_trace("sh-pipelin")
    with pytest.raises(TraceError, match="is a directory"):
        open_trace(tmp_path)
