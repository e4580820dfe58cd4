"""Writes what the documentation says of the code from the code: `docs/locks.md` and marked blocks of other pages.

    python docs/generate.py            rewrite what has changed
    python docs/generate.py --check    exit 1 and name the pages that have changed

A block stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import functools
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

from generate_locks import LAYERS, PACKAGE, first_line, import_all, locks_page, table

DOCS = Path(__file__).resolve().parent

if __name__ == "__main__":  # nothing has to be compiled to be described
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    sys.path.insert(0, str(PACKAGE.parent))

# Blocks of other pages


def operations() -> list[str]:
    """Write what every protocol has to provide."""
    rows = []
    for module in import_all():
        source = inspect.getsource(module)
        for function in vars(module).values():
            declared = vars(function).get("operation") if inspect.isfunction(function) else None
            if declared is None or f"@operation\ndef {declared.name}(" not in source:
                continue
            where = module.__name__.removeprefix("vmconc.").replace(".", "/") + ".py"
            call = f"{declared.name}({', '.join(declared.signature.parameters)})"
            rows.append([f"`{call}`", f"`{where}`", first_line(declared.__doc__), *contract(declared.__doc__)])
    return table(["operation", "declared in", "what it does", "held at entry", "held at exit"], sorted(rows))


def contract(text: str | None) -> list[str]:
    """Return what a docstring says is held at entry and at exit."""
    said = " ".join(inspect.cleandoc(text or "").partition("Locks:")[2].split())
    entry, _, leave = said.removeprefix("entry ").partition(" exit ")
    return [entry, leave]


def sizes() -> list[str]:
    """Write the tables that have an option, with their defaults."""
    import_all()
    from vmconc.coordinator.machine import NO_TABLE
    from vmconc.vm.boot import MachineOptions

    source = inspect.getsource(MachineOptions)
    rows = []
    for field in fields(MachineOptions):
        if field.name in NO_TABLE:
            continue
        meaning = re.search(rf"    {field.name}: int = \d+  # (.*)", source)
        rows.append([f"`--table {field.name}=N`", f"{field.default:,}", meaning[1] if meaning else ""])
    return table(["option", "default", "what"], rows)


def programs() -> list[str]:
    """Write the built-in programs."""
    from vmconc.program.programs import list_programs

    rows = [[f"`{p.name}`", p.summary.removeprefix(f"{p.name}: ")] for p in list_programs()]
    return table(["program", "what it does"], rows)


def calls() -> list[str]:
    """Write the methods with which a program says what happens."""
    from vmconc.program.builder import PlanBuilder

    hidden = {"draft", "finish", "seal", "skip"}
    rows = []
    for name, method in vars(PlanBuilder).items():
        if name.startswith("_") or name in hidden or not inspect.isfunction(method):
            continue
        parameters = [str(p).partition(":")[0] for p in list(inspect.signature(method).parameters.values())[1:]]
        rows.append([f"`build.{name}({', '.join(parameters)})`", first_line(method.__doc__)])
    return table(["call", "meaning"], rows)


def reasons() -> list[str]:
    """Write why an attempt at a fault may be made again."""
    import_all()
    from vmconc.vm.events import RETRY_NAMES

    by_number = {number: name for name, number in retry_constants().items()}
    rows = [
        [f"`{text}`", "yes" if uses(by_number[number]) else "no: never counted"] for number, text in RETRY_NAMES.items()
    ]
    return table(["reason", "counted somewhere"], rows)


def retry_constants() -> dict[str, int]:
    """Return the numbers of the reasons by name."""
    from vmconc.vm import events

    return {name: value for name, value in vars(events).items() if name.startswith("RETRY_") and isinstance(value, int)}


def uses(name: str) -> bool:
    """Tell whether any kernel outside `vm/events.py` names a constant."""
    files = (path for layer in LAYERS for path in (PACKAGE / layer).rglob("*.py") if path.name != "events.py")
    return any(re.search(rf"\b{name}\b", path.read_text()) for path in files)


# Faults under the microscope: (what, layers, layer that has the page, write, only the pager has it).
FAULTS = (
    ("page in the only layer", "D", 0, False, False),
    ("page in the first of 3 layers", "DDD", 0, False, False),
    ("page of a file, in memory", "V", 0, False, False),
    ("zero-fill, 1 layer", "D", None, True, False),
    ("zero-fill, 2 layers", "DD", None, True, False),
    ("zero-fill, 5 layers", "DDDDD", None, True, False),
    ("copy-on-write from layer 1", "DD", 1, True, False),
    ("copy-on-write from layer 4", "DDDDD", 4, True, False),
    ("copy-on-write from layer 8", "DDDDDDDDD", 8, True, False),
    ("read of a page in layer 4", "DDDDD", 4, False, False),
    ("page-in of a mapped file", "V", 0, False, True),
    ("page-in below 1 layer, write", "DV", 1, True, True),
    ("page-in below 4 layers, write", "DDDDV", 4, True, True),
)


@functools.cache
def examined() -> list[list[dict[str, int]]]:
    """Return, for each fault, the counts under chained, backing, and backing with the heuristic set."""
    command = [sys.executable, str(Path(__file__)), "--examine"]
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(PACKAGE.parent)}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    found: list[list[dict[str, int]]] = json.loads(done.stdout)
    return found


def examine_all() -> None:
    """Be that process: print what it is asked for."""
    from vmconc.explore.microscope import examine

    runs = (("chained", False), ("backing", False), ("backing", True))
    found = [
        [examine(layers, page, write, heuristic, False, paged_out, name)[name]["counts"] for name, heuristic in runs]
        for _, layers, page, write, paged_out in FAULTS
    ]
    print(json.dumps(found))


def cost(counts: dict[str, int]) -> list[str]:
    """Write the counts of one fault that have a column."""
    exclusive = counts.get("tok_X", 0)
    tokens = f"{counts.get('tok_S', 0) + exclusive} ({exclusive})"
    chain = counts.get("chain_S", 0) + counts.get("chain_X", 0)
    names = ("attempts", "map_S", "map_relock_timed")
    rest = ("vnode_S", "pip", "page_alloc", "io")
    return [*[str(counts.get(n, 0)) for n in names], tokens, str(chain), *[str(counts.get(n, 0)) for n in rest]]


COST = [
    "attempts", "map shared", "relocked, timed", "tokens (exclusive)", "chain", "vnode", "pip", "pages taken",
    "page-ins",
]  # fmt: skip


def chained_costs() -> list[str]:
    """Write what faults cost under chained."""
    rows = [[fault[0], *cost(seen[0])] for fault, seen in zip(FAULTS, examined(), strict=True)]
    return table(["fault", *COST], rows)


def either(off: dict[str, int], on: dict[str, int]) -> list[str]:
    """Write the counts of one fault without and with the heuristic, once where they are the same."""
    return [a if a == b else f"{a} / {b}" for a, b in zip(cost(off), cost(on), strict=True)]


def backing_costs() -> list[str]:
    """Write what faults cost under backing, with the heuristic off and on."""
    rows = [[fault[0], *either(seen[1], seen[2])] for fault, seen in zip(FAULTS, examined(), strict=True)]
    keep = [i for i in range(len(COST) + 1) if i - 1 not in (COST.index("relocked, timed"), COST.index("chain"))]
    heading = ["fault", *COST]
    return table([heading[i] for i in keep], [[row[i] for i in keep] for row in rows])


def bugs() -> list[str]:
    """Write the catalogue of bugs with what `vmconc bugs --measure` has said of them and the failures it has kept."""
    from vmconc.explore.bugs import CATALOGUE

    rows = json.loads((DOCS / "bugs.json").read_text())["measured"]
    measured = {(row["bug"], row["protocol"]): row for row in rows}
    written = []
    for bug in CATALOGUE:
        for protocol in bug.protocols:
            effort = effort_of(measured.get((bug.name, protocol)))
            small = smallest(SMALL / f"{bug.name}-{protocol}.failure.json")
            written.append([bug.name, bug.title, protocol, f"`{bug.rule}`", bug.origin, *effort, *small])
    return table(["bug", "what is wrong", "protocol", "found by", "origin", *EFFORT, *LEAST], written)


SMALL = DOCS.parent / "tests" / "data" / "minimal"
EFFORT = ["executions", "cold CPU s", "search s"]
LEAST = ["CPUs", "operations", "preemptions"]


def effort_of(row: dict[str, Any] | None) -> list[str]:
    """Write what it takes to find a bug; nothing if it was not measured."""
    if row is None or not row["found"]:
        return ["" if row is None else "not found", *[""] * (len(EFFORT) - 1)]
    return [f"{row['executions']:,.0f}", f"{row['cold_cpu']:.1f}", f"{row['search']:.2f}"]


def smallest(path: Path) -> list[str]:
    """Write how small the failure is that was kept; nothing if there is none."""
    from vmconc.explore.failure import read

    if not path.exists():
        return [""] * len(LEAST)
    kept = read(path)
    least = " (least)" if kept.proven else ""
    operations = len(kept.target.written.operations) if kept.target.written else 0
    return [str(kept.target.cpus), str(operations), f"{kept.failure.preemptions}{least}"]


def busted() -> list[str]:
    """Write the protocols that are wrong on purpose."""
    from vmconc.protocols.busted import BUSTED

    rows = [[f"`{name}`", entry.breaks, f"`{entry.rule}`", entry.seen_by] for name, entry in BUSTED.items()]
    return table(["protocol", "what is wrong", "rule that notices", "seen by"], rows)


def agreement() -> list[str]:
    """Write which rules only the CPUs check, and which only the validator of events."""
    from vmconc.analysis.agreement import BOTH, ONLY_CPUS, ONLY_EVENTS

    rows = [["both", ", ".join(f"`{rule}`" for rule in sorted(BOTH)), "a test holds one against the other"]]
    for who, only in (("CPUs", ONLY_CPUS), ("events", ONLY_EVENTS)):
        rows += [[who, ", ".join(f"`{rule}`" for rule in rules), why] for why, rules in only.items()]
    return table(["checked by", "rules", "why"], rows)


BLOCKS: dict[str, Callable[[], list[str]]] = {
    "operations": operations, "sizes": sizes, "programs": programs, "calls": calls, "reasons": reasons,
    "chained-costs": chained_costs, "backing-costs": backing_costs, "bugs": bugs, "agreement": agreement,
    "busted": busted,
}  # fmt: skip
BLOCK = re.compile(r"(<!-- generated: ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def filled(text: str) -> str:
    """Return a page with its generated blocks as they should be."""
    return BLOCK.sub(lambda found: found[1] + "\n".join(BLOCKS[found[2]]()) + "\n" + found[3], text)


def pages() -> dict[Path, str]:
    """Return every page that has anything generated, as it should be."""
    wanted = {DOCS / "locks.md": locks_page()}
    for path in sorted(DOCS.rglob("*.md")):
        text = path.read_text()
        if BLOCK.search(text):
            wanted[path] = filled(text)
    return wanted


def main(arguments: list[str]) -> int:
    """Write, or with `--check` only compare."""
    if "--examine" in arguments:
        examine_all()
        return 0
    changed = [path for path, text in pages().items() if not path.exists() or path.read_text() != text]
    if "--check" in arguments:
        for path in changed:
            print(f"{path.relative_to(DOCS.parent)} is out of date; run python docs/generate.py")
        return 1 if changed else 0
    for path, text in pages().items():
        path.write_text(text)
    print(f"wrote {', '.join(path.name for path in changed) or 'nothing: all is up to date'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
