"""CPUs of a test on the explorer's engine, where the JIT is off: bodies take turns, in one order or in many."""

from collections.abc import Iterator

from vmconc.explore.failure import explain
from vmconc.explore.laboratory import Laboratory, engine_tables
from vmconc.schedule.records import ENDINGS, FINISHED, VIOLATED
from vmconc.schedule.strategies import DFS, UNIFORM

ORDERS = 100
DECISIONS = 1 << 14
LIMIT = 3_000_000  # steps


def turn_tables(cpus: int) -> dict[str, int]:
    """Return the tables that a segment needs besides; the engine is there while `Turns` run."""
    return engine_tables(cpus, DECISIONS)


class Turns:
    """Bodies `(function, cpu, argument, ...)` on the engine of a segment; those of CPUs beyond its number serve.

    The segment has no engine before and after an execution, so a test can use its locks itself.
    """

    def __init__(self, segment, bodies):
        self.table = segment.table("Scheduler")
        self.count, self.numbers = len(bodies), [cpu.index for _, cpu, *_ in bodies]
        self.answers = {}
        self.table.capacity = 1
        cpus = max(segment.machine.cpus, max(self.numbers) + 1)
        placed = [lambda cpu: None] * cpus
        for body in bodies:
            placed[body[1].index] = self.noting(*body)
        self.lab = Laboratory(segment, placed, daemons=cpus - segment.machine.cpus)
        self.lab.engine.limit = LIMIT
        self.table.capacity = 0

    def noting(self, function, *arguments):
        """Return a body that keeps what the function returns."""

        def run(cpu) -> None:
            self.answers[cpu.index] = function(*arguments)

        return run

    def run(self) -> list:
        """Run one execution from the first state; return what each body returned, None for one that left by itself.

        Fails if not all come to their end.
        """
        self.answers.clear()
        self.table.capacity = 1
        self.lab.run(1)
        self.table.capacity = 0
        ended, turns = self.lab.engine.ended, self.lab.turns()
        assert ended in (FINISHED, VIOLATED), f"{ENDINGS[ended]} after decisions {turns}: {explain(self.lab)}"
        return [self.answers.get(number) for number in self.numbers]

    def all(self, count: int) -> Iterator[list]:
        """Run all executions if there are no more than `count`; else so many, and as many at random."""
        self.lab.engine.strategy, self.lab.engine.bound = DFS, -1
        for _ in range(count):
            yield self.run()
            if self.lab.engine.exhausted:
                return
        yield from self.some(count)

    def some(self, count: int, random: int = 1) -> Iterator[list]:
        """Run `count` executions at random; a number chooses which."""
        self.lab.engine.strategy, self.lab.engine.random = UNIFORM, random
        for _ in range(count):
            yield self.run()
