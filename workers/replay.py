"""replay: what a recorded program asked of a real kernel's VM, from a trace file or a built-in trace."""

from vmconc.program import Option
from vmconc.traces import open_trace

OPTIONS = {
    "trace": Option("sh-pipeline", "file (perf script text, perf.data, .vmtrace) or name of a built-in trace"),
    "skip_bad": Option(0, "1: count and skip records that cannot be read", 0, 1),
}


def program(build, cpus, options):
    return open_trace(options.trace, skip_bad=bool(options.skip_bad))
