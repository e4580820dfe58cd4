"""How a plain Python function gets a second meaning in compiled code.

The body is the specification and what runs with the JIT off.  The lowering, registered on the same
function, is what LLVM does.  A literal argument (a field's or a struct's name) reaches the lowering as a literal.
"""

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin

llvm.initialize_native_asmparser()  # for the lowerings that are assembly
I8, I64 = ir.IntType(8), ir.IntType(64)
WORD = I64.as_pointer()


def lowers(function, typing):
    """Decorate the code generator of `function`; `typing(*argument types)` gives the result type, None to refuse."""

    def generic(self, args, kws):
        result = None if kws else typing(*args)
        return None if result is None else signature(result, *args)

    fields = {"key": function, "prefer_literal": True, "generic": generic}
    template = type(f"Template_{function.__name__}", (AbstractTemplate,), fields)
    infer_global(function, types.Function(template))

    def register(codegen):
        def lower(context, builder, sig, args):
            return codegen(context, builder, sig, args)

        lower_builtin(function, types.VarArg(types.Any))(lower)
        return codegen

    return register


def constant(value: int) -> ir.Constant:
    """Return a 64-bit constant."""
    return ir.Constant(I64, value)


def as_word(context, builder, value, typ):
    """Cast a Numba integer or boolean of type `typ` to a 64-bit word."""
    return context.cast(builder, value, typ, types.int64)


def load_invariant(builder, pointer):
    """Load a word that never changes while compiled code runs: LLVM need not load it twice."""
    word = builder.load(pointer)
    word.set_metadata("invariant.load", builder.module.add_metadata([]))
    return word


def parts(context, builder, typ, value):
    """Open a reference: a struct proxy with `base` and `off`."""
    return cgutils.create_struct_proxy(typ)(context, builder, value)
