from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from analyses.metrics.folds import assign_folds
from analyses.metrics.ridge.linear_predictivity import linear_predictivity, predict_held_out
from analyses.metrics.ridge.packed import pack
from analyses.metrics.ridge.selection import TargetGrams, residual_weights, select
from analyses.metrics.ridge.source import Scale, factorise, outer
from vdb.errors import InputError

ALPHAS = tuple(np.logspace(-3, 6, 10))
CASES = ["wide", "narrow", "few-rows", "grouped", "two-loud-units", "constant-units", "low-rank"]


def layers_of(case: str) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Make a source, a target and folds; both share a latent and have noise of their own."""
    n, d, t = {"wide": (90, 200, 40), "narrow": (200, 24, 12), "few-rows": (14, 30, 5)}.get(
        case, (120, 60, 20)
    )
    rng = np.random.default_rng(sum(map(ord, case)))
    latent = rng.standard_normal((n, 8))
    X = latent @ rng.standard_normal((8, d)) + rng.standard_normal((n, d))
    Y = latent @ rng.standard_normal((8, t)) + 2 * rng.standard_normal((n, t))
    groups = rng.integers(0, 17, n) if case == "grouped" else np.arange(n)
    if case == "two-loud-units":
        X[:, :2] = 1000 * X[:, :2] + 5000
        Y[:, :2] = 1000 * Y[:, :2] - 300
    if case == "constant-units":
        X[:, [3, 7]] = [0.1, 5.0]
    if case == "low-rank":
        X = latent @ rng.standard_normal((8, d))
    folds = assign_folds(groups, 3 if case == "few-rows" else 5, seed=4)
    return torch.from_numpy(X), torch.from_numpy(Y), folds


def reference(
    X: np.ndarray, Y: np.ndarray, folds: np.ndarray, scale: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Do the same with scikit-learn and scipy, one fold and one unit at a time."""
    scores, chosen, predicted = [], [], np.empty_like(Y)
    for k in range(folds.max() + 1):
        train, test = folds != k, folds == k
        ridge = RidgeCV(alphas=ALPHAS)
        model = make_pipeline(StandardScaler(), ridge) if scale == "zscore" else ridge
        model.fit(X[train], Y[train])
        predicted[test] = model.predict(X[test])
        units = range(Y.shape[1])
        scores.append(np.mean([pearsonr(predicted[test, u], Y[test, u])[0] for u in units]))
        chosen.append(ridge.alpha_)
    return np.array(scores), np.array(chosen), predicted


@pytest.mark.parametrize("scale", ["zscore", "none"])
@pytest.mark.parametrize("case", CASES)
def test_equals_scikit_learn(case: str, scale: Scale) -> None:
    X, Y, folds = layers_of(case)
    scores, alphas, predicted = reference(X.numpy(), Y.numpy(), folds, scale)
    result = linear_predictivity([X], [Y], folds, alphas=ALPHAS, scale=scale)
    assert result.alphas[0, 0].tolist() == alphas.tolist()
    np.testing.assert_allclose(result.fold_scores[0, 0], scores, rtol=0, atol=1e-6)
    np.testing.assert_allclose(result.scores[0, 0], scores.mean(), rtol=0, atol=1e-6)
    [ours] = predict_held_out([X], [Y], folds, alphas=ALPHAS, scale=scale)
    assert ours.alphas.tolist() == alphas.tolist()
    tolerance = 1e-8 * np.abs(predicted).max()
    np.testing.assert_allclose(ours.predicted.numpy(), predicted, rtol=0, atol=tolerance)


def test_a_whole_map_equals_its_cells_in_single_precision_input_too() -> None:
    cells = {case: layers_of(case) for case in ("two-loud-units", "constant-units", "low-rank")}
    sources = [X.float() for X, _, _ in cells.values()]
    targets = [Y.float() for _, Y, _ in cells.values()]
    folds = cells["low-rank"][2]
    steps = []
    whole = linear_predictivity(
        sources, targets, folds, alphas=ALPHAS, progress=lambda *step: steps.append(step)
    )
    assert steps == [(i + 1, 15) for i in range(15)]
    for i, X in enumerate(sources):
        for j, Y in enumerate(targets):
            scores, alphas, _ = reference(X.double().numpy(), Y.double().numpy(), folds, "zscore")
            np.testing.assert_allclose(whole.fold_scores[i, j], scores, rtol=0, atol=1e-6)
            assert whole.alphas[i, j].tolist() == alphas.tolist()
    assert whole.dropped_source.tolist() == [[0] * 5, [2] * 5, [0] * 5]


