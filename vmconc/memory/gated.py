"""Kernels that only builds of mode `controlled` have: elsewhere a call is the constant False and not compiled."""

import inspect

from numba.extending import overload

from vmconc.memory.jit import jit_off, kernel


def controlled_only(function, apart=True):
    """Make a kernel of `function`, whose first argument is a reference: its build decides.  `apart`: see `kernel`."""
    compiled = kernel(function, apart)
    if jit_off():
        return compiled
    names = ", ".join(inspect.signature(function).parameters)
    first = names.split(", ")[0]

    def dispatch(*args):
        return compiled(*args)

    namespace = {"compiled": compiled}
    exec(
        f"def there({names}):\n    return compiled({names})\n"
        f"def absent({names}):\n    return False\n"
        f"def choose({names}):\n    return there if {first}.build.mode == 'controlled' else absent",
        namespace,
    )
    dispatch.compile = compiled.compile  # how the disk cache restores it (outline.py)
    overload(dispatch)(namespace["choose"])
    return dispatch
