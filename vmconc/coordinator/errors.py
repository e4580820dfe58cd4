"""What a command can fail with, by whose fault it is; each carries its exit code and one line for the user.

Failure
  UsageError      2  asked wrongly: an unknown name, a bad value, an unreadable file
  StallError      3  somebody does not go on
  EmulatorError   4  vmconc's own fault, or its machine's: no shared memory, a worker died before it began
"""

EXIT_CLEAN, EXIT_VIOLATION, EXIT_USAGE, EXIT_STUCK, EXIT_OWN, EXIT_CONDITION = 0, 1, 2, 3, 4, 5
EXIT_INTERRUPTED = 130
EXIT_NO_READER = 141  # who read the output has left, as `head` does: as if the signal SIGPIPE had ended us


class Failure(Exception):
    """A command cannot go on; the message is for the user."""

    exit_code = EXIT_OWN


class UsageError(Failure):
    """The request is wrong: the message names the option, the value and the fix."""

    exit_code = EXIT_USAGE


class StallError(Failure):
    """Somebody has not gone on for too long."""

    exit_code = EXIT_STUCK


class EmulatorError(Failure):
    """Not the user's fault."""
