"""Groups of rows: the quick ways find what NumPy's plain ones do."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmconc.analysis.groups import different, numbered, sorted_within

NUMBERS = st.lists(st.integers(-5, 40), max_size=60)
FAR = st.lists(st.sampled_from([-(1 << 40), -1, 0, 7, 1 << 30, 1 << 45]), max_size=60)


@given(NUMBERS | FAR, st.sampled_from([np.int64, np.int32]))
def test_keys_are_numbered_as_by_sorting(keys, kind):
    if kind is np.int32:
        keys = [key % 1000 for key in keys]
    keys = np.array(keys, kind)
    for found, expected in zip(numbered(keys), np.unique(keys, return_inverse=True), strict=True):
        assert found.tolist() == expected.tolist()
    assert different(keys).tolist() == np.unique(keys).tolist()


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(-3, 30)), max_size=60), st.sampled_from([0, 1 << 60]))
def test_values_are_sorted_within_their_groups(rows, far):
    """Also where group and value do not fit into one number."""
    group, values = (np.array(column, np.int64) for column in zip(*[*rows, (2, far)], strict=True))
    expected = [value for _, value in sorted(zip(group.tolist(), values.tolist(), strict=True))]
    assert sorted_within(group, values).tolist() == expected


@pytest.mark.parametrize("find", [numbered, different])
def test_of_nothing_there_is_nothing(find):
    assert [len(column) for column in np.atleast_2d(find(np.zeros(0, np.int64)))] in ([0], [0, 0])
