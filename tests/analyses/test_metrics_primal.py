"""Primal ridge from moments: scikit-learn fold by fold, the dual form, shards, and hard numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge

from analyses.metrics.folds import assign_folds
from analyses.metrics.ridge.linear_predictivity import linear_predictivity
from analyses.metrics.ridge.moments import Moments
from analyses.metrics.ridge.primal import (
    accumulate,
    primal_is_cheaper,
    primal_map,
    primal_maps,
    score_moments,
)
from vdb.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analyses.metrics.ridge.primal import Select
    from analyses.metrics.ridge.source import Scale

    Array = NDArray[np.float64]

ALPHAS = tuple(float(a) for a in np.logspace(-3, 6, 10))
CASES = ["plain", "wide", "grouped", "two-loud-units", "constant-units", "low-rank"]


def layers_of(case: str, n: int = 240) -> tuple[Array, Array, NDArray[np.int64]]:
    """Make a source, a target and folds; both share a latent and have noise of their own."""
    d, t = (300, 40) if case == "wide" else (30, 20)
    rng = np.random.default_rng(sum(map(ord, case)))
    latent = rng.standard_normal((n, 8))
    X = latent @ rng.standard_normal((8, d)) + rng.standard_normal((n, d))
    Y = latent @ rng.standard_normal((8, t)) + 2 * rng.standard_normal((n, t))
    groups = rng.integers(0, 17, n) if case == "grouped" else np.arange(n)
    folds = assign_folds(groups, 5, seed=4)
    if case == "two-loud-units":
        X[:, :2] = 1000 * X[:, :2] + 50_000
        Y[:, :2] = 1000 * Y[:, :2] - 30_000
    if case == "constant-units":
        X[:, [3, 7]] = [0.1, 5.0]
        X[folds != 2, 9] = 0.3  # constant in the training rows of fold 2 alone
        Y[:, 4] = 0.7
        Y[folds == 1, 5] = -0.3  # constant where fold 1 is held out
    if case == "low-rank":
        X = latent @ rng.standard_normal((8, d))
    return X, Y, folds


def standardised(X: Array, train: NDArray[np.bool_], scale: str) -> Array:
    """Centre and scale by the training rows, without the units that are constant there."""
    varies = np.ptp(X[train], axis=0) > 0
    X = X[:, varies] - X[train][:, varies].mean(axis=0)
    return X / X[train].std(axis=0) if scale == "zscore" else X


def correlations(predicted: Array, truth: Array) -> float:
    """Average r over the units that vary, a prediction that does not vary counting 0."""
    kept = np.flatnonzero(np.ptp(truth, axis=0) > 0)
    r = [
        np.corrcoef(predicted[:, u], truth[:, u])[0, 1]
        if predicted[:, u].std() > 1e-9 * truth[:, u].std()
        else 0.0
        for u in kept
    ]
    return float(np.mean(r))


def dual_gcv(X: Array, Y: Array, folds: NDArray[np.int64], scale: str) -> tuple[Array, Array]:
    """Choose by generalised cross-validation and score, from Gram matrices of the training rows."""
    scores, chosen = [], []
    for fold in np.unique(folds):
        train, test = folds != fold, folds == fold
        Z, n = standardised(X, train, scale), int(train.sum())
        y = Y[train] - Y[train].mean(axis=0)
        s, U = np.linalg.eigh(Z[train] @ Z[train].T)
        s[s < s.max() * n * np.finfo(float).eps] = 0
        rotated = U.T @ y
        criteria = []
        for alpha in ALPHAS:
            residual = rotated * (alpha / (s + alpha))[:, None]
            left = n - 1 - (s / (s + alpha)).sum()
            criteria.append((residual**2).sum() / left**2)
        alpha = ALPHAS[int(np.argmin(criteria))]
        weights = np.where(s > 0, 1 / (s + alpha), 0)[:, None] * rotated
        scores.append(correlations((Z[test] @ Z[train].T) @ U @ weights, Y[test]))
        chosen.append(alpha)
    return np.array(scores), np.array(chosen)


def inner_folds(X: Array, Y: Array, folds: NDArray[np.int64], scale: str) -> Array:
    """Choose alphas by scikit-learn's Ridge on inner folds, one fit an alpha."""
    chosen = []
    for fold in np.unique(folds):
        train = folds != fold
        Z = standardised(X, train, scale)
        errors = np.zeros(len(ALPHAS))
        for held in np.unique(folds[train]):
            rest, test = train & (folds != held), folds == held
            for i, alpha in enumerate(ALPHAS):
                model = Ridge(alpha=alpha, solver="svd").fit(Z[rest], Y[rest])
                errors[i] += ((model.predict(Z[test]) - Y[test]) ** 2).sum()
        chosen.append(ALPHAS[int(errors.argmin())])
    return np.array(chosen)


