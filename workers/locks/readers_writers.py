"""Three threads, 20 acquisitions each of a readers-writer lock, one in four exclusive."""
from vmconc.concurrent import Rwlock, read_lock, read_unlock, shared, thread, write_lock, write_unlock


@shared
class Table:
    lock: Rwlock


@thread(3)
def visit(cpu, table):
    for i in range(20):
        if i % 4 == 3:
            write_lock(cpu, table.lock)
            write_unlock(cpu, table.lock)
        else:
            read_lock(cpu, table.lock)
            read_unlock(cpu, table.lock)
