"""Reads back what `vmconc explore` has kept in a file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from vmconc.program.errors import ProgramError


class Kept(Protocol):
    """The content of a file."""

    format: int


Content = TypeVar("Content", bound=Kept)


def read_kept(path: Path, kind: type[Content], decode: Callable[..., Any], form: int, name: str) -> Content:
    """Return the content, of this format.  Raises ProgramError with one line that calls it by its name."""
    try:
        found: Content = decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ProgramError(f"{path}: {error.strerror}") from error
    except msgspec.MsgspecError as error:
        raise ProgramError(f"{path} is no {name} of vmconc explore: {error}") from error
    if found.format != form:
        raise ProgramError(f"{path} has format {found.format}, this version of vmconc reads format {form}")
    return found
