"""The Numba types of typed references: what they refer to, and the build that they are compiled for."""

from numba import types
from numba.extending import models, register_model

from vmconc.memory.build import Build
from vmconc.memory.struct import STRUCTS, Field


class RefType(types.Type):
    """The Numba type of a reference to `struct` under `build`."""

    def __init__(self, struct: str, build: Build):
        self.struct, self.build = struct, build
        super().__init__(name=f"{struct}*{build}")

    def points(self, field: Field) -> str:
        """Return which schedule point an access to a field is (a key of ACCESS), empty: none in this build."""
        declared = STRUCTS[self.struct].points
        return declared if field.shared and self.build.points(declared) else ""

    @property
    def private(self) -> bool:
        """Tell whether one processor at a time reaches its records, and nobody brings them back."""
        return STRUCTS[self.struct].private

    def ordering(self, field: Field) -> str:
        """Return the ordering of LLVM that loads and stores of a field have; empty: they are plain.

        What no CPU changes while another one looks need not be loaded twice, but is never seen torn.
        """
        if self.private:
            return ""
        return "monotonic" if field.shared else "unordered"

    def field(self, name: str) -> Field | None:
        """Return the declaration of a field, None if there is none of that name."""
        return STRUCTS[self.struct].fields.get(name)


class ArrayType(types.Type):
    """The Numba type of a fixed array of words (`struct` empty) or of references inside a record."""

    def __init__(self, struct: str, build: Build, points: str = "", ordering: str = "monotonic"):
        self.struct, self.build, self.points, self.ordering = struct, build, points, ordering
        super().__init__(name=f"{struct or 'word'}[{points} {ordering}]*{build}")

    @property
    def private(self) -> bool:
        """Tell whether one processor at a time reaches it, and nobody brings it back."""
        return not self.ordering


@register_model(RefType)
@register_model(ArrayType)
class PairModel(models.StructModel):
    """Base address and byte offset."""

    def __init__(self, dmm, fe_type):
        super().__init__(dmm, fe_type, [("base", types.int64), ("off", types.int64)])
