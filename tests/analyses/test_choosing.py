"""Choices, agreement, ceilings and ranks against definitions written out by hand."""

from __future__ import annotations

from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from analyses.metrics.choosing import (
    accuracies,
    agreement,
    attainable,
    choose,
    person,
    similarity,
    strengths,
)
from analyses.metrics.ranks_of import chance, measures, ranks
from analyses.metrics.ridge.linear_predictivity import DEFAULT_ALPHAS
from analyses.metrics.ridge.predictions import FitTargets, predict_unseen
from vdb.errors import InputError

small = st.integers(-3, 3)


def test_similarities_are_those_of_numpy_and_do_not_see_length_but_for_the_distance() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((2, 20, 7)) + 1
    found = {
        kind: similarity(torch.from_numpy(a), torch.from_numpy(b), kind).numpy()
        for kind in ("cosine", "correlation", "distance")
    }
    cosine = [x @ y / np.linalg.norm(x) / np.linalg.norm(y) for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found["cosine"], cosine, rtol=1e-12)
    r = [np.corrcoef(x, y)[0, 1] for x, y in zip(a, b, strict=True)]
    np.testing.assert_allclose(found["correlation"], r, rtol=1e-12)
    np.testing.assert_allclose(found["distance"], [-np.linalg.norm(x) for x in a - b], rtol=1e-12)
    tiny = similarity(torch.from_numpy(a * 1e-100), torch.from_numpy(b * 1e150), "cosine")
    np.testing.assert_allclose(tiny.numpy(), cosine, rtol=1e-12)


def test_what_has_no_direction_is_like_nothing_and_makes_a_tie() -> None:
    nothing = torch.zeros((3, 4), dtype=torch.float64)
    other = torch.ones((3, 4), dtype=torch.float64)
    for kind in ("cosine", "correlation"):
        found = similarity(nothing, other, kind)
        assert found.tolist() == [0, 0, 0]
        assert choose(found, found).tolist() == [0.5, 0.5, 0.5]


def test_a_tie_is_a_half_and_closer_than_single_precision_is_a_tie() -> None:
    first = torch.tensor([0.5, 0.5, 0.5, 0.5, -1e9], dtype=torch.float64)
    second = torch.tensor([0.4, 0.6, 0.5, 0.5 + 1e-8, -1e9 - 1.0], dtype=torch.float64)
    assert choose(first, second).tolist() == [1, 0, 0.5, 0.5, 0.5]
    right = agreement(choose(first, second), np.array([1.0, 1.0, 1.0, 0.0, 0.0]))
    assert right.tolist() == [1, 0, 0.5, 0.5, 0.5]
    assert agreement(np.array([1.0, 0.0]), np.array([0.0, 0.0])).tolist() == [0, 1]


def test_accuracy_is_weighted_and_its_interval_covers_it() -> None:
    right = np.array([[1, 0, 0.5, 1], [0, 0, 0, 0], [1, 1, 1, 1]], np.float32)
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    found = accuracies(right, weights, ["a", "b", "c", "d"], seed=0)
    np.testing.assert_allclose(found.score, [(1 + 1.5 + 4) / 10, 0, 1])
    assert (found.low <= found.score).all()
    assert (found.score <= found.high).all()
    assert found.low[2] == found.high[2] == 1
    assert found.ties.tolist() == [1, 0, 0]
    with pytest.raises(InputError, match="no trial to score"):
        accuracies(np.empty((1, 0)), np.empty(0), [], seed=0)


@pytest.mark.parametrize("clusters", [6, 3])
def test_p_is_that_of_every_flip_of_whole_clusters(clusters: int) -> None:
    rng = np.random.default_rng(1)
    right = rng.integers(0, 2, (4, 12)).astype(float)
    right[0] = 1
    member = np.arange(12) % clusters
    weights = rng.uniform(0.5, 2, 12)
    found = accuracies(right, weights, member.astype(str).tolist(), seed=0, flips=20000)
    null = np.array(
        [
            [np.average(0.5 + (r - 0.5) * np.array(s)[member], weights=weights) for r in right]
            for s in product([-1, 1], repeat=clusters)
        ]
    )
    score = np.average(right, axis=1, weights=weights)
    np.testing.assert_allclose(found.p, (null >= score - 1e-12).mean(axis=0), atol=0.015)
    best = (null.max(axis=1)[:, None] >= score - 1e-12).mean(axis=0)
    np.testing.assert_allclose(found.p_max, best, atol=0.015)
    assert (found.p_max >= found.p).all()


def test_the_interval_of_clusters_that_choose_as_one_is_that_of_so_few_trials() -> None:
    rng = np.random.default_rng(2)
    each = rng.integers(0, 2, 30).astype(float)
    many, names = np.repeat(each, 20), np.repeat(np.arange(30), 20).astype(str).tolist()
    together = accuracies(many[None], np.ones(600), names, seed=0)
    few = accuracies(each[None], np.ones(30), np.arange(30).astype(str).tolist(), seed=0)
    apart = accuracies(many[None], np.ones(600), np.arange(600).astype(str).tolist(), seed=0)
    np.testing.assert_allclose(together.high - together.low, few.high - few.low, atol=0.02)
    assert (together.high - together.low)[0] > 3 * (apart.high - apart.low)[0]


