"""The permutation null: what is exchanged, and what a score comes to beside it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.metrics.null import calibrate, group_permutations
from vdb.errors import InputError


@given(
    st.lists(st.sampled_from("abcdef"), min_size=2, max_size=30).filter(
        lambda g: len(set(g)) > len({g.count(x) for x in g})
    ),
    st.integers(0, 99),
)
def test_whole_groups_of_one_size_change_places(groups: list[str], seed: int) -> None:
    names = np.array(groups)
    for permutation in group_permutations(groups, 3, seed):
        assert sorted(permutation) == list(range(len(groups)))
        for group in set(groups):
            rows = np.flatnonzero(names == group)
            came = permutation[rows]
            assert len(set(names[came])) == 1
            assert (np.diff(came) > 0).all()
            assert groups.count(names[came[0]]) == len(rows)


def test_every_permutation_of_three_single_rows_is_drawn_alike() -> None:
    drawn = group_permutations(["a", "b", "c"], 6000, 0)
    _, counts = np.unique(drawn, axis=0, return_counts=True)
    assert len(counts) == 6
    assert counts.min() > 850  # 5 standard deviations below 1,000


def test_groups_of_different_sizes_cannot_be_exchanged() -> None:
    with pytest.raises(InputError, match="no two of one size"):
        group_permutations(["a", "b", "b"], 1, 0)
    with pytest.raises(InputError, match="at least 1"):
        group_permutations(["a", "b"], 0, 0)


def test_a_score_is_set_beside_its_null() -> None:
    null = np.array([[[0.1, 0.3]], [[0.2, 0.0]], [[0.3, 0.1]], [[0.0, 0.2]]])
    found = calibrate(np.array([[0.25, 0.4]]), null, 1.0)
    assert found.mean == pytest.approx(np.array([[0.15, 0.15]]))
    assert found.calibrated == pytest.approx(np.array([[0.1 / 0.85, 0.25 / 0.85]]))
    assert found.p == pytest.approx(np.array([[2 / 5, 1 / 5]]))  # add-one: never zero
    assert found.p_max == pytest.approx(np.array([[3 / 5, 1 / 5]]))  # maxima .3 .2 .3 .2
    assert found.q == pytest.approx(np.array([[2 / 5, 2 / 5]]))  # min(2/5, 2 * 1/5)
    assert found.permutations == 4


def test_a_cell_without_a_score_has_no_p_and_counts_for_nothing() -> None:
    null = np.array([[[np.nan, 0.3]], [[np.nan, 0.0]]])
    found = calibrate(np.array([[np.nan, 0.1]]), null, 1.0)
    assert np.isnan(found.p[0, 0])
    assert found.p[0, 1] == found.p_max[0, 1] == found.q[0, 1] == pytest.approx(2 / 3)


def test_independent_layers_have_a_uniform_p() -> None:
    rng = np.random.default_rng(0)
    p = calibrate(rng.normal(size=(20, 20)), rng.normal(size=(99, 20, 20)), 1.0).p
    assert abs((p <= 0.1).mean() - 0.1) < 5 * (0.09 / 400) ** 0.5
