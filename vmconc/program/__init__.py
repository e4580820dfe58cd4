"""Programs as data: the operations that emulated CPUs execute, their order and what each read must see."""

from vmconc.program.builder import PlanBuilder
from vmconc.program.errors import PlanError, ProgramError
from vmconc.program.programs import Option

__all__ = ["Option", "PlanBuilder", "PlanError", "ProgramError"]