def tensors(*arrays: Array) -> list[torch.Tensor]:
    return [torch.from_numpy(array) for array in arrays]


@pytest.mark.parametrize("scale", ["zscore", "none"])
@pytest.mark.parametrize("case", CASES)
def test_equals_scikit_learn_at_every_alpha(case: str, scale: Scale) -> None:
    X, Y, folds = layers_of(case)
    for alpha in (1e-3, 10.0, 1e5):
        expected = []
        for fold in range(5):
            train, test = folds != fold, folds == fold
            Z = standardised(X, train, scale)
            model = Ridge(alpha=alpha, solver="svd").fit(Z[train], Y[train])
            expected.append(correlations(model.predict(Z[test]), Y[test]))
        [x], [y] = tensors(X), tensors(Y)
        result = primal_map([x], [y], folds, alphas=[alpha], scale=scale)
        np.testing.assert_allclose(result.fold_scores[0, 0], expected, rtol=0, atol=1e-8)


@pytest.mark.parametrize("scale", ["zscore", "none"])
@pytest.mark.parametrize("case", CASES)
def test_generalised_cross_validation_equals_the_dual(case: str, scale: Scale) -> None:
    X, Y, folds = layers_of(case)
    scores, alphas = dual_gcv(X, Y, folds, scale)
    [x], [y] = tensors(X), tensors(Y)
    result = primal_map([x], [y], folds, alphas=ALPHAS, scale=scale)
    assert result.alphas[0, 0].tolist() == alphas.tolist()
    np.testing.assert_allclose(result.fold_scores[0, 0], scores, rtol=0, atol=1e-8)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("scale", ["zscore", "none"])
def test_inner_folds_choose_what_scikit_learn_chooses(case: str, scale: Scale) -> None:
    X, Y, folds = layers_of(case)
    [x], [y] = tensors(X), tensors(Y)
    result = primal_map([x], [y], folds, alphas=ALPHAS, scale=scale, select="inner")
    assert result.alphas[0, 0].tolist() == inner_folds(X, Y, folds, scale).tolist()


def test_equals_the_dual_at_two_thousand_rows() -> None:
    X, Y, folds = layers_of("two-loud-units", 2000)
    scores, alphas = dual_gcv(X, Y, folds, "zscore")
    [x], [y] = tensors(X), tensors(Y)
    result = primal_map([x], [y], folds, alphas=ALPHAS)
    assert result.alphas[0, 0].tolist() == alphas.tolist()
    np.testing.assert_allclose(result.fold_scores[0, 0], scores, rtol=0, atol=1e-8)
    # The project's own dual form predicts in single precision.
    for fold, alpha in enumerate(alphas):
        dual = linear_predictivity([x], [y], folds, alphas=[alpha])
        assert abs(dual.fold_scores[0, 0, fold] - result.fold_scores[0, 0, fold]) < 1e-6


@pytest.mark.parametrize("select", ["gcv", "inner"])
def test_both_directions_of_a_map_equal_each_alone(select: Select) -> None:
    made = [layers_of(case) for case in ("plain", "two-loud-units", "constant-units")]
    vision, language = tensors(*(X for X, _, _ in made)), tensors(*(Y for _, Y, _ in made))
    folds, steps = made[0][2], []
    forth, back = primal_maps(
        vision, language, folds, alphas=ALPHAS, select=select, progress=lambda *at: steps.append(at)
    )
    assert steps == [(i + 1, 30) for i in range(30)]
    for both, sources, targets in ((forth, vision, language), (back, language, vision)):
        for i, source in enumerate(sources):
            for j, target in enumerate(targets):
                alone = primal_map([source], [target], folds, alphas=ALPHAS, select=select)
                assert (both.alphas[i, j] == alone.alphas[0, 0]).all()
                np.testing.assert_allclose(
                    both.fold_scores[i, j], alone.fold_scores[0, 0], rtol=0, atol=1e-12
                )


def test_constant_units_are_dropped_and_counted_as_the_dual_does() -> None:
    X, Y, folds = layers_of("constant-units")
    [x], [y] = tensors(X), tensors(Y)
    ours, dual = primal_map([x], [y], folds, alphas=[1.0]), linear_predictivity([x], [y], folds)
    assert ours.dropped_source.tolist() == [[2, 2, 3, 2, 2]]
    assert ours.dropped_target.tolist() == [[1, 2, 1, 1, 1]]
    assert (ours.dropped_source == dual.dropped_source).all()
    assert (ours.dropped_target == dual.dropped_target).all()
    still = torch.full_like(x, 0.1)
    assert primal_map([still], [y], folds, alphas=[1.0]).scores[0, 0] == 0.0
    assert np.isnan(primal_map([x], [still], folds, alphas=[1.0]).scores[0, 0])


