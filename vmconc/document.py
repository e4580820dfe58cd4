"""A page for a browser as one file: everything in it, nothing fetched, and all that is shown taken as text."""

import html
import json
import re
from typing import Any

HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>@TITLE@</title>"""  # what a page may load stands in its template


def filled(template: str, texts: dict[str, str]) -> str:
    """Put texts where the template says @NAME@; what a text says itself is left alone."""
    return re.sub("@([A-Z]+)@", lambda found: texts[found[1]], template)


def titled(title: str, data: Any) -> dict[str, str]:
    """Return the texts that every page has: HEAD, and DATA as JSON.  Raises ValueError if there is a NaN in it."""
    return {"HEAD": filled(HEAD, {"TITLE": html.escape(title)}), "DATA": embedded(data)}


def embedded(data: Any) -> str:
    """Return JSON that ends no script, whatever it says."""
    text = json.dumps(data, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
