"""What can be wrong with a trace, always said with the file and the line."""


class TraceError(ValueError):
    """A trace that cannot be used; `str` of it is one line, `FILE:LINE: reason` (no line for a binary file)."""

    def __init__(self, file: str, line_number: int, reason: str) -> None:
        self.file, self.line_number, self.reason = file, line_number, reason
        place = f"{file}:{line_number}" if line_number else file
        super().__init__(f"{place}: {reason}")


class BadRecord(ValueError):
    """A record that makes no sense; its reader knows file and line."""
