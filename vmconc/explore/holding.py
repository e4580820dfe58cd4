"""Which locks each CPU holds after each step of an execution, as the step log tells it."""

from typing import NamedTuple

from vmconc.locks.classes import MAP_TOKEN, VM_OBJECT
from vmconc.schedule.steps import (
    STEP_ACQUIRE,
    STEP_DOWNGRADE,
    STEP_RELEASE,
    STEP_REOWN,
    STEP_SLEEP,
    STEP_UPGRADE,
)

TOKENS = (VM_OBJECT, MAP_TOKEN)  # given up while their holder sleeps, and owned again one by one


class Lock(NamedTuple):
    """A lock that is held."""

    lock: int  # byte offset
    cls: int
    mode: int


class Holding:
    """What one CPU holds."""

    def __init__(self) -> None:
        self.held: list[Lock] = []
        self.given_up: list[Lock] = []

    def note(self, action: int, lock: int, cls: int, mode: int) -> None:
        """Take one entry of the step log into account."""
        if action == STEP_ACQUIRE:
            if cls in TOKENS:  # who gets one after a wait owns the others again by then
                self.held, self.given_up = self.held + self.given_up, []
            self.held.append(Lock(lock, cls, mode))
        elif action == STEP_RELEASE:
            self.drop(lock, cls)
        elif action in (STEP_UPGRADE, STEP_DOWNGRADE):
            self.drop(lock, cls)
            self.held.append(Lock(lock, cls, mode))
        elif action == STEP_SLEEP:
            self.given_up += [entry for entry in self.held if entry.cls in TOKENS]
            self.held = [entry for entry in self.held if entry.cls not in TOKENS]
        elif action == STEP_REOWN and self.given_up:
            self.held.append(self.given_up.pop(0))

    def drop(self, lock: int, cls: int) -> None:
        """Take the lock acquired last off what is held; one whose acquisition was not logged is not there."""
        for place in reversed(range(len(self.held))):
            if self.held[place][:2] == (lock, cls):
                del self.held[place]
                return
