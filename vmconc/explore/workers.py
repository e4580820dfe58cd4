"""The CPUs of a laboratory as processes that take turns: one for each, and one for the engine, all on one core.

They are reused: at the end of an execution a CPU stays where it is, and drops its stack when the next one begins.
"""

import time
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

import msgspec
import psutil

from vmconc.coordinator.errors import EmulatorError, StallError
from vmconc.coordinator.processes import FORK, finish, start
from vmconc.explore.laboratory import Laboratory, address_of
from vmconc.memory.jit import jit_off
from vmconc.schedule.batons import serve_turns

CORE = 0  # of those that we may use: a turn is handed over in 4 us on one core, in 30 across two
LOOK = 0.1  # seconds between looks
PATIENCE = 20.0  # seconds in which a CPU has to come to its next step


class Handed(msgspec.Struct):
    """How the processes took turns."""

    processes: int  # CPUs, daemons included, and the engine
    cores: list[int]  # that they may use
    turns: int = 0  # handed over
    microseconds: float = 0.0  # a turn, with what was done in it


class Workers:
    """Runs a laboratory's executions on processes while the context is open."""

    def __init__(self, lab: Laboratory, patience: float = PATIENCE):
        self.lab, self.engine, self.patience = lab, lab.engine, patience
        self.processes: list[BaseProcess] = []
        self.pipe: Connection | None = None

    def __enter__(self) -> "Workers":
        """Fork them.  The laboratory must have run before, so that its code is compiled."""
        cpus = [self.lab.segment.nth("Cpu", index) for index in range(self.engine.fibers)]
        if not jit_off():
            address_of(serve_turns, cpus[0])
        self.engine.processes, self.engine.handed, self.engine.spent = 1, 0, 0
        self.pipe, end = FORK.Pipe()
        try:
            for index, cpu in enumerate(cpus):
                self.processes.append(start(f"cpu {index}", CORE, partial(serve_turns, cpu)))
            self.processes.append(start("the engine", CORE, partial(conduct, self.lab, end)))
        except BaseException:
            self.__exit__()
            raise
        end.close()
        self.lab.runner = self.run
        return self

    def __exit__(self, *exception: object) -> None:
        """End them."""
        finish(self.processes, grace=0.0)
        self.engine.processes = 0
        self.lab.runner = self.lab.run_here

    def run(self, count: int) -> int:
        """Run up to `count` executions, as `Laboratory.run`.

        Raises EmulatorError if a process is gone, StallError if one does not go on.
        """
        assert self.pipe is not None
        self.pipe.send(count)
        progress, since = self.progress(), time.monotonic()
        ends = {process.sentinel: process for process in self.processes}
        while not (ready := wait([self.pipe, *ends], LOOK)):
            if self.progress() != progress:
                progress, since = self.progress(), time.monotonic()
            elif time.monotonic() - since > self.patience:
                raise StallError(self.say_stalled())
        for process in (ends[end] for end in ready if isinstance(end, int)):
            raise EmulatorError(self.say_gone(process))
        return int(self.pipe.recv())

    def progress(self) -> tuple[int, int, int]:
        """Return numbers that change as long as somebody goes on."""
        return self.engine.executions, self.engine.steps, self.engine.handed

    def say_stalled(self) -> str:
        """Say who does not go on."""
        who = self.processes[min(self.engine.current, len(self.processes) - 1)].name
        return (
            f"{who} has not come to its next step for {self.patience:g} s, after step {self.engine.steps}: "
            "a loop that touches nothing shared is never interrupted"
        )

    def say_gone(self, process: BaseProcess) -> str:
        """Say whose process is gone."""
        process.join()
        code = process.exitcode or 0
        how = f"signal {-code}" if code < 0 else f"exit status {code}"
        return f"the process of {process.name} ended after step {self.engine.steps} ({how}): the replay is given up"

    def handed(self) -> Handed:
        """Return how they took turns so far."""
        cores = psutil.Process(self.processes[-1].pid).cpu_affinity()
        turns = int(self.engine.handed)
        return Handed(len(self.processes), cores, turns, self.engine.spent / max(1, turns) / 1000)


def conduct(lab: Laboratory, pipe: Any) -> None:
    """Be the engine's process: run as many executions as asked for, say how many, and again."""
    while True:
        pipe.send(lab.run_here(pipe.recv()))
