"""Writes what the documentation says of the code from the code itself: `docs/locks.md`, and marked blocks of other pages.

    python docs/generate.py            rewrite what has changed
    python docs/generate.py --check    exit 1 and name the pages that have changed

A block stands between `<!-- generated: NAME -->` and `<!-- end -->`.
"""

import ast
import functools
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
PACKAGE = DOCS.parent / "vmconc"
LAYERS = ("memory", "locks", "vm", "protocols")

if __name__ == "__main__":  # nothing has to be compiled to be described
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    sys.path.insert(0, str(PACKAGE.parent))

# What each class of lock is an instance of, and what can be asked of that kind.
KINDS = {
    "vm_map": "Lockmgr", "vnode": "Lockmgr", "range": "RangeRecord", "chain": "Chain", "vm_page": "Busy", "pmap": "Spin",
    "page_spin": "Spin", "page_queue": "Spin", "range_spin": "Spin", "vm_object": "Token", "map_token": "Token", "pip": "Pip",
}  # fmt: skip
MODES = {
    "Lockmgr": ("shared, exclusive; upgrade, downgrade, timed, try", "kept"),
    "RangeRecord": ("exclusive, by range", "kept"),
    "Chain": ("shared, exclusive", "kept"),
    "Busy": ("soft (shared), hard (exclusive); try, sleep once, wait", "kept"),
    "Spin": ("exclusive; try", "never slept over"),
    "Token": ("shared, exclusive, recursive; try, swap", "**given up**, re-owned after"),
    "Pip": ("counted up and down; wait for zero", "kept"),
}
# Which lock a guard means, by struct and by the name that the declaration gives it.
GUARDS = {
    ("VmPage", "busy"): "vm_page", ("VmPage", "spin"): "page_spin", ("PageQueue", "spin"): "page_queue",
    ("VmPage", "queue.spin"): "page_queue", ("VmObject", "token"): "vm_object", ("VmObject", "chain"): "chain",
    ("VmMap", "lock"): "vm_map", ("Pmap", "spin"): "pmap", ("RangeList", "spin"): "range_spin",
    "ilock_spin": "range_spin", "page.spin": "page_spin", "map.lock": "vm_map", "object.token": "vm_object",
    "owner.token": "vm_object",
}  # fmt: skip
INTERNAL = {("Table", "spin"), ("SleepQueue", "spin"), ("Cpu", "queue.spin"), ("DiskQueue", "spin"), ("IoRequest", "queue.spin")}
KEYWORDS = {
    "const": "set before the record can be found, never changed",
    "atomic": "any CPU may change it, one word at a time",
    "cpu": "one CPU writes it; others read it as a hint",
    "init": "written before any worker runs",
}


def modules() -> Iterator[str]:
    """Yield the names of all modules of the kernel layers."""
    for layer in LAYERS:
        for path in sorted((PACKAGE / layer).rglob("*.py")):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def import_all() -> list[Any]:
    """Import every module of the kernel layers, so that all structs, sites and operations are declared."""
    return [importlib.import_module(name) for name in modules()]


def table(heading: list[str], rows: list[list[str]]) -> list[str]:
    """Write a Markdown table."""
    clean = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [heading, ["---"] * len(heading), *clean]
    return ["| " + " | ".join(line) + " |" for line in lines]


# Lock classes


def guarded_by() -> dict[str, list[str]]:
    """Return, for each lock class, the fields whose declaration names it."""
    from vmconc.memory.struct import STRUCTS

    found: dict[str, list[str]] = {}
    for struct in (STRUCTS[name] for name in sorted(comments())):
        for field in struct.fields.values():
            for name in field.guard:
                cls = class_of(struct.name, name)
                if cls:
                    found.setdefault(cls, []).append(f"{struct.name}.{field.name}")
    return found


def class_of(struct: str, guard: str) -> str:
    """Return the lock class that a guard means, empty if it means none.  Raises KeyError for one nobody explained."""
    if guard in KEYWORDS or (struct, guard) in INTERNAL:
        return ""
    return GUARDS.get((struct, guard)) or GUARDS[guard]


