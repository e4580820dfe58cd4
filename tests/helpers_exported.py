"""A small recorded run whose every figure is worked out by hand, written as a run directory."""

import msgspec
import numpy as np

from vmconc.analysis.events import EVENT
from vmconc.locks.classes import EXCLUSIVE, PAGE_SPIN, SHARED, VM_MAP, VM_OBJECT
from vmconc.memory.ring import FOLDER, packed
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_BEGIN,
    STEP_END,
    STEP_RELEASE,
    STEP_TRIED,
    STEP_WAIT,
    STEP_WAITED,
)
from vmconc.vm.opcodes import FORK, TOUCH

MAP, TOKEN, SPIN = 0x1000, 0x2010, 0x3000
LOOKUP, FAULT_TOKEN, FORK_TOKEN = 11, 12, 13
NAMES = {MAP: "Vnode 0", TOKEN: "VmObject 0 token", SPIN: "VmPage 0"}
SITES = {LOOKUP: "lookup.shared", FAULT_TOKEN: "fault.token", FORK_TOKEN: "fork.token"}
TABLES = {
    name: {"first": first, "stride": 0x1000, "capacity": 1, "parts": {"0": "", "16": "token"}}
    for name, first in (("Vnode", MAP), ("VmObject", 0x2000), ("VmPage", SPIN))
}
S, X = SHARED, EXCLUSIVE

# Time in ticks, two to a nanosecond and the run begins at tick 1000; action, lock, number, class, mode, site.
CPU_0 = [
    (1000, STEP_BEGIN, 0, 0, TOUCH, 0, 5),
    (1020, STEP_ACQUIRE, MAP, 1, VM_MAP, S, LOOKUP),
    (1040, STEP_ACQUIRE, TOKEN, 1, VM_OBJECT, X, FAULT_TOKEN),
    (1240, STEP_RELEASE, MAP, 1, VM_MAP, S, 0),  # held for 110 ns, and given up before what was taken after it
    (1340, STEP_RELEASE, TOKEN, 1, VM_OBJECT, X, 0),  # 150 ns
    (1400, STEP_END, 0, 0, TOUCH, 0, 0),
]
CPU_1 = [
    (1100, STEP_BEGIN, 0, 0, FORK, 0, 6),
    (1140, STEP_WAIT, 0, 0, VM_OBJECT, X, 0),
    (1360, STEP_WAITED, 0, 0, VM_OBJECT, 0, 0),  # waited for 110 ns
    (1380, STEP_ACQUIRE, TOKEN, 2, VM_OBJECT, X, FORK_TOKEN),
    (1400, STEP_TRIED, SPIN, 1, PAGE_SPIN, X, FORK_TOKEN),
    (1420, STEP_RELEASE, SPIN, 1, PAGE_SPIN, X, 0),  # 10 ns
    (1440, STEP_RELEASE, TOKEN, 2, VM_OBJECT, X, 0),  # 30 ns
    (1480, STEP_ACQUIRE, MAP, 2, VM_MAP, S, LOOKUP),  # and kept
]


def write_story(path, cpus=(CPU_0, CPU_1), lost=0, machine_cpus=2):
    """Write the run directory and return it; without `machine_cpus` it is one of a program about locks."""
    (path / FOLDER).mkdir(parents=True)
    for cpu, rows in enumerate(cpus):
        events = [
            (t, lock, count, int(packed(action, cls, mode, at))) for t, action, lock, count, cls, mode, at in rows
        ]
        np.array(events, EVENT).tofile(path / FOLDER / f"cpu{cpu}")
    recording = {
        "events": [len(rows) for rows in cpus], "dropped": [lost], "unwritten": [0] * len(cpus),
        "ticks": (1000, 3000), "nanoseconds": (0, 1000), "sites": SITES, "tables": TABLES,
    }  # fmt: skip
    about = {"program": "story", "wall_seconds": 1e-6, "recording": recording}
    run = about | ({"protocol": "chained", "cpus": machine_cpus, "seed": 7} if machine_cpus else {"threads": 2})
    (path / "run.json").write_bytes(msgspec.json.encode(run))
    return path
