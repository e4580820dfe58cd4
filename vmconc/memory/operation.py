"""Operations that every protocol performs in its own way: chosen by the build, at compile time.

`vm/` declares one with `@operation` and calls it by name; a protocol's module provides it with
`@implements(operation)`.  No function is passed into compiled code, so everything stays on the disk cache.
"""

import inspect

from numba.extending import overload

from vmconc.memory.jit import kernel


class Operation:
    """A function to be provided by each protocol.  Its first argument is a reference: the build names the protocol."""

    def __init__(self, function):
        self.name, self.__doc__ = function.__name__, function.__doc__
        self.signature = inspect.signature(function)
        self.providers: dict[str, object] = {}


def operation(function):
    """Declare an operation; the body is only its documentation."""
    declared = Operation(function)

    def dispatch(*args):
        return provider(declared, args[0].build.protocol)(*args)

    dispatch.__name__, dispatch.__doc__, dispatch.operation = declared.name, declared.__doc__, declared
    namespace = {"declared": declared, "wrapper": wrapper}
    names = ", ".join(declared.signature.parameters)
    exec(f"def choose({names}):\n    return wrapper(declared, {names.split(', ')[0]})", namespace)
    overload(dispatch)(namespace["choose"])
    return dispatch


def provider(declared: Operation, protocol: str):
    """Return the kernel with which `protocol` performs the operation."""
    if protocol not in declared.providers:
        raise NotImplementedError(f"protocol {protocol!r} does not provide {declared.name}")
    return declared.providers[protocol]


def wrapper(declared: Operation, first):
    """Return a function of the operation's own parameters that calls the provider."""
    names = ", ".join(declared.signature.parameters)
    namespace = {"provided": provider(declared, first.build.protocol)}
    exec(f"def {declared.name}({names}):\n    return provided({names})", namespace)
    return namespace[declared.name]


def implements(dispatch, protocol: str):
    """Decorate the function with which `protocol` performs the operation `dispatch`; it becomes a kernel."""

    def register(function):
        compiled = kernel(function)
        wanted = list(dispatch.operation.signature.parameters)
        if list(inspect.signature(function).parameters) != wanted:
            raise TypeError(f"{function.__module__}.{function.__name__} must take ({', '.join(wanted)})")
        dispatch.operation.providers[protocol] = compiled
        return compiled

    return register