def class_rows() -> list[list[str]]:
    """Return the table of lock classes."""
    from vmconc.locks.classes import CLASS_DOCS, CLASS_NAMES, UNORDERED

    guards = guarded_by()
    rows = []
    for number, name in CLASS_NAMES.items():
        kind = KINDS[name]
        fields_of = ", ".join(f"`{field}`" for field in guards.get(name, [])) or "no field by itself"
        rank = str(number) if number < UNORDERED else "-"
        rows.append([rank, f"`{name}`", f"`{kind}`", *MODES[kind], CLASS_DOCS[number], fields_of])
    return rows


def site_rows() -> list[list[str]]:
    """Return the named places where a lock is taken or a CPU waits."""
    from vmconc.locks.sites import SITES

    ours = [site for site in SITES.values() if Path(site.file).is_relative_to(PACKAGE)]
    return sorted([f"`{site.name}`", f"`{Path(site.file).relative_to(PACKAGE)}`"] for site in ours)


# Structs


def comments() -> dict[str, tuple[str, dict[str, str]]]:
    """Return, for each struct, the file that declares it and the comments behind its fields."""
    found = {}
    for name in modules():
        source = inspect.getsource(importlib.import_module(name))
        lines = source.splitlines()
        for node in ast.parse(source).body:
            if isinstance(node, ast.ClassDef) and any("struct" in ast.unparse(d) for d in node.decorator_list):
                found[node.name] = (name.replace(".", "/") + ".py", trailing(node, lines))
    return found


def trailing(node: ast.ClassDef, lines: list[str]) -> dict[str, str]:
    """Return the comment behind each annotated field of a class."""
    said = {}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            said[item.target.id] = lines[(item.end_lineno or item.lineno) - 1].partition("  # ")[2]
    return said


def kind_of(kind: Any) -> str:
    """Write the kind of a field."""
    from vmconc.memory.struct import Embed, Refs, Words

    if kind is int:
        return "word"
    if isinstance(kind, Embed):
        return f"`{kind.struct}`, embedded"
    if isinstance(kind, Words):
        return f"{kind.length} words"
    if isinstance(kind, Refs):
        return f"{kind.length} references to `{kind.struct}`"
    return f"reference to `{kind}`"


def struct_lines() -> list[str]:
    """Write every struct with its fields and what guards them."""
    from vmconc.memory.struct import STRUCTS

    said = comments()
    lines: list[str] = []
    for struct in sorted((s for s in STRUCTS.values() if s.name in said), key=lambda s: (said[s.name][0], s.name)):
        file, notes = said[struct.name]
        lines += [f"### {struct.name}", "", f"{first_line(struct.doc)} (`{file}`, {struct.stride} bytes)", ""]
        rows = [
            [f"`{field.name}`", kind_of(field.kind), ", ".join(f"`{name}`" for name in field.guard), notes.get(field.name, "")]
            for field in struct.fields.values()
        ]
        lines += [*table(["field", "kind", "guard", ""], rows), ""]
    return lines


def first_line(text: str | None) -> str:
    """Return the first line of a docstring."""
    return inspect.cleandoc(text or "").split("\n", 1)[0]


# Rules


def rule_rows() -> list[list[str]]:
    """Return the rules that a CPU checks at once."""
    from vmconc.locks.rules import RULES

    return [[f"`{name}`", meaning] for name, meaning in RULES.values()]


def quiescent_rows() -> list[list[str]]:
    """Return the rules that are checked when nothing runs."""
    from vmconc.checks.quiescent_report import RULES

    return [[f"`{name}`", meaning] for name, meaning in RULES.items()]


def check_rows() -> list[list[str]]:
    """Return the functions that check them."""
    from vmconc.checks.quiescent import CHECKS

    return [[f"`{check.__name__}`", first_line(check.__doc__)] for check in CHECKS]


