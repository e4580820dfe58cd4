"""Machines for tests: a plan laid out in a small segment, its CPUs and a disk run as `conftest.orders` runs bodies.

With the JIT off all take turns in this process; else each CPU and the disk are processes.
"""

import errno
import os
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from conftest import MODE, orders
from helpers_turns import turn_tables

from vmconc.checks.quiescent import check_quiescent
from vmconc.locks.cpu import STATE_DONE
from vmconc.locks.rules import RULES
from vmconc.locks.sleep import FOREVER
from vmconc.memory.build import Build
from vmconc.memory.segment import create
from vmconc.program.plan import file_word
from vmconc.protocols import load_protocol
from vmconc.vm.boot import MachineOptions, boot, sizes_for
from vmconc.vm.disk import READ, WRITE, disk_complete, disk_wait
from vmconc.vm.events import EVENT_NAMES, RETRY_NAMES
from vmconc.vm.run import run_cpu

EVENTS = {name: number for number, name in EVENT_NAMES.items()}
RETRIES = {name: number for number, name in RETRY_NAMES.items()}
SMALL = {"frames": 2048, "objects": 512, "entries": 2048, "map_entries": 128, "spaces": 64, "backings": 1024,
         "page_tables": 512, "radix_nodes": 1024, "requests": 32}  # fmt: skip


class FakeDisk:
    """Made-up files, what is written to them, and which transfers fail with EIO; known to the test's process too."""

    def __init__(self, errors=0, every=0):
        self.errors = errors  # so many transfers fail, then all go well; -1: all fail
        self.every, self.asked = every, 0  # each `every`th transfer fails
        self.log, self.store = os.memfd_create("log"), os.memfd_create("store")

    def __del__(self):
        os.close(self.log)
        os.close(self.store)

    @property
    def served(self) -> list[tuple[int, int, int]]:
        """List (kind, file, page) of every transfer that went well."""
        return [tuple(row) for row in np.frombuffer(os.pread(self.log, 1 << 24, 0), np.int64).reshape(-1, 3).tolist()]

    def content(self, file: int, page: int) -> np.ndarray:
        """Return the words of a page of a file as it is now."""
        if (WRITE, file, page) in self.served:
            return np.frombuffer(os.pread(self.store, 4096, (file * 4096 + page) * 4096), np.int64)
        return np.array([file_word(file, page, word) for word in range(512)])

    def transfer(self, segment, request: int) -> int:
        """Move one page; return 0 or an errno."""
        record = segment.ref("IoRequest", request)
        kind, file, page, frame = record.kind, record.file, record.page, record.frame
        self.asked += 1
        if self.errors or (self.every and self.asked % self.every == 0):
            self.errors -= self.errors != 0
            return errno.EIO
        words = np.frombuffer(segment.map, np.int64, 512, frame)
        if kind == READ:
            words[:] = self.content(file, page)
        else:
            os.pwrite(self.store, words.tobytes(), (file * 4096 + page) * 4096)
        os.write(self.log, np.array([kind, file, page]).tobytes())
        return 0

    def serve(self, cpu, segment) -> int:
        """Be the disk: serve requests until every CPU is done; return 0."""
        machine, patience = segment.machine, FOREVER if MODE == "controlled" else 0
        while machine.stop == 0 and any(segment.nth("Cpu", i).state != STATE_DONE for i in range(machine.cpus)):
            request = disk_wait(cpu, patience)
            if request:
                disk_complete(cpu, request, self.transfer(segment, request))
            else:
                os.sched_yield()
        return 0


class Machine:
    """A booted machine and what a test asks of it."""

    def __init__(self, plan, protocol, cpus=1, disk=None, **options):
        load_protocol(protocol)
        self.plan, self.protocol, self.cpus, self.disk = plan, protocol, cpus, disk or FakeDisk()
        wanted = MachineOptions(**{**SMALL, **options})
        sizes = sizes_for(plan, wanted, cpus)
        if MODE == "controlled":
            sizes = replace(sizes, tables=sizes.tables | turn_tables(cpus + 1))
        self.segment = create(sizes, Build(MODE, protocol), cpus=cpus, seed=wanted.seed)
        self.segment.table("Scheduler").capacity = 0
        boot(self.segment, plan, wanted, cpus)
        self.machine = self.segment.machine
        self.serve = self.disk.serve, self.segment.nth("Cpu", cpus), self.segment

    def run(self, seconds=60) -> "Machine":
        """Run the plan to its end."""
        return next(self.orders(1, seconds))

    def orders(self, count, seconds=60) -> Iterator["Machine"]:
        """Run the plan to its end, once on real CPUs, else in so many orders at random; the disk keeps its state."""
        self.machine.go = 1
        if MODE != "controlled":  # compile before the fork, or every process does
            disk = self.segment.nth("Cpu", self.cpus)
            disk_wait(disk, 0)
            disk_complete.compile(tuple(disk_complete.typeof_pyval(value) for value in (disk, 0, 0)))
        bodies = [(run_cpu, self.segment.nth("Cpu", i)) for i in range(self.cpus)]
        for _ in orders(self.segment, *bodies, self.serve, count=count, seconds=seconds):
            yield self

    def broken(self) -> list[str]:
        """Name the rules that CPUs found broken, first first."""
        kept = min(self.machine.violations, 64)
        return [RULES[int(rule)][0] for rule in self.segment.view("Violation")["rule"][:kept]]

    def check(self) -> list[str]:
        """Return the texts of everything that is wrong now."""
        return self.broken() + [found["text"] for found in check_quiescent(self.segment, self.protocol)]

    def rules(self) -> set[str]:
        """Return the rules that the quiescent state breaks."""
        return {found["rule"] for found in check_quiescent(self.segment, self.protocol)}

    def event(self, name: str) -> int:
        """Return a count of events over all CPUs."""
        return int(self.segment.view("Cpu")["events"][: self.cpus, EVENTS[name]].sum())

    def retried(self, name: str) -> int:
        """Return a count of retries over all CPUs."""
        return int(self.segment.view("Cpu")["retries"][: self.cpus, RETRIES[name]].sum())

    def counted(self, cls: int, column: int) -> int:
        """Return a counter of a lock class over all CPUs."""
        return int(self.segment.view("Cpu")["counts"][: self.cpus, cls * 8 + column].sum())

    def ops(self) -> np.ndarray:
        """Return the operations with their results, in the order of the plan."""
        ops = self.segment.view("Op")[: len(self.plan.ops)]
        return ops[np.argsort(ops["stamp"])]
