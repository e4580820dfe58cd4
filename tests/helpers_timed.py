"""What a run in mode `timed` would have left of a story that was recorded: the same waits and holds, in histograms."""

import msgspec

from vmconc.analysis.names import lock_name, site_name
from vmconc.analysis.timing import FILE, Times, Timing
from vmconc.analysis.usage import usage
from vmconc.locks.classes import CLASS_NAMES, MODE_NAMES
from vmconc.locks.times import bin_of
from vmconc.schedule.steps import STEP_REOWN

COUNTED = {"wall_seconds": 2.0, "faults": 3, "faults_per_cpu_second": 5.0, "mode": "timed"}


def put(found, ticks, *kind):
    """Count a duration in the histogram of its kind, as `locks.times.add_time` does."""
    times = found.setdefault(kind, Times(*kind))
    times.total, times.most = times.total + ticks, max(times.most, ticks)
    number = int(bin_of(ticks))
    times.bins[number] = times.bins.get(number, 0) + 1


def timed(events):
    """Return what run.json says, and what was timed, of a run with the same waits and holds."""
    kinds, locks, used = {}, {}, usage(events)
    for what, spans in (("wait", used.waited), ("hold", used.held)):
        for i, ticks in enumerate(spans.ticks.tolist()):
            cpu, cls, mode = int(spans.cpu[i]), CLASS_NAMES[int(spans.cls[i])], MODE_NAMES[int(spans.mode[i])]
            again = what == "hold" and events.action[spans.begin[i]] == STEP_REOWN
            put(kinds, ticks, cpu, "hold again" if again else what, cls, mode, site_name(events, int(spans.site[i])))
            if spans.lock[i] in used.waited.lock:
                put(locks, ticks, cpu, what, cls, "", "", lock_name(events, int(spans.lock[i])))
    run = {key: value for key, value in events.run.items() if key != "recording"} | COUNTED
    names = [CLASS_NAMES[cls] for cls in set(used.acquired.cls.tolist())]
    run["locks"] = {name: locks_counted(used, name) for name in names}
    sites = list(events.run["recording"]["sites"].values())
    return run, Timing(events.tick, list(kinds.values()), list(locks.values()), sites=sites)


def locks_counted(used, name):
    """Return what the counters say of a class."""
    got, waited = used.acquired, used.waited
    of_class = [CLASS_NAMES[cls] == name for cls in got.cls.tolist()]
    shared, exclusive = (int((of_class & (got.mode == mode)).sum()) for mode in MODE_NAMES)
    contended = [CLASS_NAMES[cls] == name for cls in waited.cls.tolist()]
    wait_ns = int(waited.ticks[contended].sum() * waited.events.tick)
    return {"shared": shared, "exclusive": exclusive, "contended": sum(contended), "wait_ns": wait_ns}


def write_times(path, run, timing):
    """Write a run directory; return it."""
    path.mkdir(parents=True)
    (path / "run.json").write_bytes(msgspec.json.encode(run))
    (path / FILE).write_bytes(msgspec.json.encode(timing))
    return path
