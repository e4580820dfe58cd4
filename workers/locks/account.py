"""An audit that is right until both others have been there: then it expects the wrong balance.

Four threads, 12 steps.  The audit is started first and has to come last: no preemption, one delay, PCT depth 1.
(SCTBench, `account_bad`.)
"""

from vmconc.concurrent import Mutex, atomic_add, check, mutex_lock, mutex_unlock, option, shared, start, thread

FIXED = option("fixed", 0)  # the audit expects what is right
BEGINNING, DEPOSIT, WITHDRAWAL = 1, 2, -4
EXPECTED = BEGINNING + DEPOSIT + WITHDRAWAL if FIXED else BEGINNING - DEPOSIT + WITHDRAWAL


@shared
class Account:
    """One account."""

    mutex: Mutex
    balance: int = BEGINNING


@thread
def main(cpu, account):
    """Start the three others; nobody waits for them."""
    for index in range(1, 4):
        start(cpu, index)


@thread(started=False)
def audit(cpu, account):
    """Check the balance if it has changed twice."""
    mutex_lock(cpu, account.mutex)
    balance = account.balance
    check(cpu, balance >= BEGINNING or balance == BEGINNING + WITHDRAWAL or balance == EXPECTED)
    mutex_unlock(cpu, account.mutex)


@thread(started=False)
def deposit(cpu, account):
    """Pay in."""
    mutex_lock(cpu, account.mutex)
    atomic_add(account, "balance", DEPOSIT)
    mutex_unlock(cpu, account.mutex)


@thread(started=False)
def withdraw(cpu, account):
    """Pay out."""
    mutex_lock(cpu, account.mutex)
    atomic_add(account, "balance", WITHDRAWAL)
    mutex_unlock(cpu, account.mutex)
