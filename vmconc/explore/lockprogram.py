"""A lock program's file as something to explore: its threads on CPUs that take turns, what runs last behind them."""

import importlib.util
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

from vmconc.explore.laboratory import CLASSES, Laboratory, engine_tables
from vmconc.locks.classes import RWLOCK
from vmconc.memory.build import Build
from vmconc.memory.jit import VARIANT
from vmconc.memory.segment import Sizes, create
from vmconc.memory.struct import STRUCTS, WORD_BYTES, Embed
from vmconc.program.errors import ProgramError

QUEUES = 64
LOADED: dict[str, ModuleType] = {}


def load_file(path: Path, options: dict[str, int] | None = None) -> ModuleType:
    """Import a program's file with these options, once.  Raises ProgramError with what went wrong there."""
    path, options = path.resolve(), options or {}
    variant = ",".join(f"{name}={options[name]}" for name in sorted(options))
    name = module_name(path, variant)
    if name not in LOADED:
        LOADED[name] = import_file(path, name, options, variant)
    return LOADED[name]


def module_name(path: Path, variant: str = "") -> str:
    """Return the name under which a file is imported with some options."""
    return f"vmconc_program_{path.stem}_{zlib.crc32(f'{path} {variant}'.encode()):08x}"


def import_file(path: Path, name: str, options: dict[str, int], variant: str) -> ModuleType:
    """Import a program's file under a name that is the same in every process: the disk cache refers to it."""
    from vmconc.concurrent import GIVEN, forget

    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ProgramError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    vars(module)[VARIANT] = variant
    forget(name)
    GIVEN.clear()
    GIVEN.update(options)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise ProgramError(f"{path}: {type(error).__name__}: {error}") from error
    if GIVEN:
        raise ProgramError(f"{path} has no option {', '.join(sorted(GIVEN))}")
    return module


def lock_laboratory(module: ModuleType, watched: int = 0, check: str = "", races: bool = False) -> Laboratory:
    """Return an engine for a lock program; `watched`: keep so many lock operations; `check`: what runs last.

    `races`: data races are looked for.

    Raises ProgramError.
    """
    from vmconc.concurrent import LATER

    declared, threads, last = declared_by(module, check)
    cpus = len(threads) + (last is not None)
    words = STRUCTS[declared.struct].stride // WORD_BYTES
    tables = {
        "Violation": 4, "Step": watched, declared.struct: 1, "Guard": words,
        **engine_tables(cpus, noted=watched, words=words + cpus, classes=CLASSES, races=races),
    }  # fmt: skip
    segment = make_segment(tables, Build("controlled"), cpus)
    root = segment.nth(declared.struct, 0)
    begin_with(root, declared)
    guard_words(segment, root, declared.atomics)
    bodies = threads + ([last] if last is not None else [])
    lab = Laboratory(segment, bodies, root, daemons=int(last is not None), finale=last is not None)
    for index in LATER.get(module.__name__, []):
        fiber: Any = segment.nth("Fiber", index)
        fiber.later = 1
    engine: Any = lab.engine
    engine.racing = int(races)
    return lab


def declared_by(module: ModuleType, check: str = "") -> tuple[Any, list[Any], Any]:
    """Return a program's shared class, its threads, what runs last.  Raises ProgramError without class or thread."""
    from vmconc.concurrent import declared_in

    declared, threads, last = declared_in(module, check)
    if declared is None or not threads:
        raise ProgramError(f"{module.__file__} has no @shared class or no @thread: see `vmconc.concurrent`")
    return declared, threads, last


def make_segment(tables: dict[str, int], build: Build, cpus: int) -> Any:
    """Return the mapping of a program about locks, with its CPUs."""
    segment = create(Sizes({"Cpu": cpus, "SleepQueue": QUEUES, **tables}), build, cpus=cpus)
    for index in range(cpus):
        cpu: Any = segment.nth("Cpu", index)
        cpu.index, cpu.lwp, cpu.op = index, -1, -1
    return segment


def guard_words(segment: Any, root: Any, atomics: list[str]) -> None:
    """Write down which lock guards each word of the shared record, and which are always accessed atomically."""
    segment.nth("Scheduler", 0).guarded = root.off
    fields = STRUCTS[root.struct].fields
    for field in fields.values():
        first = field.offset // WORD_BYTES
        words = segment.view("Guard")[first : first + field.words]
        if field.name in atomics:
            words["atomic"] = 1
        elif field.guard[0] in fields:
            words["lock"] = root.off + fields[field.guard[0]].offset


def begin_with(root: Any, declared: Any) -> None:
    """Give the shared words their first values, and each readers-writer lock its class."""
    for name, value in declared.begins.items():
        setattr(root, name, value)
    for field in STRUCTS[declared.struct].fields.values():
        if field.kind == Embed("Lockmgr"):
            getattr(root, field.name).cls = RWLOCK
