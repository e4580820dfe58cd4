"""Every failure leaves through here: one line on standard error (an object with `--json`), the exit code, no stack."""

import json
import os
import re
import sys
import tempfile
import time
import traceback

import typer

from vmconc.coordinator.errors import EXIT_CLEAN, EXIT_INTERRUPTED, EXIT_NO_READER, EXIT_OWN, EXIT_USAGE, Failure

CLICK_ERROR: type[Exception] = next(cls for cls in typer.BadParameter.__mro__ if cls.__name__ == "ClickException")

KINDS = {"integer": "a whole number", "int": "a whole number", "number": "a number", "float": "a number"}


def guarded(app: typer.Typer, arguments: list[str]) -> int:
    """Run the command line and return its exit code."""
    as_json = "--json" in arguments
    try:
        code = called(app, arguments)
        sys.stdout.flush()
        return code
    except typer.Exit as leaving:
        return int(leaving.exit_code)
    except CLICK_ERROR as error:
        return usage(error, arguments, as_json)
    except Failure as failure:
        return say(str(failure), failure.exit_code, as_json)
    except (KeyboardInterrupt, typer.Abort):
        return say("interrupted", EXIT_INTERRUPTED, as_json)
    except (BrokenPipeError, SystemExit) as leaving:  # typer and rich make the second of the first
        if isinstance(leaving, SystemExit) and not isinstance(leaving.__context__, BrokenPipeError):
            raise
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # nothing more can be written
        return EXIT_NO_READER
    except Exception as error:
        return say(internal(error), EXIT_OWN, as_json)


def called(app: typer.Typer, arguments: list[str]) -> int:
    """Call a command; what ends it is raised, also Ctrl-C, of which typer would make an exit code without a word."""
    command = typer.main.get_command(app)
    with command.make_context("vmconc", list(arguments)) as context:
        return int(command.invoke(context) or EXIT_CLEAN)


def usage(error: Exception, arguments: list[str], as_json: bool) -> int:
    """Report a malformed command line.  Without any arguments, help is what was wanted."""
    if type(error).__name__ == "NoArgsIsHelpError":
        typer.echo(error.format_message())  # type: ignore[attr-defined]
        return EXIT_USAGE
    message = bad_value(" ".join(error.format_message().split()), arguments)  # type: ignore[attr-defined]
    context = getattr(error, "ctx", None)
    hint = f" (see {context.command_path} --help)" if context is not None else ""
    return say(message.rstrip(".") + hint, EXIT_USAGE, as_json)


def bad_value(message: str, arguments: list[str]) -> str:
    """Name option, value and fix if the message is about the value of an option, else return it as it is."""
    found = re.match(r"Invalid value for '(-[-\w]+)'", message)
    kind = next((KINDS[word] for word in KINDS if f"valid {word}" in message), "")
    if not found or not kind:
        return message
    option = found[1]
    for word, following in zip(arguments, [*arguments[1:], ""], strict=True):
        if word == option or word.startswith(f"{option}="):
            value = following if word == option else word.partition("=")[2]
            return f"{option} {value!r} is not {kind}; give one"
    return message


def say(message: str, code: int, as_json: bool) -> int:
    """Write one line and return the code."""
    line = " ".join(message.split())
    if as_json:
        print(json.dumps({"error": line, "exit_code": code}))
    else:
        print(f"vmconc: {line}", file=sys.stderr)
    return code


def internal(error: Exception) -> str:
    """Save the traceback of a bug of ours and return the line that says where."""
    name = f"vmconc-{time.strftime('%H%M%S')}-"
    with tempfile.NamedTemporaryFile("w", prefix=name, suffix=".log", delete=False) as file:
        traceback.print_exception(error, file=file)
    return f"internal error: {type(error).__name__}: {error}; this is a bug of vmconc, please report {file.name}"