@settings(deadline=None, max_examples=30)
@given(
    seed=st.integers(0, 2**32 - 1),
    shards=st.integers(1, 6),
    offset=st.sampled_from([0.0, 1.0, 1e4]),
)
def test_shards_add_up_in_any_order(seed: int, shards: int, offset: float) -> None:
    """Each shard is about its own mean; rows go to shards at random, so that a shard may lack a fold."""
    rng = np.random.default_rng(seed)
    X = torch.from_numpy(rng.standard_normal((120, 7)) + offset)
    Y = torch.from_numpy(rng.standard_normal((120, 5)) * 3 - offset)
    Y[:, 0] += X[:, 0]
    X[:, 2] = 0.1
    folds = torch.from_numpy(rng.integers(0, 3, 120))
    shard = torch.from_numpy(rng.integers(0, shards, 120))
    parts = []
    for one in shard.unique():
        mine = shard == one
        part = Moments.about([X[mine]], [Y[mine]], 3)
        part.add([X[mine]], [Y[mine]], folds[mine])
        parts.append(part)
    whole = accumulate([X], [Y], folds.numpy())
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert total.counts.tolist() == whole.counts.tolist()
    assert torch.equal(total.vision.low, whole.vision.low)
    assert torch.equal(total.language.high, whole.language.high)
    for reverse in (False, True):
        ours = score_moments(total, alphas=ALPHAS, reverse=reverse)
        theirs = score_moments(whole, alphas=ALPHAS, reverse=reverse)
        assert (ours.dropped_source == theirs.dropped_source).all()
        same = ours.alphas == theirs.alphas  # the criterion may tie within rounding
        assert same.mean() > 0.6
        np.testing.assert_allclose(
            ours.fold_scores[same], theirs.fold_scores[same], rtol=0, atol=1e-8
        )


def test_moments_are_those_of_the_definition() -> None:
    X, Y, folds = layers_of("two-loud-units")
    [x], [y] = tensors(X), tensors(Y)
    moments = accumulate([x], [y], folds)
    left, right = X - moments.vision.shift.numpy(), Y - moments.language.shift.numpy()
    for fold in range(5):
        a, b = left[folds == fold], right[folds == fold]
        for ours, expected in (
            (moments.cross[fold], a.T @ b),
            (moments.vision.products[0][fold], a.T @ a),
            (moments.language.squares[fold], (b * b).sum(axis=0)),
            (moments.language.sums[fold], b.sum(axis=0)),
        ):
            scale = np.abs(expected).max()
            np.testing.assert_allclose(ours.numpy(), expected, rtol=0, atol=1e-12 * scale)


def test_one_direction_accumulates_no_products_of_its_target() -> None:
    X, Y, folds = layers_of("plain")
    [x], [y] = tensors(X), tensors(Y)
    moments = accumulate([x], [y], folds, sources=["vision"])
    assert moments.language.products == ()
    both = score_moments(accumulate([x], [y], folds), alphas=ALPHAS)
    one = score_moments(moments, alphas=ALPHAS)
    np.testing.assert_allclose(one.fold_scores, both.fold_scores, rtol=0, atol=1e-12)


def test_half_precision_is_read_as_it_is() -> None:
    X, Y, folds = layers_of("plain")
    half = [torch.from_numpy(A).to(torch.float16) for A in (X, Y)]
    ours = primal_map(half[:1], half[1:], folds, alphas=ALPHAS)
    double = primal_map([half[0].double()], [half[1].double()], folds, alphas=ALPHAS)
    assert (ours.fold_scores == double.fold_scores).all()


def test_the_cheaper_form_changes_once_with_the_rows() -> None:
    told = [primal_is_cheaper(n, [768] * 12, [1024] * 12, 5, 10) for n in range(100, 20_000, 100)]
    assert not told[0]
    assert told[-1]
    assert told == sorted(told)
    assert primal_is_cheaper(20_000, [4096], [4096], 5, 10)


def test_refusals() -> None:
    X, Y, folds = layers_of("plain")
    [x], [y] = tensors(X), tensors(Y)
    with pytest.raises(InputError, match="alphas"):
        primal_map([x], [y], folds, alphas=[])
    with pytest.raises(InputError, match=r"1 folds.*at least 2"):
        primal_map([x], [y], np.zeros(len(X), np.int64), alphas=ALPHAS)
    with pytest.raises(InputError, match=r"2 folds.*'inner'.*at least 3"):
        primal_map([x], [y], folds % 2, alphas=ALPHAS, select="inner")
    with pytest.raises(InputError, match=r"smallest of 1 rows"):
        primal_map([x], [y], np.arange(len(X)), alphas=ALPHAS)
    moments = Moments.about([x], [y], 2)
    with pytest.raises(InputError, match="fold 4"):
        moments.add([x], [y], torch.from_numpy(folds))
    with pytest.raises(InputError, match="widths"):
        moments.add([y], [x], torch.from_numpy(folds))
