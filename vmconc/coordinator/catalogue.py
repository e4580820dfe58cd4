"""What there is to choose from: found by folder or declared as data, never listed by hand."""

import inspect
from collections.abc import Callable
from typing import Any

Entry = dict[str, Any]


def first_line(text: str | None) -> str:
    """Return the first sentence of a docstring."""
    return inspect.cleandoc(text or "").split("\n", 1)[0]


def protocols() -> list[Entry]:
    """Return the protocols and what their modules say of themselves."""
    from vmconc.protocols import load_protocol, protocol_names

    return [{"name": name, "doc": first_line(load_protocol(name).__doc__)} for name in protocol_names()]


def busted() -> list[Entry]:
    """Return the protocols that are wrong on purpose, with the rule that notices."""
    from vmconc.protocols.busted import BUSTED

    return [{"name": name, "doc": f"{entry.breaks}; found by {entry.rule}"} for name, entry in BUSTED.items()]


def programs() -> list[Entry]:
    """Return the programs with their options."""
    from vmconc.program.programs import list_programs

    return [
        {
            "name": program.name,
            "doc": program.summary,
            "options": [
                {"name": name, "default": option.default, "doc": option.help}
                for name, option in program.options.items()
            ],
        }
        for program in list_programs()
    ]


def traces() -> list[Entry]:
    """Return the built-in traces."""
    from vmconc.traces import builtin, open_trace

    found = []
    for name in builtin.names():
        plan = open_trace(name)
        doc = f"{len(plan.ops):,} operations, {len(plan.lwps)} LWPs, {len(plan.files)} files"
        found.append({"name": name, "doc": doc, "operations": len(plan.ops), "lwps": len(plan.lwps)})
    return found


def rules() -> list[Entry]:
    """Return the rules that CPUs check at once."""
    from vmconc.locks.rules import RULES

    return [{"name": name, "doc": meaning} for name, meaning in RULES.values()]


def locks() -> list[Entry]:
    """Return the lock classes, in the order in which they may be waited for."""
    from vmconc.locks.classes import CLASS_DOCS, CLASS_NAMES

    return [{"name": name, "doc": CLASS_DOCS[number]} for number, name in CLASS_NAMES.items()]


CATALOGUE: dict[str, Callable[[], list[Entry]]] = {
    "protocols": protocols, "busted": busted, "programs": programs, "traces": traces, "rules": rules, "locks": locks,
}  # fmt: skip
