from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rsatoolbox.rdm import RDMs, compare_correlation, compare_spearman
from scipy.spatial.distance import pdist, squareform
from scipy.stats import pearsonr, rankdata, spearmanr

from analyses.metrics import METRICS
from analyses.metrics.folds import folds_of
from analyses.metrics.pairs.ranks import average_ranks
from analyses.metrics.pairs.rsa import rdm_vector

rsa = METRICS["rsa"].compute
FOLDS = 2
DISTANCES = ["correlation", "cosine", "euclidean"]
CORRELATIONS = {"spearman": spearmanr, "pearson": pearsonr}


def related(n: int, widths: list[int], seed: int) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, 3))
    return [
        torch.from_numpy(shared @ rng.normal(size=(3, width)) + rng.normal(size=(n, width)))
        for width in widths
    ]


def score(X: torch.Tensor, Y: torch.Tensor, **given: object) -> float:
    return float(rsa([X], [Y], folds=FOLDS, **given)["symmetric"].scores[0, 0])


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("compare", CORRELATIONS)
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 999), n=st.integers(9, 25), grouped=st.booleans())
def test_equals_scipy_over_the_pairs_of_different_groups(
    distance: str, compare: str, seed: int, n: int, grouped: bool
) -> None:
    X, Y = related(n, [6, 8], seed)
    groups = [str(i // 2 if grouped and i < 4 else i) for i in range(n)]
    kept = np.array([groups[i] != groups[j] for i in range(n) for j in range(i + 1, n)])
    expected = CORRELATIONS[compare](pdist(X, distance)[kept], pdist(Y, distance)[kept])[0]
    found = score(X, Y, groups=groups, distance=distance, compare=compare)
    assert found == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_equals_rsatoolbox(distance: str) -> None:
    X, Y = related(30, [6, 8], 3)
    left, right = (RDMs(pdist(Z, distance)[None]) for Z in (X, Y))
    spearman, pearson = compare_spearman(left, right), compare_correlation(left, right)
    assert score(X, Y, distance=distance) == pytest.approx(spearman.item(), abs=1e-6)
    found = score(X, Y, distance=distance, compare="pearson")
    assert found == pytest.approx(pearson.item(), abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(values=st.lists(st.integers(0, 8), min_size=1, max_size=60))
def test_ranks_are_those_of_scipy(values: list[int]) -> None:
    found = average_ranks(torch.tensor(values, dtype=torch.float64))
    np.testing.assert_array_equal(found.numpy(), rankdata(values))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999))
def test_distances_that_only_rounding_parts_are_ties(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = np.c_[np.ones(20), rng.integers(0, 2, (20, 6))]
    [Y] = related(20, [5], seed)
    exact = np.round(pdist(counts, "cosine"), 9)
    expected = spearmanr(exact, pdist(Y, "cosine"))[0]
    found = score(torch.from_numpy(counts), Y, distance="cosine")
    assert found == pytest.approx(expected, abs=1e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), factor=st.sampled_from([1e-30, 0.3, 1e30]))
@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_sees_no_rotation_and_no_scale(distance: str, seed: int, factor: float) -> None:
    X, Y = related(20, [5, 9], seed)
    Q = torch.from_numpy(np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))[0])
    moved = score(factor * X @ Q, Y, distance=distance)
    assert moved == pytest.approx(score(X, Y, distance=distance), abs=2e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999))
def test_correlation_sees_no_scale_and_shift_of_a_vector(seed: int) -> None:
    X, Y = related(20, [5, 9], seed)
    rng = np.random.default_rng(seed)
    scale, shift = (torch.from_numpy(rng.uniform(0.1, 10, (20, 1))) for _ in range(2))
    assert score(scale * X + shift, Y) == pytest.approx(score(X, Y), abs=2e-6)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999))
def test_spearman_sees_no_monotone_change_of_the_dissimilarities(seed: int) -> None:
    values = torch.from_numpy(np.random.default_rng(seed).uniform(0, 2, 200))
    plain = rdm_vector(values, "spearman", squared=False)
    assert torch.equal(rdm_vector(values.exp(), "spearman", squared=False), plain)
    assert not torch.allclose(
        rdm_vector(values.exp(), "pearson", squared=False),
        rdm_vector(values, "pearson", squared=False),
    )


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("compare", CORRELATIONS)
def test_an_rdm_without_variance_has_no_score(distance: str, compare: str) -> None:
    [Y] = related(12, [4], 0)
    found = rsa(
        [torch.eye(12), torch.full((12, 3), 0.1), Y],
        [Y],
        folds=FOLDS,
        distance=distance,
        compare=compare,
    )["symmetric"].scores[:, 0]
    assert np.isnan(found[:2]).all()
    assert found[2] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("distance", DISTANCES)
def test_two_loud_units_in_float32_cost_nothing(distance: str) -> None:
    X, Y = related(60, [40, 50], 1)
    X[:, :2] = 1000 * X[:, :2] + 5000
    X, Y = X.float(), Y.float()
    expected = spearmanr(pdist(X.double(), distance), pdist(Y.double(), distance))[0]
    assert score(X, Y, distance=distance) == pytest.approx(expected, abs=1e-6)


def test_a_fold_is_ranked_among_its_own_items() -> None:
    X, Y = related(20, [5, 9], 2)
    assigned = folds_of(None, 20, 4, 7)
    found = rsa([X], [Y], folds=4, seed=7)["symmetric"].fold_scores[0, 0]
    left, right = (squareform(pdist(Z, "correlation")) for Z in (X, Y))
    for fold in range(4):
        own = np.ix_(assigned == fold, assigned == fold)
        expected = spearmanr(squareform(left[own]), squareform(right[own]))[0]
        assert found[fold] == pytest.approx(expected, abs=1e-6)


def test_a_fold_without_pairs_has_no_score() -> None:
    """A fold that one group fills holds no two items of different groups: that is no score, not a score of 0."""
    vision, language = related(12, [5, 6], 0)
    groups = [*"aaaaaa", *"bcdefg"]
    found = rsa([vision], [language], folds=2, groups=groups)["symmetric"]
    assert found.fold_scores is not None
    assert np.isnan(found.fold_scores).sum() == 1
    assert np.isfinite(found.scores).all()
