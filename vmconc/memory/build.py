"""What a reference was compiled for: mode, protocol, switched-on bugs, steps.  Part of the type, so it is free.

One source is compiled once for each build.  A build's name is part of every Numba type name and so of
the disk cache's key.
"""

from dataclasses import dataclass

MODES = ("off", "counted", "timed", "recorded", "controlled")
ALWAYS, ON_REQUEST = "always", "on request"  # when accesses to a struct are schedule points of controlled builds


@dataclass(frozen=True)
class Build:
    """Mode of tracking, name of the protocol (may be empty below `vm`), names of switched-on bugs, sorted.

    `accesses`: each access to a shared record of the machine is a schedule point.  `delayed`: locks may be delayed.
    """

    mode: str = "counted"
    protocol: str = ""
    bugs: tuple[str, ...] = ()
    accesses: bool = False
    delayed: bool = False

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise ValueError(f"no mode {self.mode!r}; choose one of {', '.join(MODES)}")
        if self.delayed and self.mode == "controlled":
            raise ValueError("where CPUs take turns time stands still: a delay has no meaning there")
        object.__setattr__(self, "bugs", tuple(sorted(self.bugs)))

    def __str__(self) -> str:
        more = ["accesses"] * self.accesses + ["delayed"] * self.delayed
        return "+".join([f"{self.mode}.{self.protocol}", *self.bugs, *more])

    def points(self, declared: str) -> bool:
        """Tell whether accesses to a struct that declares so are schedule points."""
        return self.mode == "controlled" and (declared == ALWAYS or (declared == ON_REQUEST and self.accesses))
