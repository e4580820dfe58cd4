"""A run as tables of DuckDB, which reads the columns where they are: views, not copies."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from vmconc.analysis.doing import kinds
from vmconc.analysis.events import Events
from vmconc.analysis.grouping import OPERATIONS
from vmconc.analysis.names import lock_name, site_name
from vmconc.analysis.spans import Spans, holds, waits
from vmconc.export.errors import ExportError
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES
from vmconc.memory.ring import ACTION_MASK, CLASS_MASK, CLASS_SHIFT, MODE_SHIFT, SITE_MASK, SITE_SHIFT
from vmconc.schedule.steps import STEP_BEGIN, STEP_END, STEP_FAIL, STEP_NAMES, STEP_WAITED

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLES = ("events", "waits", "holds", "run")
SHOW_TABLES = f"select unnest({list(TABLES)}) as name"  # DuckDB knows others: what views stand on
SPANS = {"waits": waits, "holds": holds}

EVENTS = f"""
create view events as select
    cpu, event, at_ns, {{actions}}[action] as action,
    case when not marks then {{classes}}[class] end as class,
    case when class > 0 and not marks and not moot then {{modes}}[mode + 1] end as mode,
    lock, locks.name as lock_name, nullif(number, 0) as number,
    case when not marks then sites.name end as site,
    case when marks then {{operations}}[class + 1] end as operation, case when begins then place end as lwp
from (select *, (time - {{begin}}) * {{ns}}::double as at_ns, what & {ACTION_MASK} as action,
    what >> {CLASS_SHIFT} & {CLASS_MASK} as class, what >> {MODE_SHIFT} & 1 as mode,
    what >> {SITE_SHIFT} & {SITE_MASK} as place, action in ({STEP_BEGIN}, {STEP_END}) as marks,
    action = {STEP_BEGIN} as begins,
    action in ({STEP_WAITED}, {STEP_FAIL}) as moot from raw)
left join locks using (lock) left join sites using (place)
"""
LASTED = """
create view {name} as select
    cpu, at_ns, ns, {classes}[class] as class, {modes}[mode + 1] as mode, lock, locks.name as lock_name,
    sites.name as site, {operations}[kind + 1] as operation, begin_event, end_event
from {name}_columns left join locks using (lock) left join sites using (place)
"""


def connect(events: Events, query: str, say: Callable[[str], None]) -> "DuckDBPyConnection":
    """Return a connection on which the tables that a query may mean exist.  Raises ExportError without DuckDB."""
    try:
        import duckdb
    except ImportError as error:
        raise ExportError("this needs DuckDB, which is not installed; pip install 'vmconc[sql]'") from error
    connection = duckdb.connect(config={"autoinstall_known_extensions": False})
    say("naming locks")
    for name, columns in (("raw", raw), ("locks", locks), ("sites", sites), ("run", run)):
        connection.register(name, columns(events))
    connection.execute(EVENTS.format(**words(events)))
    for name, found in SPANS.items():
        if re.search(rf"\b{name}\b", query, re.IGNORECASE):
            say(f"finding {name}")
            connection.register(f"{name}_columns", lasted(events, found(events)))
            connection.execute(LASTED.format(name=name, **words(events)))
    return connection


def raw(events: Events) -> dict[str, np.ndarray]:
    """Return the columns of the events as they were recorded, and their CPUs."""
    number = np.concatenate([np.arange(count, dtype=np.int32) for count in np.diff(events.first)])
    return {"cpu": events.cpu, "event": number, **{name: events.raw[name] for name in events.raw.dtype.names or ()}}


def lasted(events: Events, spans: Spans) -> dict[str, np.ndarray]:
    """Return the columns of spans."""
    return {
        "cpu": spans.cpu, "at_ns": events.nanoseconds(events.raw["time"][spans.begin]), "ns": spans.nanoseconds,
        "class": spans.cls, "mode": spans.mode, "lock": spans.lock, "place": spans.site.astype(np.int64),
        "kind": kinds(events, spans.begin), "begin_event": spans.begin - events.first[spans.cpu],
        "end_event": spans.end - events.first[spans.cpu],
    }  # fmt: skip


def locks(events: Events) -> dict[str, np.ndarray]:
    """Return the name of each lock, and of whatever else events are about; those about nothing are left out."""
    found = np.unique(events.raw["lock"])
    found = found[found != 0]
    return {"lock": found, "name": np.array([lock_name(events, lock) for lock in found.tolist()], object)}


def sites(events: Events) -> dict[str, np.ndarray]:
    """Return the name of each place in the source."""
    found = np.array(sorted(map(int, events.run["recording"]["sites"])), np.int64)
    return {"place": found, "name": np.array([site_name(events, place) for place in found.tolist()], object)}


def run(events: Events) -> dict[str, np.ndarray]:
    """Return what run.json says in single values, a row of them."""
    return {key: np.array([value]) for key, value in events.run.items() if isinstance(value, str | int | float)}


def words(events: Events) -> dict[str, Any]:
    """Return what the views' texts have to be told: lists of names, DuckDB counts from 1, and how ticks become ns."""
    tables = {"actions": STEP_NAMES, "modes": MODE_NAMES, "operations": OPERATIONS, "classes": CLASS_NAMES}
    lists = {key: [names[number] for number in sorted(names)] for key, names in tables.items()}
    said = {key: "[" + ", ".join(f"'{name}'" for name in names) + "]" for key, names in lists.items()}
    return said | {"begin": events.run["recording"]["ticks"][0], "ns": repr(events.tick)}


def ask(events: Events, query: str, say: Callable[[str], None]) -> "DuckDBPyConnection":
    """Return a connection with the rows that a query gives.  Raises ExportError if it cannot be answered."""
    connection = connect(events, query, say)
    import duckdb

    say("asking")
    if not query.strip():
        raise ExportError("the query is empty; write for example 'select * from waits'")
    shows = re.fullmatch(r"\s*show\s+(all\s+)?tables\s*;?\s*", query, re.IGNORECASE)
    try:
        return connection.execute(SHOW_TABLES if shows else query)
    except duckdb.Error as error:
        raise ExportError(f"the query failed: {str(error).splitlines()[0]}") from error
