"""Larger kernels are called, not copied: keeps a cold compile linear in the size of the source.

Numba links the code of every callee, and of the callee's callees, into each caller and optimises the whole
again.  Here a kernel above a size is left out of its callers' modules, which call it by symbol.  A caller that
is restored from the disk cache first restores what it calls: the list goes with it (`reload_init`).
"""

import contextlib
import dis
import hashlib
import importlib
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from numba.core import compiler, dispatcher, types
from numba.core.bytecode import FunctionIdentity
from numba.core.registry import cpu_target

INLINE_INSTRUCTIONS = 75  # bytecode instructions up to which a kernel is copied into its callers
OUTLINED: set[tuple[str, str]] = set()


@dataclass(frozen=True)
class Restore:
    """Make one compiled form of a kernel available in this process, from the disk cache if it is there."""

    module: str
    name: str
    arguments: tuple[Any, ...]

    def __call__(self) -> None:
        getattr(importlib.import_module(self.module), self.name.partition("[")[0]).compile(self.arguments)


class Outside:
    """Stands in for the code library of an outlined kernel: nothing to link, something to restore."""

    empty = llvm.parse_assembly("")

    def __init__(self, restore: Restore):
        self._reload_init = {restore}

    def _ensure_finalized(self) -> None:
        """Do nothing: the kernel's own library is finished."""

    def _get_module_for_linking(self):
        """Return a module without content."""
        return Outside.empty


def outline(function, apart: bool) -> None:
    """Remember that a module-level function of many instructions, or `apart`, shall not be copied into its callers."""
    if "<locals>" in function.__qualname__:
        return
    if apart or sum(1 for _ in dis.get_instructions(function)) > INLINE_INSTRUCTIONS:
        OUTLINED.add((function.__module__, function.__qualname__))


def without_literals(dispatcher):
    """Have a kernel compiled once for all integers: Numba would compile it anew for each constant it is called with."""
    template = dispatcher.get_call_template

    def get_call_template(args, kws):
        plain = {name: types.unliteral(typ) for name, typ in kws.items()}
        return template(tuple(types.unliteral(typ) for typ in args), plain)

    dispatcher.get_call_template = get_call_template
    return dispatcher


def stable_number(module: str, name: str) -> int:
    """Return 48 bits that stand for a kernel in its symbol: the same in every process."""
    return int(hashlib.sha256(f"{module}.{name}".encode()).hexdigest()[:12], 16)


def name_stably() -> None:
    """Have Numba name an outlined kernel's symbol the same in every process.

    It numbers functions as they come.  Two processes that compile side by side may lose an entry of the cache's
    index to each other; who compiles it again must give it the name by which its callers know it.
    """
    identify = FunctionIdentity.from_function.__func__

    def from_function(cls, function):
        identity = identify(cls, function)
        if (identity.modname, identity.func_qualname) in OUTLINED:
            identity.unique_id = stable_number(identity.modname, identity.func_qualname)
            identity.unique_name = f"{identity.func_qualname}${identity.unique_id}"
        return identity

    FunctionIdentity.from_function = classmethod(from_function)


def pass_restores_on() -> None:
    """Have a kernel that comes from the disk cache tell who copies it what it calls by symbol, as a compiled one does.

    Else its new caller works in this process, where all is there, and aborts the next one that restores it.
    """
    rebuild = compiler.CompileResult._rebuild.__func__

    def rebuild_with_restores(cls, target, data, *rest):
        result = rebuild(cls, target, data, *rest)
        result.library._reload_init.update(result.reload_init or ())
        return result

    compiler.CompileResult._rebuild = classmethod(rebuild_with_restores)


def install() -> None:
    """Have Numba link nothing of an outlined kernel into its callers."""
    name_stably()
    pass_restores_on()
    context = cpu_target.target_context
    link = context.insert_user_function

    def insert_user_function(func, fndesc, libs=()):
        if (fndesc.modname, fndesc.qualname) in OUTLINED:
            libs = [Outside(Restore(fndesc.modname, fndesc.qualname, tuple(fndesc.argtypes)))]
        link(func, fndesc, libs)

    context.insert_user_function = insert_user_function
    # Each compilation that is under way times every LLVM call of those nested in it, for statistics nobody reads here.
    dispatcher.ev.install_timer = lambda kind, callback: contextlib.nullcontext()


install()
