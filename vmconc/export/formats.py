"""The formats there are, and the file that one is written to: all of it, or nothing."""

from collections.abc import Callable
from pathlib import Path

from vmconc.analysis.events import Events
from vmconc.export.csv import write_csv
from vmconc.export.dot import write_dot
from vmconc.export.errors import ExportError
from vmconc.export.folded import write_folded
from vmconc.export.openmetrics import write_openmetrics
from vmconc.export.parquet import write_parquet
from vmconc.export.perfetto import write_perfetto
from vmconc.export.pprof import write_pprof
from vmconc.export.speedscope import write_speedscope

PLAIN = {"perfetto": write_perfetto, "openmetrics": write_openmetrics, "dot": write_dot}
WEIGHTED = {"pprof": write_pprof, "folded": write_folded, "speedscope": write_speedscope}
TABULAR = {"csv": write_csv, "parquet": write_parquet}


def export(events: Events, form: str, path: Path, say: Callable[[str], None], weight: str, table: str) -> list[str]:
    """Write events to a file and return what there is to say about it; of `weight` and `table` it takes what it needs.

    Raises ExportError if the file cannot be written.
    """
    unfinished = path.with_name(path.name + ".part")
    try:
        if form in TABULAR:
            notes = TABULAR[form](events, unfinished, say, table)
        else:
            with unfinished.open("wb") as out:
                if form in WEIGHTED:
                    notes = WEIGHTED[form](events, out, say, weight)
                else:
                    notes = PLAIN[form](events, out, say)
        unfinished.replace(path)
    except OSError as error:
        raise ExportError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        unfinished.unlink(missing_ok=True)
    return notes
