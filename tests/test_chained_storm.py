"""Programs made at random under `chained`: no rule broken, every read right, everything given back."""

import pytest
from helpers_chained import Storm, objects, run_at_random
from helpers_machine import Machine

from vmconc.memory.jit import jit_off

only_in_turns = pytest.mark.skipif(not jit_off(), reason="CPUs that take turns at random need the JIT off")
EVENTS = ("collapses", "bypasses", "splits", "copy", "map_unlock_for_io", "clips", "merges")


def complaints(machine: Machine) -> list[str]:
    """Say what a run left wrong, and what it left behind."""
    return machine.check() + [f"object {object.off} is left" for object in objects(machine)]


@only_in_turns
@pytest.mark.parametrize("seed", range(12))
def test_storm_in_turns(seed):
    """Chosen at random at every schedule point."""
    plan = Storm(seed, 120).build.finish()
    assert complaints(run_at_random(Machine(plan, "chained", 4, requests=256), seed)) == []


@only_in_turns
def test_storms_reach_everything():
    """The storms are no idle wind: together they do all that keeps chains short."""
    seen = dict.fromkeys(EVENTS, 0)
    for seed in range(20, 24):
        machine = run_at_random(Machine(Storm(seed, 120).build.finish(), "chained", 4, requests=256), seed)
        for name in EVENTS:
            seen[name] += machine.event(name)
    assert all(seen.values()), seen


@pytest.mark.parametrize("seed", range(40, 44))
def test_storm_on_cpus(seed):
    """On processes that really run at the same time, or in one order."""
    plan = Storm(seed, 150).build.finish()
    assert complaints(Machine(plan, "chained", 4, requests=256).run()) == []


@pytest.mark.slow
@pytest.mark.parallel
def test_long_storms_on_cpus():
    """More of them, longer."""
    for seed in range(60, 90):
        plan = Storm(seed, 600).build.finish()
        assert complaints(Machine(plan, "chained", 4, requests=256, frames=8192).run()) == [], seed
