"""The page of locks: what classes, structs, rules and sites declare, printed as Markdown."""

import ast
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent.parent / "vmconc"
LAYERS = ("memory", "schedule", "locks", "vm", "protocols")

# What each class of lock is an instance of, and what can be asked of that kind.
KINDS = {
    "vm_map": "Lockmgr", "vnode": "Lockmgr", "range": "RangeRecord", "chain": "Chain", "vm_page": "Busy",
    "pmap": "Spin", "page_spin": "Spin", "page_queue": "Spin", "range_spin": "Spin", "vm_object": "Token",
    "map_token": "Token", "pip": "Pip", "mutex": "Mutex", "rwlock": "Lockmgr", "semaphore": "Semaphore",
    "condition": "Condition", "spin": "Spin",
}  # fmt: skip
MODES = {
    "Lockmgr": ("shared, exclusive; upgrade, downgrade, timed, try", "kept"),
    "RangeRecord": ("exclusive, by range", "kept"),
    "Chain": ("shared, exclusive", "kept"),
    "Busy": ("soft (shared), hard (exclusive); try, sleep once, wait", "kept"),
    "Spin": ("exclusive; try", "never slept over"),
    "Token": ("shared, exclusive, recursive; try, swap", "**given up**, re-owned after"),
    "Pip": ("counted up and down; wait for zero", "kept"),
    "Mutex": ("exclusive; try", "kept"),
    "Semaphore": ("counted down and up", "kept"),
    "Condition": ("wait, signal", "none: its mutex is released"),
}
# Which lock a guard means, by struct and by the name that the declaration gives it.
GUARDS = {
    ("VmPage", "busy"): "vm_page", ("VmPage", "spin"): "page_spin", ("PageQueue", "spin"): "page_queue",
    ("VmPage", "queue.spin"): "page_queue", ("VmObject", "token"): "vm_object", ("VmObject", "chain"): "chain",
    ("VmMap", "lock"): "vm_map", ("Pmap", "spin"): "pmap", ("RangeList", "spin"): "range_spin",
    "ilock_spin": "range_spin", "page.spin": "page_spin", "map.lock": "vm_map", "object.token": "vm_object",
    "owner.token": "vm_object",
}  # fmt: skip
INTERNAL = {
    ("Table", "spin"), ("SleepQueue", "spin"), ("Cpu", "queue.spin"), ("DiskQueue", "spin"),
    ("IoRequest", "queue.spin"),
}  # fmt: skip
KEYWORDS = {
    "layout": "set before any compiled code sees the mapping",
    "const": "set before the record can be found, never changed",
    "recorder": "only the recorder changes it",
    "atomic": "any CPU may change it, one word at a time",
    "cpu": "one CPU writes it; others read it as a hint",
    "hint": "any CPU writes it without a lock; a lost update does no harm",
    "peek": "behind a lock: also read without it, by who can do with a value that is old",
    "order": "written by whoever the program's order says is alone with it",
    "init": "written before any worker runs",
}


def modules() -> Iterator[str]:
    """Yield the names of all modules of the kernel layers."""
    for layer in LAYERS:
        for path in sorted((PACKAGE / layer).rglob("*.py")):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    yield "vmconc.concurrent"


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
            [f"`{field.name}`", kind_of(field.kind), listed(field.guard), notes.get(field.name, "")]
            for field in struct.fields.values()
        ]
        lines += [*table(["field", "kind", "guard", ""], rows), ""]
    return lines


def listed(names: tuple[str, ...]) -> str:
    """Write some names of the code."""
    return ", ".join(f"`{name}`" for name in names)


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

Three more spinlocks are part of the emulator and not of what it emulates: those of tables, of sleep queues and of
the disk queue. They are held for a few instructions and not counted.

## Rules that a CPU checks at once

A broken rule is written into the `Violation` table with the CPU's held locks; the run goes on unless `--fail-fast`
is given. `vmconc list rules` prints the same list. In mode `off` the CPU has no held-lock stack, and only those rules
remain that need none.

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
tree belongs to, `map` the map that the entry is in, `page` the page that is mapped, `queue` the queue that the record
is on, `object` the object that the page is in; `ilock_spin` is the spinlock of the `RangeList`. **Two guards mean:
either to read, both to write.** `atomic` behind a lock: an atomic operation needs no lock.

{structs}
## Sites

Every place where a lock is taken or a CPU waits has a name; reports of violations and deadlocks quote it.

{sites}
"""


CLASS_HEADING = ["rank", "class", "kind", "modes", "over a sleep", "what it is", "fields it guards"]


def locks_page() -> str:
    """Return the page of locks."""
    import_all()
    blocks = {
        "classes": table(CLASS_HEADING, class_rows()),
        "rules": table(["rule", "meaning"], rule_rows()),
        "quiescent": table(["rule", "meaning"], quiescent_rows()),
        "checks": table(["check", "does"], check_rows()),
        "keywords": table(["guard", "meaning"], [[f"`{name}`", text] for name, text in KEYWORDS.items()]),
        "structs": struct_lines(),
        "sites": table(["site", "file"], site_rows()),
    }
    return LOCKS.format(**{name: "\n".join(lines) for name, lines in blocks.items()})
