"""Questions about the build of a reference: constants in compiled code, so the branch not taken is not there."""

from llvmlite import ir
from numba import types

from vmconc.memory.lowering import lowers
from vmconc.memory.reftypes import RefType


def tracked(ref) -> bool:
    """Tell whether lock operations are counted and held locks recorded (every mode but `off`)."""
    return ref.build.mode != "off"


def timed(ref) -> bool:
    """Tell whether waits and holds are timed, and counted in histograms."""
    return ref.build.mode == "timed"


def recorded(ref) -> bool:
    """Tell whether each lock operation is written to the CPU's ring of events."""
    return ref.build.mode == "recorded"


def logged(ref) -> bool:
    """Tell whether somebody is told of each step, one by one."""
    return ref.build.mode in ("recorded", "controlled")


def controlled(ref) -> bool:
    """Tell whether lock operations are schedule points."""
    return ref.build.mode == "controlled"


def bug(ref, name: str) -> bool:
    """Tell whether the named bug is switched on in this build."""
    return name in ref.build.bugs


def delayed(ref) -> bool:
    """Tell whether CPUs look at each lock operation whether they shall be delayed there."""
    return ref.build.delayed


def answer(function, question) -> None:
    """Lower `function(ref, ...)` to the constant `question(build, *literals)`."""

    def codegen(context, builder, sig, args):
        literals = [typ.literal_value for typ in sig.args[1:]]
        return ir.Constant(ir.IntType(1), int(question(sig.args[0].build, *literals)))

    def typing(ref, *names):
        fits = isinstance(ref, RefType) and all(isinstance(name, types.StringLiteral) for name in names)
        return types.boolean if fits else None

    lowers(function, typing)(codegen)


answer(tracked, lambda build: build.mode != "off")
answer(timed, lambda build: build.mode == "timed")
answer(recorded, lambda build: build.mode == "recorded")
answer(logged, lambda build: build.mode in ("recorded", "controlled"))
answer(controlled, lambda build: build.mode == "controlled")
answer(delayed, lambda build: build.delayed)
answer(bug, lambda build, name: name in build.bugs)
