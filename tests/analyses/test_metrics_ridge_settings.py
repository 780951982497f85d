"""Each setting of the ridge metrics against the same computation written out with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import pearsonr
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.metrics import r2_score
from sklearn.model_selection import KFold
from sklearn.preprocessing import StandardScaler, scale

from analyses.metrics import METRICS
from analyses.metrics.folds import assign_folds
from analyses.metrics.ridge.linear_predictivity import inner_rows
from analyses.metrics.ridge.source import factorise, factorise_all
from vdb.errors import InputError

ALPHAS = tuple(float(alpha) for alpha in np.logspace(-3, 6, 10))
N, FOLDS = 100, 5
GROUPS = [f"g{i % 37}" for i in range(N)]
FORWARD = {"folds": FOLDS, "groups": GROUPS, "directions": ["vision->language"], "alphas": ALPHAS}
BOTH_METRICS = ["linear-predictivity", "r2"]


def layers(seed: int, widths: tuple[int, ...]) -> list[torch.Tensor]:
    rng = np.random.default_rng(seed)
    latent = np.random.default_rng(0).standard_normal((N, 6))
    made = []
    for width in widths:
        X = latent @ rng.standard_normal((6, width)) + 2 * rng.standard_normal((N, width))
        X[:, :2] = 1000 * X[:, :2] + 300
        made.append(torch.from_numpy(X))
    return made


VISION, LANGUAGE = layers(1, (150, 30)), layers(2, (20, 130))
X, Y = VISION[0].numpy(), LANGUAGE[0].numpy()


def splits() -> list[tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]]:
    folds = assign_folds(GROUPS, FOLDS, 0)
    found = []
    for k in range(FOLDS):
        train, test = np.flatnonzero(folds != k), np.flatnonzero(folds == k)
        scaler = StandardScaler().fit(X[train])
        found.append((train, test, scaler.transform(X[train]), scaler.transform(X[test])))
    return found


def mean_r(predicted: np.ndarray, truth: np.ndarray) -> float:
    units = range(truth.shape[1])
    return float(np.mean([pearsonr(predicted[:, u], truth[:, u])[0] for u in units]))


def test_an_alpha_for_each_unit_is_that_of_scikit_learn() -> None:
    [found] = (
        METRICS["linear-predictivity"]
        .compute(VISION, LANGUAGE, **FORWARD, alpha="per-unit")
        .values()
    )
    for k, (train, test, A, B) in enumerate(splits()):
        model = RidgeCV(alphas=ALPHAS, alpha_per_target=True).fit(A, Y[train])
        assert len(set(model.alpha_)) > 1
        assert found.fold_scores[0, 0, k] == pytest.approx(
            mean_r(model.predict(B), Y[test]), abs=1e-6
        )
        assert found.alphas[0, 0, k] == np.quantile(model.alpha_, 0.5, method="lower")
    assert found.facts["alpha"] == "per-unit"


def test_inner_folds_are_fitted_one_by_one() -> None:
    [found] = (
        METRICS["linear-predictivity"].compute(VISION, LANGUAGE, **FORWARD, select="inner").values()
    )
    for k, (train, test, A, B) in enumerate(splits()):
        inner = [rows.numpy() for rows in inner_rows(GROUPS, torch.from_numpy(train), N)]
        assert sorted(np.concatenate(inner)) == list(range(len(train)))
        names = [{GROUPS[train[i]] for i in rows} for rows in inner]
        assert sum(map(len, names)) == len(set().union(*names))
        errors = []
        for alpha in ALPHAS:
            total = 0.0
            for rows in inner:
                rest = np.setdiff1d(np.arange(len(train)), rows)
                model = Ridge(alpha=alpha, solver="svd").fit(A[rest], Y[train][rest])
                total += ((model.predict(A[rows]) - Y[train][rows]) ** 2).sum()
            errors.append(total)
        alpha = ALPHAS[int(np.argmin(errors))]
        predicted = Ridge(alpha=alpha, solver="svd").fit(A, Y[train]).predict(B)
        assert found.alphas[0, 0, k] == alpha
        assert found.fold_scores[0, 0, k] == pytest.approx(mean_r(predicted, Y[test]), abs=1e-6)


def test_gcv_is_its_formula() -> None:
    [found] = (
        METRICS["linear-predictivity"].compute(VISION, LANGUAGE, **FORWARD, select="gcv").values()
    )
    for k, (train, _, A, _) in enumerate(splits()):
        K, n = A @ A.T, len(train)
        centred = Y[train] - Y[train].mean(axis=0)
        criteria = []
        for alpha in ALPHAS:
            hat = K @ np.linalg.inv(K + alpha * np.eye(n)) + 1 / n
            residual = centred - hat @ centred
            criteria.append((residual**2).sum() / (n - np.trace(hat)) ** 2)
        assert found.alphas[0, 0, k] == ALPHAS[int(np.argmin(criteria))]


def test_the_recipe_of_2025_written_out() -> None:
    compute = METRICS["linear-predictivity"].compute
    [found] = compute(VISION, LANGUAGE, directions=["vision->language"], recipe="he-2025").values()
    grid = np.logspace(-8, 8, 17)
    shuffled = KFold(5, shuffle=True, random_state=42).split(X)
    for k, (train, test) in enumerate(shuffled):
        model = RidgeCV(alphas=grid).fit(scale(X[train]), Y[train])
        r = mean_r(model.predict(scale(X[test])), Y[test])
        assert found.alphas[0, 0, k] == pytest.approx(model.alpha_)
        assert found.fold_scores[0, 0, k] == pytest.approx(r, abs=1e-6)
    assert "groups and seed unused" in str(found.facts["folds"])
    with pytest.raises(InputError, match="recipe he-2025 has 5 folds"):
        compute(VISION, LANGUAGE, recipe="he-2025", select="gcv")


def test_r2_is_that_of_scikit_learn_against_the_training_mean() -> None:
    [found] = METRICS["r2"].compute(VISION, LANGUAGE, **FORWARD).values()
    for k, (train, test, A, B) in enumerate(splits()):
        for j, target in enumerate(LANGUAGE):
            T = target.numpy()
            model = RidgeCV(alphas=ALPHAS).fit(A, T[train])
            mean = np.broadcast_to(T[train].mean(axis=0), T[test].shape)
            fitted, base = (
                1 - r2_score(T[test], predicted, multioutput="variance_weighted")
                for predicted in (model.predict(B), mean)
            )
            assert found.alphas[0, j, k] == model.alpha_
            assert found.fold_scores[0, j, k] == pytest.approx(1 - fitted / base, abs=1e-8)


@pytest.mark.parametrize("name", BOTH_METRICS)
def test_a_permutation_is_the_map_of_rows_permuted_by_hand(name: str) -> None:
    compute = METRICS[name].compute
    drawn = np.stack([np.random.default_rng(seed).permutation(N) for seed in range(3)])
    options = {"folds": FOLDS, "groups": GROUPS}
    maps = compute(VISION, LANGUAGE, **options, permutations=drawn)
    plain = compute(VISION, LANGUAGE, **options)
    for direction, found in maps.items():
        np.testing.assert_array_equal(found.scores, plain[direction].scores)
        for k, order in enumerate(drawn):
            # The rows of the side that predicts stay in place, and with them the folds.
            back = np.argsort(order)
            sides = (
                (VISION, [layer[order] for layer in LANGUAGE])
                if direction == "vision->language"
                else ([layer[back] for layer in VISION], LANGUAGE)
            )
            by_hand = compute(*sides, **options, directions=[direction])[direction]
            np.testing.assert_allclose(found.null[k], by_hand.scores, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", BOTH_METRICS)
def test_independent_layers_have_nothing_to_predict(name: str) -> None:
    generator = torch.Generator().manual_seed(0)
    sides = [[torch.randn(300, width, generator=generator)] for width in (50, 80)]
    for found in METRICS[name].compute(*sides).values():
        assert abs(found.scores[0, 0]) < 0.03


def test_decompositions_in_one_batch_are_those_one_by_one() -> None:
    train, test = torch.arange(80), torch.arange(80, N)
    for scaled in ("zscore", "none"):
        batch = factorise_all(VISION, train, test, scaled, batched=True)
        for layer, ours in zip(VISION, batch, strict=True):
            one = factorise(layer, train, test, scaled)
            for alpha in (1e-3, 1e3):
                left, right = (
                    (f.projection / (f.eigenvalues + alpha)) @ f.eigenvectors.T for f in (ours, one)
                )
                torch.testing.assert_close(left, right, rtol=0, atol=1e-8)
