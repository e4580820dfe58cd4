"""Which rules the CPUs check as they run, which the validator checks in events, and why not both."""

from vmconc.analysis.asleep import LOST_WAKEUP
from vmconc.analysis.check import BLAME_SUM
from vmconc.analysis.convoy import CONVOY
from vmconc.analysis.held import SLEEP_WITH_SPINLOCK, SLEEP_WITH_TOKEN
from vmconc.analysis.limits import HOLD_BUDGET, STARVATION
from vmconc.analysis.order_rule import ORDER_CYCLE
from vmconc.analysis.owners import READER_AND_WRITER, TWO_WRITERS
from vmconc.locks.rules import RULES

ONLY_CPUS = {  # why: rules
    "exchanges of the two topmost tokens are not recorded": ("token-lifo",),
    "what is done to pages, objects and references is not recorded": (
        "page-without-token", "page-not-busy", "double-free", "chain-referenced", "wrong-page", "shared-below",
        "count-underflow", "duplicate-page", "frame-mapped", "not-mapped",
    ),
    "what is read and written is not recorded": ("oracle", "check", "guarded-by", "data-race", "use-after-free"),
    "events have no limits of their own": ("too-many-held", "table-full"),
}  # fmt: skip
ONLY_EVENTS = {
    "a CPU does not see what others hold": (TWO_WRITERS, READER_AND_WRITER, ORDER_CYCLE),
    "a CPU that sleeps checks nothing": (LOST_WAKEUP, SLEEP_WITH_TOKEN, SLEEP_WITH_SPINLOCK),
    "they are about what was recorded, or asked of it": (BLAME_SUM, CONVOY, HOLD_BUDGET, STARVATION),
}


def names(table: dict[str, tuple[str, ...]]) -> set[str]:
    """Return all rules of a table."""
    return {rule for rules in table.values() for rule in rules}


BOTH = {name for name, _ in RULES.values()} - names(ONLY_CPUS)  # found in a run by both or by neither
