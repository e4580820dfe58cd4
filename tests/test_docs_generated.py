"""What the documentation says of the code is what the code says."""

import re
import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parent.parent / "docs"
sys.path.insert(0, str(DOCS))

import generate  # noqa: E402
import generate_locks as locks  # noqa: E402


def test_every_generated_page_is_up_to_date():
    changed = [str(path.relative_to(DOCS)) for path, text in generate.pages().items() if path.read_text() != text]
    assert not changed, "run python docs/generate.py"


def test_every_lock_class_is_explained():
    from vmconc.locks.classes import CLASS_NAMES

    assert set(locks.KINDS) == set(CLASS_NAMES.values())
    assert set(locks.KINDS.values()) == set(locks.MODES)


def test_every_guard_is_a_word_or_a_known_lock():
    from vmconc.locks.classes import CLASS_NAMES
    from vmconc.memory.struct import STRUCTS

    locks.import_all()
    known = {"", *CLASS_NAMES.values()}
    for name in locks.comments():
        for field in STRUCTS[name].fields.values():
            for guard in field.guard:
                assert locks.class_of(name, guard) in known, (name, field.name, guard)


def test_the_page_of_locks_lists_every_struct_rule_and_site():
    from vmconc.checks.quiescent_report import RULES as QUIESCENT
    from vmconc.locks.rules import RULES
    from vmconc.locks.sites import SITES

    page = locks.locks_page()
    for name in locks.comments():
        assert f"\n### {name}\n" in page
    for name in [name for name, _ in RULES.values()] + list(QUIESCENT):
        assert f"| `{name}` |" in page
    for site in SITES.values():
        if Path(site.file).is_relative_to(locks.PACKAGE):
            assert f"| `{site.name}` |" in page


def test_operations_are_those_that_the_protocols_implement():
    text = "\n".join(generate.operations())
    declared = {re.match(r"\| `(\w+)\(", line)[1] for line in text.splitlines()[2:]}
    for folder in ("backing", "chained"):
        files = (locks.PACKAGE / "protocols" / folder).glob("*.py")
        found = {name for path in files for name in re.findall(r"@implements\((\w+), ", path.read_text())}
        assert found == declared, folder


def chain(counts: dict[str, int]) -> int:
    """Return how many chain locks were taken."""
    return counts.get("chain_S", 0) + counts.get("chain_X", 0)


def tokens(counts: dict[str, int]) -> int:
    """Return how many tokens were taken."""
    return counts.get("tok_S", 0) + counts.get("tok_X", 0)


@pytest.mark.parametrize("fault", [fault for fault in generate.FAULTS if fault[0].startswith("copy-on-write")])
def test_formulas_for_copy_on_write(fault):
    depth = len(fault[1]) - 1
    chained, backing, heuristic = generate.examined()[generate.FAULTS.index(fault)]
    assert (tokens(chained), chain(chained)) == (2 + 3 * depth, 2 + depth)
    assert (tokens(backing), tokens(heuristic)) == (4 + depth, 2 + depth)
    assert chain(backing) == chain(heuristic) == 0


@pytest.mark.parametrize("fault", [fault for fault in generate.FAULTS if fault[0].startswith("page-in below")])
def test_formulas_for_page_ins(fault):
    depth = len(fault[1]) - 1
    chained, backing, heuristic = generate.examined()[generate.FAULTS.index(fault)]
    assert (tokens(chained), chain(chained), chained["vnode_S"]) == (3 + 5 * depth, 1 + 2 * depth, 3)
    assert (tokens(backing), backing["vnode_S"]) == (8 + 3 * depth, 4)
    assert (tokens(heuristic), heuristic["vnode_S"]) == (6 + 3 * depth, 3)