@pytest.mark.parametrize("alpha", [1e-12, 1e-6, 1.0, 1e12])
@pytest.mark.parametrize("case", ["wide", "narrow", "low-rank"])
def test_one_alpha_however_small_or_large(case: str, alpha: float) -> None:
    X, Y, folds = layers_of(case)
    [result] = predict_held_out([X], [Y], folds, alphas=[alpha], scale="none")
    expected = np.empty(Y.shape)
    for k in range(folds.max() + 1):
        train, test = folds != k, folds == k
        model = Ridge(alpha=alpha, solver="svd").fit(X.numpy()[train], Y.numpy()[train])
        expected[test] = model.predict(X.numpy()[test])
    np.testing.assert_allclose(result.predicted.numpy(), expected, rtol=0, atol=1e-6)
    scores = linear_predictivity([X], [Y], folds, alphas=[alpha], scale="none").fold_scores[0, 0]
    for k in range(folds.max() + 1):
        held = folds == k
        r = [pearsonr(expected[held, u], Y.numpy()[held, u])[0] for u in range(Y.shape[1])]
        assert scores[k] == pytest.approx(np.mean(r), abs=1e-6)


@pytest.mark.parametrize("case", ["wide", "narrow", "few-rows", "low-rank"])
def test_leave_one_out_is_what_leaving_one_out_gives(case: str) -> None:
    X, Y, _ = layers_of(case)
    X, Y = X[:40], Y[:40]
    rows = torch.arange(len(X))
    source = factorise(X, rows, rows[:2], "none")
    alphas = [1e-2, 1.0, 100.0]
    shrinkage = residual_weights(source, alphas, torch.float64) @ pack(outer(Y), doubled=True)
    for alpha, ours in zip(alphas, shrinkage.tolist(), strict=True):
        errors = []
        for i in range(len(X)):
            rest = np.arange(len(X)) != i
            model = Ridge(alpha=alpha, solver="svd").fit(X.numpy()[rest], Y.numpy()[rest])
            errors.append(((model.predict(X.numpy()[i : i + 1]) - Y.numpy()[i]) ** 2).sum())
        assert ours == pytest.approx(np.sum(errors), rel=1e-6)


def test_close_calls_are_made_in_double_precision() -> None:
    # A source that explains its target exactly: all small alphas leave errors that single precision cannot tell apart.
    X, _, _ = layers_of("narrow")
    Y = X @ torch.randn(24, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    alphas = tuple(np.logspace(-4, 4, 17))
    train, test = torch.arange(150), torch.arange(150, 200)
    source = factorise(X, train, test, "none")
    chosen = select(source, alphas, TargetGrams.of([outer(Y - Y.mean(dim=0))], train))
    model = RidgeCV(alphas=alphas).fit(X[:150].numpy(), Y[:150].numpy())
    assert alphas[int(chosen[0])] == model.alpha_


def test_the_edge_of_the_grid_is_told() -> None:
    X, Y, folds = layers_of("wide")
    inside = linear_predictivity([X], [Y], folds, alphas=ALPHAS)
    assert not inside.on_edge.any()
    outside = linear_predictivity([X], [Y], folds, alphas=[1e-3, 1e-2])
    assert outside.on_edge.all()


def test_a_layer_without_variance_scores_zero_and_a_target_unit_without_it_is_left_out() -> None:
    X, Y, folds = layers_of("narrow")
    flat = torch.full_like(X, 0.3)
    result = linear_predictivity([flat, X], [Y, torch.cat([Y, flat[:, :3]], dim=1)], folds)
    assert (result.fold_scores[0] == 0).all()
    assert result.dropped_source[0].tolist() == [24] * 5
    assert result.dropped_target.tolist() == [[0] * 5, [3] * 5]
    np.testing.assert_allclose(result.scores[1, 1], result.scores[1, 0], rtol=0, atol=1e-12)


def test_independent_layers_score_about_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    X, Y = (torch.randn(200, width, generator=generator) for width in (50, 80))
    result = linear_predictivity([X], [Y], assign_folds(np.arange(200), 5, 0))
    # 80 units times 200 rows: the mean r has a standard deviation near 1 / sqrt(16000).
    assert abs(result.scores[0, 0]) < 0.03


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alphas": [0.0, 1.0]}, "above zero"),
        ({"alphas": []}, "above zero"),
        ({"sources": []}, "no vision layers"),
        ({"sources": [torch.ones(5)]}, "vision layer 0 must be an"),
        ({"targets": [torch.ones(9, 2)]}, "language layer 0 has 9 rows where vision layer 0 has 6"),
        ({"targets": [torch.full((6, 2), torch.nan)]}, "language layer 0 holds NaN or inf"),
        ({"folds": np.array([0, 0, 0, 0, 0, 1])}, "at least two rows"),
    ],
)
def test_bad_input_is_named(change: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {
        "sources": [torch.rand(6, 3)],
        "targets": [torch.rand(6, 2)],
        "folds": np.array([0, 0, 0, 1, 1, 1]),
    }
    with pytest.raises(InputError, match=message):
        linear_predictivity(**{**good, **change})
