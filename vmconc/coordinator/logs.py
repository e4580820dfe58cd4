"""One log file for all processes of a session: workers send their records, the coordinator writes them."""

import logging
from pathlib import Path

from multiprocessing_logging import MultiProcessingHandler

LOGGER = logging.getLogger("vmconc")
LAYOUT = "%(asctime)s.%(msecs)03d %(processName)-12s %(levelname)-7s %(message)s"


class Log:
    """`log.txt` of a run directory.  Open it before the first fork."""

    def __init__(self, path: Path):
        self.path = path
        writer = logging.FileHandler(path, delay=False)
        writer.setFormatter(logging.Formatter(LAYOUT, "%H:%M:%S"))
        self.handler = MultiProcessingHandler("vmconc-log", sub_handler=writer)
        LOGGER.setLevel(logging.INFO)
        LOGGER.propagate = False
        LOGGER.addHandler(self.handler)

    def close(self) -> None:
        """Write what is still on its way and let go of the file."""
        LOGGER.removeHandler(self.handler)
        self.handler.close()
