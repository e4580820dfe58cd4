"""Puts sections, scripts and charts together as one file."""

import importlib.resources

import msgspec

import vmconc
from vmconc.document import filled, titled
from vmconc.page.parts import Section

SCRIPTS = (
    "start", "table", "text", "charts", "heat", "bars", "pairs", "spans", "flow", "arcs", "curves", "icicle", "page",
)  # fmt: skip


def written(title: str, subtitle: str, sections: list[Section]) -> str:
    """Return the page."""
    from plotly.offline import get_plotlyjs

    texts = {"STYLE": asset("style.css"), "SCRIPTS": "\n".join(asset(f"{name}.js") for name in SCRIPTS)}
    about = {"title": title, "subtitle": subtitle, "version": vmconc.__version__}
    data = {**about, "sections": msgspec.to_builtins(sections)}
    return filled(asset("page.html"), {**texts, **titled(title, data), "PLOTLY": get_plotlyjs()})


def asset(name: str) -> str:
    """Return one of the files that a page is put together from."""
    return importlib.resources.files("vmconc.page").joinpath("assets", name).read_text(encoding="utf-8")
