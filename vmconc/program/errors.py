"""What can be wrong with a program or a plan; each message is one line that names the thing, the value and the fix."""


class PlanError(ValueError):
    """Operations that no emulated program could issue, such as a touch by an LWP that has exited."""


class ProgramError(ValueError):
    """A program that cannot be found, is given wrong options, or raises."""
