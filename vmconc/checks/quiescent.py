"""What must hold of the shared state when nothing runs: invariants 22 to 45, recomputed from the records themselves.

Nothing here takes a lock or trusts a counter: each number is compared with what it counts.
"""

from typing import Any

from vmconc.checks.layers import Layers
from vmconc.checks.quiescent_maps import check_entries, check_mappings, check_sizes, check_tables, check_translations
from vmconc.checks.quiescent_objects import (
    check_backings,
    check_contents,
    check_layers,
    check_one_mapping,
    check_references,
    check_trees,
)
from vmconc.checks.quiescent_pages import check_free_pages, check_leaks, check_locks, check_queues, check_sleepers
from vmconc.checks.quiescent_report import Report
from vmconc.checks.quiescent_state import State

CHECKS = (
    check_references, check_layers, check_backings, check_contents, check_trees, check_one_mapping, check_entries,
    check_sizes, check_tables, check_translations, check_mappings, check_free_pages, check_queues, check_locks,
    check_sleepers, check_leaks,
)  # fmt: skip


def check_quiescent(segment: Any, protocol: str) -> list[dict[str, Any]]:
    """Return what the shared state breaks: dicts with rule, invariant, subject, expected, found, text."""
    state = State(segment, protocol)
    layers = Layers(state)
    report = Report(segment.machine.seed)
    for check in CHECKS:
        check(state, layers, report)
    return report.all()