@given(st.lists(small, min_size=2, max_size=5))
def test_a_person_is_one_judge_against_the_mean_of_the_others(judges: list[int]) -> None:
    scores = []
    for i, own in enumerate(judges):
        others = np.mean([judge for j, judge in enumerate(judges) if j != i])
        if others:
            scores.append(0.5 if own == 0 else float(own * others > 0))
    expected = np.mean(scores) if scores else np.nan
    np.testing.assert_allclose(person(judges), expected)
    np.testing.assert_allclose(person([-one for one in judges]), expected)
    assert np.isnan(person(judges[:1]))


def test_the_most_that_can_be_scored_is_the_majority_of_each_choice() -> None:
    labels, weights = np.array([1.0, 1, 0, 0, 1]), np.array([1.0, 1, 1, 5, 1])
    assert attainable(["a", "a", "a", "b", "b"], labels, weights) == pytest.approx(7 / 9)
    assert attainable(list("abcde"), labels, weights) == 1


def test_strengths_part_all_known_gaps_in_order() -> None:
    gaps = np.array([0.5, 1, 2, np.nan, 1, 3, 1 / 3])
    found = strengths(gaps, [1.0, 2.5])
    assert [(low, high) for low, high, _ in found] == [(1 / 3, 0.5), (1, 2), (3, 3)]
    assert sum(chosen for _, _, chosen in found).tolist() == [1, 1, 1, 0, 1, 1, 1]
    assert strengths(np.array([np.nan])) == []
    [(low, high, chosen)] = strengths(np.ones(4))
    assert (low, high, chosen.all()) == (1, 1, True)
    quartiles = strengths(np.arange(100.0))
    assert [int(chosen.sum()) for _, _, chosen in quartiles] == [25, 25, 25, 25]


@pytest.mark.parametrize("width", [8, 70])
def test_predictions_are_those_of_scikit_learn(width: int) -> None:
    """A narrow source and one of more units than rows, in their own order and in another one, of one factorisation."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((60, width)) * np.resize([1, 2, 3, 4, 5, 6, 7, 1000], width)
    X[:, 1] = 3.0
    Y = X[:, :8] @ rng.standard_normal((8, 5)) + 20 * rng.standard_normal((60, 5)) + 3
    train, test = np.arange(5, 50), np.array([2, 55, 51])
    stacks = [train, np.roll(train, 1)]
    predicted = predict_unseen(
        [torch.from_numpy(X)],
        FitTargets.of([torch.from_numpy(Y), torch.from_numpy(Y[:, :1])]),
        torch.from_numpy(train),
        torch.from_numpy(test),
        stacks=[torch.from_numpy(rows) for rows in stacks],
    )
    asked = []
    for one in predicted:
        rows, truth = stacks[one.stack], Y[:, : 5 - 4 * one.target]
        scaler = StandardScaler().fit(X[train])
        model = RidgeCV(alphas=DEFAULT_ALPHAS).fit(scaler.transform(X[train]), truth[rows])
        expected = np.reshape(model.predict(scaler.transform(X[test])), (3, -1))
        assert one.alpha == model.alpha_
        np.testing.assert_allclose(one.centre.numpy(), truth[rows].mean(axis=0))
        np.testing.assert_allclose((one.values + one.centre).numpy(), expected, rtol=1e-4)
        asked.append((one.stack, one.target))
    assert asked == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_a_source_that_does_not_vary_predicts_the_mean() -> None:
    Y = torch.randn(30, 3, generator=torch.Generator().manual_seed(0))
    rows = torch.arange(20)
    for width in (2, 40):
        [one] = predict_unseen([torch.ones(30, width)], FitTargets.of([Y]), rows, rows + 10)
        assert one.values.abs().max() < 1e-12


@settings(deadline=None)
@given(
    arrays(np.float64, (4, 7), elements=small.map(float)),
    arrays(np.bool_, (4, 7), elements=st.booleans()),
)
def test_a_rank_is_the_mean_over_orders_of_equals(likeness: Any, right: Any) -> None:
    right[:, 0] = True
    expected = []
    for line, good in zip(likeness, right, strict=True):
        of_each = []
        for i in np.flatnonzero(good):
            kept = [i, *np.flatnonzero(~good)]
            of_each.append(rankdata(-line[kept], method="average")[0])
        expected.append(min(of_each))
    found = ranks(torch.from_numpy(likeness), torch.from_numpy(right))
    np.testing.assert_allclose(found, expected)


@given(
    st.lists(st.sampled_from([1.0, 1.5, 2, 5, 6, 10, 11, 40]), min_size=1, max_size=9),
    st.integers(0, 99),
)
def test_measures_with_weights_are_those_of_repeated_queries(found: list[float], seed: int) -> None:
    times = np.random.default_rng(seed).integers(0, 4, len(found))
    times[0] += 1
    many = np.repeat(found, times)
    expected = [*((many <= k).mean() for k in (1, 5, 10)), np.median(many), (1 / many).mean()]
    np.testing.assert_allclose(measures(np.array(found), times[None])[0], expected)
    np.testing.assert_allclose(measures(many), expected)


def test_chance_is_what_all_orders_give() -> None:
    likeness = torch.tensor(list(permutations(range(6))), dtype=torch.float64)
    found = []
    for right in (1, 2):
        good = torch.zeros_like(likeness, dtype=torch.bool)
        good[:, :right] = True
        found.append(ranks(likeness, good))
        np.testing.assert_allclose(chance([right], [6]), measures(found[-1]))
    np.testing.assert_allclose(chance([1, 2], [6, 6]), measures(np.concatenate(found)))
    np.testing.assert_allclose(chance([1], [200])[:3], [1 / 200, 5 / 200, 10 / 200])
