from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analyses.metrics.folds import assign_folds, check_folds
from vdb.errors import InputError

if TYPE_CHECKING:
    import random

GROUPS = st.lists(st.integers(0, 30).map("g{}".format), min_size=1, max_size=200)


@settings(deadline=None)
@given(groups=GROUPS, k=st.integers(2, 6), seed=st.integers(0, 9), order=st.randoms())
def test_groups_stay_together_folds_are_balanced_and_order_does_not_matter(
    groups: list[str], k: int, seed: int, order: random.Random
) -> None:
    if len(set(groups)) < k:
        with pytest.raises(InputError, match=f"{len(set(groups))} groups cannot fill {k} folds"):
            assign_folds(groups, k, seed)
        return
    folds = assign_folds(groups, k, seed)
    assert sorted(set(folds.tolist())) == list(range(k))
    by_group = dict(zip(groups, folds, strict=True))
    assert all(by_group[group] == fold for group, fold in zip(groups, folds, strict=True))
    sizes = np.bincount(folds)
    # The last group dealt to the fullest fold went to the then emptiest one.
    assert sizes.max() - sizes.min() <= max(groups.count(group) for group in set(groups))
    shuffled = order.sample(range(len(groups)), len(groups))
    again = assign_folds([groups[i] for i in shuffled], k, seed)
    assert np.array_equal(again, folds[shuffled])


def test_the_seed_deals_anew_and_values_are_compared_as_text() -> None:
    groups = np.arange(100)
    first, second = assign_folds(groups, 5, 0), assign_folds(groups, 5, 1)
    assert np.bincount(first).tolist() == [20] * 5
    assert not np.array_equal(first, second)
    assert np.array_equal(first, assign_folds([str(g) for g in groups], 5, 0))


def test_one_fold_is_no_cross_validation() -> None:
    with pytest.raises(InputError, match="at least 2"):
        assign_folds(["a", "b"], 1, 0)


@settings(deadline=None)
@given(groups=GROUPS, k=st.integers(2, 40), seed=st.integers(0, 9))
def test_folds_are_refused_beforehand_just_where_one_would_be_too_small(
    groups: list[str], k: int, seed: int
) -> None:
    fits = len(set(groups)) >= k and np.bincount(assign_folds(groups, k, seed)).min() >= 2
    if fits:
        check_folds(groups, k, 2)
    else:
        with pytest.raises(InputError, match=f"^{k} folds of {len(groups)} items"):
            check_folds(groups, k, 2)


@pytest.mark.parametrize(
    ("groups", "k", "rows", "message"),
    [
        (
            range(600),
            1000,
            2,
            "1000 folds of 600 items: each fold needs at least 2 rows; use at most 300",
        ),
        (range(6), 7, 1, "7 folds of 6 items: each fold needs at least a row; use at most 6"),
        (
            [i // 3 for i in range(90)],
            31,
            2,
            (
                "31 folds of 90 items in 30 groups, which folds never part: each fold needs at least 2 rows; "
                "use at most 30"
            ),
        ),
        (range(3), 2, 2, "2 folds of 3 items: each fold needs at least 2 rows; give more items"),
    ],
)
def test_too_many_folds_are_one_short_line(
    groups: list[int], k: int, rows: int, message: str
) -> None:
    with pytest.raises(InputError) as refused:
        check_folds(groups, k, rows)
    assert str(refused.value) == message


@settings(deadline=None)
@given(groups=GROUPS, k=st.integers(2, 8), rows=st.integers(1, 6), seed=st.integers(0, 9))
def test_folds_are_refused_exactly_where_one_would_hold_too_few_rows(
    groups: list[str], k: int, rows: int, seed: int
) -> None:
    """Small groups together fill a fold, however many rows it needs; what is advised is let through."""

    def fits(folds: int) -> bool:
        counts = (
            np.bincount(assign_folds(groups, folds, seed)) if folds <= len(set(groups)) else [0]
        )
        return min(counts) >= rows

    if fits(k):
        check_folds(groups, k, rows)
        return
    with pytest.raises(InputError) as refused:
        check_folds(groups, k, rows)
    advised = str(refused.value).rpartition("use at most ")[2]
    if advised.isdigit():
        assert fits(int(advised))
        check_folds(groups, int(advised), rows)
    else:
        assert not any(fits(folds) for folds in range(2, k))


def test_groups_of_two_and_three_rows_fill_folds_of_four() -> None:
    check_folds([*"aabbccddd"], 2, 4)
