"""How kernels allocate and free records: a table that is too small ends the run, what is freed twice is reported."""

from vmconc.locks.classes import EXCLUSIVE
from vmconc.locks.rules import DOUBLE_FREE, STOP_TABLE, TABLE_FULL, broken
from vmconc.locks.sleep import leave_if_stopping
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.segment import HEADER
from vmconc.memory.table import table_give, table_take
from vmconc.schedule.clocks import gives, takes
from vmconc.schedule.steps import log_free


@kernel
def take_record(cpu, table):
    """Allocate a record of a table or, if it is exhausted, stop the machine: this call does not return then."""
    off = table_take(cpu, table)
    if off == 0:
        machine = at(cpu, "Machine", HEADER)
        machine.exhausted = table.slot + 1
        broken(cpu, TABLE_FULL, table.slot, table.capacity, table.capacity)
        machine.stop = STOP_TABLE
        leave_if_stopping(cpu)
    takes(cpu, off, EXCLUSIVE)  # after all that was done to the record before it was freed
    return off


@kernel
def give_record(cpu, table, off):
    """Free a record."""
    log_free(cpu, off, table.stride)
    gives(cpu, off, EXCLUSIVE)
    if not table_give(cpu, table, off):
        broken(cpu, DOUBLE_FREE, off, 1, 0)