LOCKS = """# Locks

<!-- This page is generated: edit the code, then run `python docs/generate.py`. -->

Everything on this page is printed from the declarations that the code runs on: `vmconc/locks/classes.py`,
`vmconc/locks/rules.py`, `vmconc/locks/sites.py`, `vmconc/checks/quiescent_report.py` and the `@struct` declarations.
`tests/test_docs_generated.py` fails when it is out of date.

## Lock classes

A CPU that holds a ranked lock waits only for a class of the same or a higher rank (rule `lock-order`). Three things are
outside the order: a *try*, which does not wait; a *timed* request, which gives up; and the token classes and pip, which
have no rank. One CPU may wait for a lock of the class it already holds. The columns `shared` and `exclusive` of a run
count these classes.

{classes}

Three more spinlocks are part of the emulator and not of what it emulates: those of tables, of sleep queues and of the disk
queue. They are held for a few instructions and not counted.

## Rules that a CPU checks at once

A broken rule is written into the `Violation` table with the CPU's held locks; the run goes on unless `--fail-fast` is
given. `vmconc list rules` prints the same list. In mode `off` the CPU has no held-lock stack, and only those rules remain
that need none.

{rules}

## Rules checked when nothing runs

After a run that ended by itself, and unless `--no-checks` is given, the coordinator recomputes these from the records.

{quiescent}

They are checked by these functions (`vmconc/checks/`):

{checks}

## Fields and what guards them

A guard is one of these words, or a lock:

{keywords}

A lock is named by a field of the record (`token`) or by a path that begins with a role: `owner` is the record that the
tree belongs to, `map` the map that the entry is in, `page` the page that is mapped, `queue` the queue that the record is on,
`object` the object that the page is in; `ilock_spin` is the spinlock of the `RangeList`. **Two guards mean: either to
read, both to write.**

{structs}
## Sites

Every place where a lock is taken or a CPU waits has a name; reports of violations and deadlocks quote it.

{sites}
"""


def locks_page() -> str:
    """Return the page of locks."""
    import_all()
    blocks = {
        "classes": table(["rank", "class", "kind", "modes", "over a sleep", "what it is", "fields it guards"], class_rows()),
        "rules": table(["rule", "meaning"], rule_rows()),
        "quiescent": table(["rule", "meaning"], quiescent_rows()),
        "checks": table(["check", "does"], check_rows()),
        "keywords": table(["guard", "meaning"], [[f"`{name}`", text] for name, text in KEYWORDS.items()]),
        "structs": struct_lines(),
        "sites": table(["site", "file"], site_rows()),
    }
    return LOCKS.format(**{name: "\n".join(lines) for name, lines in blocks.items()})


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

    used = {name for name, number in retry_constants().items() if uses(name)}
    by_number = {number: name for name, number in retry_constants().items()}
    rows = [[f"`{text}`", "yes" if by_number[number] in used else "no: never counted"] for number, text in RETRY_NAMES.items()]
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
    from vmconc.coordinator.microscope import examine

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


COST = ["attempts", "map shared", "relocked, timed", "tokens (exclusive)", "chain", "vnode", "pip", "pages taken", "page-ins"]


def chained_costs() -> list[str]:
    """Write what faults cost under chained."""
    rows = [[fault[0], *cost(seen[0])] for fault, seen in zip(FAULTS, examined(), strict=True)]
    return table(["fault", *COST], rows)


def backing_costs() -> list[str]:
    """Write what faults cost under backing, with the heuristic off and on."""
    rows = [
        [fault[0], *[off if off == on else f"{off} / {on}" for off, on in zip(cost(seen[1]), cost(seen[2]), strict=True)]]
        for fault, seen in zip(FAULTS, examined(), strict=True)
    ]
    keep = [i for i in range(len(COST) + 1) if i - 1 not in (COST.index("relocked, timed"), COST.index("chain"))]
    heading = ["fault", *COST]
    return table([heading[i] for i in keep], [[row[i] for i in keep] for row in rows])


BLOCKS: dict[str, Callable[[], list[str]]] = {
    "operations": operations, "sizes": sizes, "programs": programs, "calls": calls, "reasons": reasons,
    "chained-costs": chained_costs, "backing-costs": backing_costs,
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
