"""What the validator found in a run's events."""

import msgspec


class Broken(msgspec.Struct):
    """One rule that was broken."""

    rule: str
    meaning: str
    count: int
    examples: list[str]


class Checked(msgspec.Struct):
    """What was found, and what was not looked at."""

    run_dir: str
    events: int
    rules: list[str]  # that were checked
    broken: list[Broken]
    not_checked: list[str]
    notes: list[str]

    @property
    def exit_code(self) -> int:
        """Return 1 if a rule was broken, 2 if nothing could be checked."""
        return 1 if self.broken else 0 if self.rules else 2
