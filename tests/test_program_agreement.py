"""The agreement table counts, shares and explains."""

import numpy as np

from vmconc.program.agreement import compare
from vmconc.vm import opcodes as op


def test_the_table():
    recorded = np.array([op.RECORDED_ZERO, op.RECORDED_ZERO, op.RECORDED_COPY, op.RECORDED_COPY, 0, op.RECORDED_FILE])
    outcome = np.array([op.OUTCOME_ZERO, op.OUTCOME_UNMAPPED, op.OUTCOME_COPY, op.OUTCOME_PAGEIN_COPY,
                        op.OUTCOME_ZERO, op.OUTCOME_NONE])  # fmt: skip
    result = compare(recorded, outcome)
    assert result.table == {"zero-fill": {"zero-fill": 1, "unmapped": 1}, "copy": {"copy": 1, "file-copy": 1}}
    assert (result.comparable, result.agree, result.share) == (4, 2, 0.5)
    assert "fault-around" in result.why["copy", "file-copy"]
    assert "no mapping here" in result.why["zero-fill", "unmapped"]


def test_nothing_to_compare_is_no_disagreement():
    result = compare(np.zeros(3, np.int64), np.ones(3, np.int64))
    assert (result.table, result.comparable, result.share) == ({}, 0, 1.0)
