"""Programs for emulated CPUs: Python files found by name or path, run once to build a plan.

A program file has a docstring, `OPTIONS` and `program(build, cpus, options)`; see workers/ for the built-in ones.
"""

import difflib
import importlib.util
import traceback
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace

import vmconc
from vmconc.program.builder import PlanBuilder
from vmconc.program.errors import ProgramError
from vmconc.program.plan import Plan


@dataclass(frozen=True)
class Option:
    """An option of a program.  Its kind is that of its default: an int within bounds, or a string."""

    default: int | str
    help: str
    min: int = 0
    max: int = 1 << 30

    def read(self, text: str) -> int | str:
        """Return the value that `text` stands for; a ValueError says what is allowed."""
        if isinstance(self.default, str):
            return text
        try:
            value = int(text, 0)
        except ValueError:
            raise ValueError("a whole number") from None
        if not self.min <= value <= self.max:
            raise ValueError(f"{self.min} to {self.max}")
        return value


@dataclass(frozen=True)
class ProgramInfo:
    """A program that can be run."""

    name: str
    summary: str
    options: dict[str, Option]


def load_program(name_or_path: str, cpus: int, given: dict[str, str], seed: int = 0) -> Plan:
    """Return the plan of a program for this many CPUs, with the options given as text."""
    module = _module(_find(name_or_path))
    options = _options(module, given)
    build = PlanBuilder(module.__name__, seed)
    try:
        plan = module.program(build, cpus, SimpleNamespace(**options))
        return plan if isinstance(plan, Plan) else build.finish()  # the trace program brings a finished plan
    except Exception as error:
        raise ProgramError(_place(module, error)) from error


def list_programs() -> list[ProgramInfo]:
    """Return the built-in programs."""
    return [_info(_module(file)) for file in sorted(_directory().glob("[a-z]*.py"))]


def describe(name_or_path: str) -> ProgramInfo:
    """Return what is known of one program, before it is run."""
    return _info(_module(_find(name_or_path)))


def _directory() -> Path:
    """Return the folder of the built-in programs: inside the installed package, else beside it in a checkout."""
    package = Path(vmconc.__file__).parent
    installed = package / "_workers"
    return installed if installed.is_dir() else package.parent / "workers"


def lock_program(name: str) -> str:
    """Return the path of a built-in program about locks."""
    return str(_directory() / "locks" / f"{name}.py")


def _find(name_or_path: str) -> Path:
    """Return the file of a program."""
    if name_or_path.endswith(".py"):
        path = Path(name_or_path)
        if not path.is_file():
            raise ProgramError(f"no program file '{name_or_path}'; give a .py file or a name (vmconc list)")
        return path
    names = [file.stem for file in _directory().glob("[a-z]*.py")]
    if name_or_path not in names:
        close = difflib.get_close_matches(name_or_path, names, 1)
        hint = f"did you mean '{close[0]}'? " if close else ""
        raise ProgramError(f"no program '{name_or_path}'; {hint}(vmconc list)")
    return _directory() / f"{name_or_path}.py"


def _module(file: Path) -> ModuleType:
    """Execute a program file and return it as a module."""
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise ProgramError(f"{file}:{error.lineno}: {error.msg}") from error
    except Exception as error:
        raise ProgramError(_place(module, error)) from error
    if not callable(getattr(module, "program", None)):
        raise ProgramError(f"{file}: no function program(build, cpus, options)")
    return module


def _info(module: ModuleType) -> ProgramInfo:
    """Describe a program."""
    lines = (module.__doc__ or "").strip().splitlines()
    return ProgramInfo(module.__name__, lines[0] if lines else "", getattr(module, "OPTIONS", {}))


def _options(module: ModuleType, given: dict[str, str]) -> dict[str, int | str]:
    """Return the value of every option."""
    known: dict[str, Option] = getattr(module, "OPTIONS", {})
    values: dict[str, int | str] = {name: option.default for name, option in known.items()}
    for name, text in given.items():
        if name not in known:
            close = difflib.get_close_matches(name, known, 1)
            hint = f"did you mean '{close[0]}'? " if close else ""
            allowed = ", ".join(sorted(known)) or "none"
            raise ProgramError(f"program {module.__name__} has no option '{name}'; {hint}(it has: {allowed})")
        try:
            values[name] = known[name].read(text)
        except ValueError as error:
            raise ProgramError(f"option {name} of {module.__name__}: '{text}' is not allowed; give {error}") from None
    return values


def _place(module: ModuleType, error: Exception) -> str:
    """Return one line: file, line and error, the line being the innermost one of the program's own file."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == module.__file__]
    message = " ".join(str(error).split())
    return f"{module.__file__}:{lines[-1] if lines else 1}: {type(error).__name__}: {message}"
