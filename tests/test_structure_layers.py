"""Who may import whom: each part of the package only what stands below it, and no protocol another one."""

import ast
from pathlib import Path

import pytest

import vmconc

ROOT = Path(vmconc.__file__).parent
KERNELS = {"memory", "schedule", "locks", "vm"}
SHELL = KERNELS | {"checks", "coordinator", "explore", "program", "protocols", "statistics", "vmconc"}
MAY = {
    "memory": set(), "schedule": {"memory"}, "locks": {"memory", "schedule"}, "vm": {"memory", "schedule", "locks"},
    "protocols": KERNELS, "program": {"vm", "vmconc"}, "traces": {"program", "vm"}, "checks": KERNELS | {"protocols"},
    "coordinator": KERNELS | {"analysis", "checks", "program", "protocols", "statistics", "traces", "vmconc"},
    "concurrent": KERNELS | {"explore"}, "explore": SHELL | {"analysis", "concurrent", "document"},
    "pytest_plugin": {"explore"}, "statistics": set(), "document": set(), "analysis": KERNELS | {"statistics"},
    "export": KERNELS | {"analysis"}, "page": KERNELS | {"analysis", "document", "export", "vmconc"},
    "cli": SHELL | {"analysis", "export", "page"}, "__main__": {"cli"},
}  # fmt: skip


def modules(tree: ast.AST) -> set[str]:
    """Return the modules of this package that a file imports, wherever in it."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} if node.module != "vmconc" else {f"vmconc.{name.name}" for name in node.names}
        elif isinstance(node, ast.Import):
            found |= {name.name for name in node.names}
    return {name for name in found if name.split(".")[0] == "vmconc"}


def part(module: str) -> str:
    """Return the part of the package that a module belongs to; `vmconc` for a name of the package itself."""
    names = module.split(".")
    return names[1] if len(names) > 1 and names[1] != "__version__" else "vmconc"


def imports() -> dict[Path, set[str]]:
    """Return what every file of the package imports of it."""
    return {path.relative_to(ROOT): modules(ast.parse(path.read_text())) for path in ROOT.rglob("*.py")}


@pytest.mark.parametrize("name", sorted(MAY))
def test_a_part_imports_only_what_stands_below_it(name):
    files = {path: found for path, found in imports().items() if path.with_suffix("").parts[0] == name}
    assert files
    wrong = {str(path): sorted({part(m) for m in found} - MAY[name] - {name}) for path, found in files.items()}
    assert not {path: found for path, found in wrong.items() if found}


def test_every_part_is_in_the_table():
    assert {path.with_suffix("").parts[0] for path in imports()} - {"__init__"} == set(MAY)


def test_no_protocol_imports_another():
    for path, found in imports().items():
        if path.parts[0] == "protocols" and len(path.parts) > 2:
            others = {name.split(".")[2] for name in found if name.startswith("vmconc.protocols.")}
            assert others <= {path.parts[1]}, path
