"""Pages as a parser and as a browser see them; tests that need a browser are skipped where there is none."""

import json
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

BROWSER = next((path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), "")
needs_browser = pytest.mark.skipif(not BROWSER, reason="no Chromium here")
NASTY = "<script>alert(1)</script><!-- & \" ' `"
VOID = ("meta", "link", "br", "hr", "img", "input")


class Reader(HTMLParser):
    """Reads a page as a browser would, and keeps what a test asks for."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts = [], [], {}
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.setdefault(self.open[-1] if self.open else "", []).append(data)

    def data(self):
        """Return what the page shows."""
        return json.loads(next(text for text in self.texts["script"] if text.startswith(("[", "{"))))


def assert_only_text(text):
    """Assert of a page about a run of the program NASTY that no name in it is markup, and that it asks for nothing."""
    reader = Reader(text)
    assert reader.open == [] and [tag for tag, _ in reader.tags].count("script") == 3
    assert reader.data()["title"].startswith(NASTY) and "alert(1)</script" not in text
    assert not [attributes for _, attributes in reader.tags if attributes.keys() & {"src", "href", "action"}]


def in_browser(tmp_path, text, *scripts, dark=False):
    """Open a page, run scripts in it, and return what is there then and what the browser complains of."""
    path = tmp_path / "page.html"
    added = "".join(f"<script>{script}</script>" for script in scripts)
    path.write_text(text.replace("</body>", f"{added}</body>"), encoding="utf-8")
    done = subprocess.run(
        [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path}/profile",
         "--enable-logging=stderr", *["--blink-settings=preferredColorScheme=0"] * dark, "--dump-dom", path.as_uri()],
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]
