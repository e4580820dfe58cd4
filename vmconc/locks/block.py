"""`block`: what a CPU calls when it has to sleep.  Tokens are given up before, and all re-owned after."""

from vmconc.locks.sleep import halt
from vmconc.locks.token import give_up_tokens, reown_tokens
from vmconc.memory.jit import kernel
from vmconc.memory.queries import bug


@kernel
def block(cpu, timeout):
    """Sleep on the channel given to `prepare`, at most `timeout` ns.  Return False on time-out.

    Locks: entry  any hard locks, any tokens, no spinlock
           exit   the same, but every token was lost in between: what it protects may have changed
    """
    if bug(cpu, "token-over-sleep"):
        return halt(cpu, timeout)
    give_up_tokens(cpu, cpu.token_count)
    woken = halt(cpu, timeout)
    reown_tokens(cpu)
    return woken
