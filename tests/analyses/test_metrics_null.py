"""The permutation null: what is exchanged, and what a score comes to beside it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from analyses.metrics import METRICS
from analyses.metrics.inference.null import calibrate, group_permutations, immovable
from vdb.errors import InputError


@given(
    st.lists(st.sampled_from("abcdef"), min_size=2, max_size=30).filter(
        lambda g: 2 * immovable(g) <= len(g)
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
    with pytest.raises(InputError, match="3 of 3 rows are in groups of a size that no other"):
        group_permutations(["a", "b", "b"], 1, 0)
    with pytest.raises(InputError, match="at least 1"):
        group_permutations(["a", "b"], 0, 0)


def test_rows_that_cannot_move_are_counted_and_most_of_them_are_too_many() -> None:
    """Two groups of 5 that change places beside 124 rows that stay are no null of 134 rows."""
    sizes = [*range(12, 20), 5, 5]
    groups = np.repeat(np.arange(len(sizes)), sizes).tolist()
    assert immovable(groups) == sum(range(12, 20))
    with pytest.raises(InputError, match=r"124 of 134 rows .*--permutations 0"):
        group_permutations(groups, 1, 0)
    half = ["a", "a", "b", "c"]
    assert immovable(half) == 2
    assert (group_permutations(half, 20, 0)[:, :2] == [0, 1]).all()


def test_a_null_without_a_score_counts_against_the_cell() -> None:
    null = np.array([[[np.nan, 0.3]], [[0.2, 0.0]], [[0.0, np.nan]]])
    found = calibrate(np.array([[0.5, 0.1]]), null, 1.0)
    assert found.p == pytest.approx(np.array([[2 / 4, 3 / 4]]))
    assert found.p_max == pytest.approx(np.array([[2 / 4, 4 / 4]]))  # .3, .2 and none against .1
    assert found.mean == pytest.approx(np.array([[0.1, 0.15]]))
    without = calibrate(np.array([[0.5]]), np.full((3, 1, 1), np.nan), 1.0)
    assert without.p[0, 0] == without.p_max[0, 0] == 1
    assert np.isnan([without.mean, without.high, without.calibrated]).all()


@given(st.integers(0, 999), st.floats(0, 0.9))
def test_having_looked_at_every_cell_never_lowers_p(seed: int, missing: float) -> None:
    rng = np.random.default_rng(seed)
    null = np.where(rng.random((9, 3, 4)) < missing, np.nan, rng.normal(size=(9, 3, 4)))
    found = calibrate(rng.normal(size=(3, 4)), null, 1.0)
    assert (found.p_max >= found.p).all()


@pytest.mark.parametrize("name", METRICS)
def test_a_permutation_that_moves_nothing_ties_with_the_score(name: str) -> None:
    rng = torch.Generator().manual_seed(3)
    shared = torch.randn(60, 4, generator=rng)
    vision, language = (
        [
            shared @ torch.randn(4, 24, generator=rng) + torch.randn(60, 24, generator=rng)
            for _ in range(3)
        ]
        for _ in range(2)
    )
    still = np.arange(60)[None]
    for cells in METRICS[name].compute(vision, language, folds=3, permutations=still).values():
        assert cells.null is not None
        found = calibrate(cells.scores, cells.null, 1.0)
        assert (found.p == 1).all()
        assert (found.p_max == 1).all()


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
