"""Commands whose options stand in a record: each field is one option, or a record of options that belong together."""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, TypeVar

import typer

Record = TypeVar("Record")
Given = dict[str, str]  # the fields whose options stand in a command line, each as it could be written there


def asking(record: type[Record]) -> Callable[[Callable[[Record], int]], Callable[..., int]]:
    """Make a command with all options of a record out of a function of what is asked."""
    return lambda function: command_of(record, function)


def command_of(record: type[Record], function: Callable[[Record], int]) -> Callable[..., int]:
    """Return a function with a parameter for each option, as typer reads them."""

    def command(**values: object) -> int:
        return function(filled(record, values))

    parameters = [
        inspect.Parameter(
            option.name, inspect.Parameter.KEYWORD_ONLY, annotation=option.type, default=default_of(option)
        )
        for option in options_of(record)
    ]
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    command.__doc__ = function.__doc__
    return command


def options_of(record: Any) -> "Iterator[Field[Any]]":
    """Go through the options of a record in their order, those of the records in it where these stand."""
    for option in fields(record):
        if is_dataclass(option.type):
            yield from options_of(option.type)
        else:
            yield option


def default_of(option: "Field[Any]") -> object:
    """Return the default of an option; an argument without one has to be given."""
    if option.default_factory is not MISSING:
        return option.default_factory()
    return inspect.Parameter.empty if option.default is MISSING else option.default


def filled(record: Any, values: dict[str, object]) -> Any:
    """Return a record with the values of a command line, and the records in it with theirs."""
    return record(**{
        option.name: filled(option.type, values) if is_dataclass(option.type) else values[option.name]
        for option in fields(record)
    })  # fmt: skip


def given_in(context: typer.Context) -> Given:
    """Return what the command line gives; the rest are defaults."""
    return {
        str(option.name): " ".join(written(option.opts[0], context.params[str(option.name)]))
        for option in context.command.params
        if getattr(context.get_parameter_source(str(option.name)), "name", "") == "COMMANDLINE"
    }


def written(option: str, value: object) -> list[str]:
    """Return the words by which an option is given: a flag, a value, or several times one value."""
    if value is True:
        return [option]
    return [word for each in (value if isinstance(value, list) else [value]) for word in (option, str(each))]
