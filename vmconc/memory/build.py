"""What a reference was compiled for: mode, protocol, switched-on bugs.  It is part of the type, so it costs nothing.

One source is compiled once for each build.  A build's name is part of every Numba type name and so of
the disk cache's key.
"""

from dataclasses import dataclass

MODES = ("off", "counted", "controlled")


@dataclass(frozen=True)
class Build:
    """Mode of tracking, name of the protocol (may be empty below `vm`), names of switched-on bugs, sorted."""

    mode: str = "counted"
    protocol: str = ""
    bugs: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"no mode {self.mode!r}; choose one of {', '.join(MODES)}")
        object.__setattr__(self, "bugs", tuple(sorted(self.bugs)))

    def __str__(self) -> str:
        return "+".join([f"{self.mode}.{self.protocol}", *self.bugs])
