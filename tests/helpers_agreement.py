"""CPUs that take turns and write events as well: both validators on one execution, without anything to compile."""

from dataclasses import replace

import numpy as np
from helpers_bugs import bug_laboratory

from vmconc.analysis.events import EVENT, Events
from vmconc.coordinator.recorder import tables_of
from vmconc.explore import machine
from vmconc.locks import rules
from vmconc.memory.build import Build
from vmconc.schedule.steps import STEP_REOWN, STEP_SLEEP, STEP_WAKE

RING = 1 << 13
LIMIT = 2000  # steps: no execution that ends takes half of that
WILD = ("B64",)  # who goes on after this follows references of a freed record


class TurnsAndEvents(str):
    """Mode `controlled` and mode `recorded` at once."""

    __slots__ = ()
    __hash__ = str.__hash__

    def __eq__(self, other):
        return str(other) in ("controlled", "recorded", str(self))

    def __ne__(self, other):
        return not self == other


def go_on(cpu, ending):
    """Stand in for what ends an execution that is explored when a rule is broken: on worker processes a run goes on."""


def recorded_laboratory(bug, protocol, bugs, monkeypatch):
    """Return an engine for the bug's program whose CPUs write events, and go on when a rule is broken if they can."""
    monkeypatch.setattr(machine, "SMALL", replace(machine.SMALL, ring=RING))
    monkeypatch.setattr(machine, "Build", lambda mode, *more: Build(TurnsAndEvents(f"{mode}, recorded"), *more))
    if bug.name not in WILD:
        monkeypatch.setattr(rules, "finish", go_on)
    lab = bug_laboratory(bug, protocol, bugs)
    lab.engine.limit = LIMIT
    return lab


def events_of(lab, protocol):
    """Return the events of the last execution."""
    segment, rings = lab.segment, lab.segment.view("Ring")
    assert not rings["dropped"].any() and (rings["written"] <= rings["size"]).all()
    parts = [np.frombuffer(segment.map, EVENT, ring["written"] // EVENT.itemsize, ring["first"]) for ring in rings]
    parts = [part[~told_for_the_step_log(part)] for part in parts]
    first = np.concatenate([[0], np.cumsum([len(part) for part in parts])])
    recording = {"dropped": [0], "unwritten": [0], "ticks": (0, 1), "nanoseconds": (0, 1), "sites": {}}
    recording |= {"tables": {name: vars_of(records) for name, records in tables_of(segment).items()}}
    run = {"protocol": protocol, "cpus": segment.machine.cpus, "recording": recording}
    return Events(run, np.concatenate(parts), first)


def told_for_the_step_log(events):
    """Tell which events mode `recorded` does not have: a token that is owned again, nameless; a wait at a spinlock."""
    action = events["what"] & 0xFF
    awake = np.append(action[1:] != STEP_WAKE, False)  # right behind a real sleep comes its end, if there is one
    return (action == STEP_REOWN) & (events["lock"] == 0) | (action == STEP_SLEEP) & awake


def vars_of(records):
    return {name: getattr(records, name) for name in records.__struct_fields__}
