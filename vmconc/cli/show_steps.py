"""Writes the steps of an execution, one column a CPU or, where those do not fit, one lane, and what they come to."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from vmconc.cli.show import console
from vmconc.explore.explain import Explained
from vmconc.explore.fold import Fold, fold
from vmconc.explore.say_swap import numbers_of
from vmconc.explore.story import Row

ROWS_SHOWN = 60
GAP = 2  # blanks between columns
LANES = 32  # CPUs for which there is room for lanes
HERE, FOLDED, ELSEWHERE = "o", ":", "."  # in a lane
PREEMPTED, DECISIVE = ">", "*"
LEGEND = {
    PREEMPTED: f"{PREEMPTED} the CPU of the step above could have gone on",
    DECISIVE: f"{DECISIVE} the swap",
}  # fmt: skip


def show_explained(explained: Explained, limit: int = ROWS_SHOWN) -> None:
    """Print the steps (0: all, else the last ones), who goes round, the swap, and what the words concerned held."""
    out = console()
    show_rows(out, explained, limit)
    for line in explained.loop:
        out.print(line, markup=False)
    if explained.swap:
        title = "the decisive swap: " if explained.swap.found else "a decisive swap: "
        out.print(title + explained.swap.text, markup=False)
    show_state(out, explained)


def show_rows(out: Console, explained: Explained, limit: int) -> None:
    """Print the steps, cycles folded."""
    decisive = numbers_of(explained.swap)
    lines = fold(explained.rows, decisive)
    shown = lines[-limit:] if limit else lines
    if len(shown) < len(lines):
        out.print(f"... {len(lines) - len(shown)} lines before (vmconc replay shows all)")
    cpus = sorted({row.cpu for row in explained.rows})
    table = columns(shown, cpus, decisive)
    fits = Console(width=10_000).measure(table).maximum <= out.width
    out.print(table if fits else lanes(shown, cpus, decisive))
    used = {mark for line in shown for mark in marks(line, decisive)}
    legend = [text for mark, text in LEGEND.items() if mark in used]
    if legend:
        out.print("; ".join(legend), markup=False)


def columns(lines: list[Row | Fold], cpus: list[int], decisive: set[int]) -> Table:
    """Return the steps in the columns of their CPUs."""
    table = new_table("step", "", *(f"cpu {cpu}" for cpu in cpus))
    for line in lines:
        own = line.cpu if isinstance(line, Row) else line.cpus[0]
        table.add_row(number(line), marks(line, decisive), *(Text(line.text if cpu == own else "") for cpu in cpus))
    return table


def lanes(lines: list[Row | Fold], cpus: list[int], decisive: set[int]) -> Table:
    """Return the steps one below the other, each with a mark in the narrow lane of its CPU."""
    drawn = len(cpus) <= LANES
    table = new_table("step", "", *(str(cpu) for cpu in cpus if drawn), "")
    table.padding = (0, 1, 0, 0)
    for line in lines:
        own = [line.cpu] if isinstance(line, Row) else line.cpus
        mark = HERE if isinstance(line, Row) else FOLDED
        spots = [mark if cpu in own else ELSEWHERE for cpu in cpus if drawn]
        who = ", ".join(f"cpu {cpu}" for cpu in own)
        table.add_row(number(line), marks(line, decisive), *spots, Text(f"{who}: {line.text}"))
    return table


def new_table(*names: str) -> Table:
    """Return an empty table; what is too long for the terminal runs over."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0))
    for name in names:
        table.add_column(name, no_wrap=True, overflow="ignore")
    return table


def number(line: Row | Fold) -> str:
    """Return the number of the step that a row begins."""
    return str(line.number) if isinstance(line, Row) and line.number else ""


def marks(line: Row | Fold, decisive: set[int]) -> str:
    """Return the marks of a step."""
    if isinstance(line, Fold):
        return ""
    return PREEMPTED * line.preempted + DECISIVE * (line.number in decisive)


def show_state(out: Console, explained: Explained) -> None:
    """Print what the words concerned held."""
    if not explained.state:
        return
    swapped = any(word.swapped for word in explained.state)
    table = new_table("word", "at first", "when it failed", *(["with the swap"] if swapped else []))
    for word in explained.state:
        table.add_row(*(Text(text) for text in (word.name, word.first, word.failed, word.swapped)[: 3 + swapped]))
    out.print(table)
