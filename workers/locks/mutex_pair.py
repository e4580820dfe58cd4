"""Two threads, one mutex each way."""
from vmconc.concurrent import Mutex, mutex_lock, mutex_unlock, shared, thread


@shared
class Box:
    mutex: Mutex


@thread(2)
def visit(cpu, box):
    mutex_lock(cpu, box.mutex)
    mutex_unlock(cpu, box.mutex)
