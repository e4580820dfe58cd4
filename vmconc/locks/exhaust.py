"""The end of a run whose tables are too small: an error that names the table, never a crash."""

from vmconc.locks.rules import STOP_TABLE, TABLE_FULL, broken
from vmconc.locks.sleep import leave_if_stopping
from vmconc.memory.jit import kernel
from vmconc.memory.refs import at
from vmconc.memory.segment import HEADER
from vmconc.memory.table import table_take


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
    return off
