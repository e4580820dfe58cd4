"""The source line that an access stands in, as a number: known when it is compiled, and so a constant in compiled code.

A number, made of the file's name, is the same in every process, and so may lie in the disk cache.
"""

import sys
import zlib
from pathlib import Path

from numba.core.lowering import BaseLower

LINE_BITS = 20
FOLDER = str(Path(__file__).parent)


def line_number(file: str, line: int) -> int:
    """Return the number of a line."""
    return zlib.crc32(Path(file).name.encode()) << LINE_BITS | line


def lowered_line() -> int:
    """Return the number of the line that Numba is about to turn into LLVM code, 0 if that cannot be told.

    Numba tells a lowering neither line nor instruction, but whoever called it keeps the line for its error messages.
    """
    frame = sys._getframe(1)
    while frame.f_back:
        frame = frame.f_back
        lower = frame.f_locals.get("self")
        if isinstance(lower, BaseLower):
            return line_number(lower.loc.filename, lower.loc.line)
    return 0


def running_line() -> int:
    """Return the number of the line that runs, with the JIT off: that of the innermost frame outside of this folder."""
    frame = sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(FOLDER):
        frame = frame.f_back
    return line_number(frame.f_code.co_filename, frame.f_lineno)


def say_line(number: int) -> str:
    """Write a line as `file:line`; the file is one of a module of this process."""
    files = {Path(file).name for module in list(sys.modules.values()) if (file := getattr(module, "__file__", None))}
    names = {zlib.crc32(file.encode()): file for file in files}
    line = number & (1 << LINE_BITS) - 1
    return f"{names.get(number >> LINE_BITS, 'a file not loaded')}:{line}" if number else "a line not known"
