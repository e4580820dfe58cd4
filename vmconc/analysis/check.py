"""The validator: the rules again, from a run's events alone, independently of what its CPUs checked themselves."""

from pathlib import Path

import numpy as np

from vmconc.analysis.asleep import LOST_WAKEUP, lost_wakeups
from vmconc.analysis.blame import Blame, blame, not_charged
from vmconc.analysis.checked import Broken, Checked
from vmconc.analysis.convoy import CONVOY
from vmconc.analysis.events import Events, load
from vmconc.analysis.held import SLEEP_WITH_SPINLOCK, SLEEP_WITH_TOKEN, held_rules
from vmconc.analysis.limits import HOLD_BUDGET, STARVATION, Limits, limit_rules
from vmconc.analysis.names import lock_name, site_name
from vmconc.analysis.order_rule import order_rule
from vmconc.analysis.order_told import Ordered, ordered
from vmconc.analysis.owners import READER_AND_WRITER, TWO_WRITERS, owner_rules
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES
from vmconc.locks.rules import RULES
from vmconc.schedule.steps import STEP_NAMES

BLAME_SUM = "blame-sum"
OWN_RULES = {
    SLEEP_WITH_TOKEN: "a CPU that sleeps owns no token (invariant 4)",
    SLEEP_WITH_SPINLOCK: "a CPU that sleeps holds no spinlock",
    TWO_WRITERS: "a lock that is held exclusively is given to nobody else exclusively (invariant 31)",
    BLAME_SUM: "each wait is charged to those who held the lock, or to nobody, to the last tick",
    LOST_WAKEUP: "nobody sleeps at the end on a lock that was given up",
    HOLD_BUDGET: "no lock is held longer than --hold-budget says of its class",
    STARVATION: "nobody waits for a lock while others get it more often than --starvation says",
    CONVOY: "no lock is handed to a waiter --convoy times in a row, and waited for rather than held",
    READER_AND_WRITER: "a lock is held shared or exclusively, never both by different CPUs",
}
OF_MACHINES = [
    "token-lifo: exchanges of the two topmost tokens are not recorded",
    "io-map-released before the page-in: where a fault looks its entry up is not recorded",
    "rules about pages, references and what is read: the CPUs and the check at rest see to those",
]
OF_LOCK_PROGRAMS = ["what the program checks: its threads do", "held-at-return: where a round ends is not recorded"]
NOT_WITHOUT_END = [
    f"{LOST_WAKEUP}: who sleeps at the end is known only of a run that has ended",
    f"{TWO_WRITERS}, {READER_AND_WRITER} of locks not given up in the events: that they were may be missing",
    "requests that were not met in the events: that they were, or gave up, may be missing",
    "how many events were written, and how many lost: that is told at the end of a run",
    "what the CPUs and the check at rest found: that is told at the end of a run",
]
EXAMPLES = 3
NO_LIMITS = Limits()


def check_run(path: Path, limits: Limits = NO_LIMITS) -> Checked:
    """Check a run directory.  Raises RunError if nothing was recorded there."""
    return check(load(path), str(path), limits)


def check(
    events: Events, run_dir: str, limits: Limits = NO_LIMITS, order: Ordered | None = None, charged: Blame | None = None
) -> Checked:
    """Check events; `order`, `charged`: their lock-order graph, and whom waits are charged to, if known already."""
    checked = Checked(run_dir, len(events.raw), [], [], not_checked(events), [])
    if events.gap:
        return checked
    at_end = [] if events.unended else [(LOST_WAKEUP, lost_wakeups(events))]
    own = [(BLAME_SUM, not_charged(charged or blame(events))), *at_end, *limit_rules(events, limits)]
    for rule, places in [*held_rules(events), *owner_rules(events), *own]:
        name, meaning = RULES[rule] if isinstance(rule, int) else (rule, OWN_RULES[rule])
        checked.rules.append(name)
        if len(places):
            examples = [say(events, place) for place in places[:EXAMPLES]]
            checked.broken.append(Broken(name, meaning, len(places), examples))
    name, meaning, sure, unsure = order_rule(order or ordered(events, run_dir))
    checked.rules.append(name)
    if sure:
        checked.broken.append(Broken(name, meaning, len(sure), sure[:EXAMPLES]))
    checked.notes += unsure
    return checked


def not_checked(events: Events) -> list[str]:
    """Say which rules these events cannot tell of."""
    if events.gap:
        return [f"everything: {events.gap}"]
    of_end = NOT_WITHOUT_END if events.unended else []
    return [*of_end, *(OF_MACHINES if events.protocol else OF_LOCK_PROGRAMS)]


def say(events: Events, place: int) -> str:
    """Describe one event."""
    event, cpu = events.raw[place], int(events.cpu[place])
    words = [STEP_NAMES[int(events.action[place])]]
    if events.cls[place]:
        words += [MODE_NAMES[int(events.mode[place])], CLASS_NAMES[int(events.cls[place])]]
    if events.site[place]:
        words.append(f"at {site_name(events, int(events.site[place]))}")
    when = events.nanoseconds(np.int64(event["time"])) / 1e6
    lock = lock_name(events, int(event["lock"]))
    return f"cpu {cpu}, {when:.6f} ms, event {place - events.first[cpu]}: {' '.join(words)}, {lock}"
