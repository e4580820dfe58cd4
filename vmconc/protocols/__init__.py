"""The locking protocols.  One folder each; they never import one another."""

import importlib
from pathlib import Path
from types import ModuleType


def protocol_names() -> list[str]:
    """List the protocols: the folders beside this file."""
    return sorted(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py"))


def load_protocol(name: str) -> ModuleType:
    """Import a protocol's kernels and return its package, whose docstring describes it.  Raises KeyError."""
    if name not in protocol_names():
        raise KeyError(name)
    return importlib.import_module(f"{__name__}.{name}")
