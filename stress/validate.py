"""Record and check every program under both protocols, where nothing may be found, and every protocol that is busted.

    python stress/validate.py --cpus 2

Exit code 1 if a rule was broken that is not, or the other way round; the runs' directories are kept below runs/.
"""

import argparse
import sys
from pathlib import Path

from vmconc.coordinator.options import RunOptions
from vmconc.coordinator.single import run_once
from vmconc.program.builder import PlanBuilder
from vmconc.program.plan import Plan
from vmconc.program.programs import list_programs, load_program
from vmconc.protocols import protocol_names
from vmconc.protocols.busted import BUSTED
from vmconc.vm.opcodes import MAP_SHARED, PROT_READ

BASE, PAGE, PAGES = 0x4000_0000, 4096, 300
LATENCY = 200_000  # ns of an I/O, in which CPUs meet


def shared_file(cpus: int) -> Plan:
    """Return a plan in which every CPU's space reads the same pages of a file."""
    build = PlanBuilder("shared_file")
    file = build.file("data", PAGES)
    for _ in range(cpus):
        lwp = build.spawn()
        build.mmap(lwp, BASE, PAGES * PAGE, PROT_READ, MAP_SHARED, file)
        for page in range(PAGES):
            build.touch(lwp, BASE + page * PAGE)
    return build.finish()


def broken(plan: Plan, protocol: str, bugs: tuple[str, ...], cpus: int) -> set[str]:
    """Run once; return the rules found broken, by the CPUs and in the events."""
    options = RunOptions(cpus=cpus, mode="recorded", bugs=bugs, stall=2.0, io_latency=LATENCY, runs=Path("runs"))
    result = run_once(plan, protocol, options)
    return {found["rule"] for found in result.violations} | {found.rule for found in result.checked.broken}


def main() -> int:
    """Run them all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cpus", type=int, default=2, help="emulated CPUs")
    cpus, wrong = parser.parse_args().cpus, 0
    for program in list_programs():
        for protocol in protocol_names():
            found = broken(load_program(program.name, cpus, {}), protocol, (), cpus)
            wrong += bool(found)
            print(f"{program.name} {protocol}: {', '.join(sorted(found)) or 'nothing broken'}", flush=True)
    for name, busted in BUSTED.items():
        found = broken(shared_file(cpus), busted.base, (busted.bug,), cpus)
        wrong += busted.rule not in found
        print(f"{name}: {busted.rule} {'found' if busted.rule in found else 'MISSED'}", flush=True)
    print(f"{wrong} wrong")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
