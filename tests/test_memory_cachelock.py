"""Two processes that write the compile cache at once lose nothing and mix nothing up."""

import os

import pytest
from numba.core import caching

from vmconc.memory import cachelock
from vmconc.memory.jit import jit_off

ENTRIES = 60
WRITERS = 3


@pytest.mark.skipif(jit_off(), reason="there is no cache with the JIT off")
def test_writers_of_one_index_take_turns(tmp_path):
    cachelock.install(tmp_path)  # done already: changes nothing
    pids = []
    for writer in range(WRITERS):
        pid = os.fork()
        if pid == 0:
            file = caching.IndexDataCacheFile(str(tmp_path), "kernel", "stamp")
            for number in range(ENTRIES):
                file.save((writer, number), f"code of {writer} {number}")
            os._exit(0)
        pids.append(pid)
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * WRITERS
    file = caching.IndexDataCacheFile(str(tmp_path), "kernel", "stamp")
    for writer in range(WRITERS):
        for number in range(ENTRIES):
            assert file.load((writer, number)) == f"code of {writer} {number}"
