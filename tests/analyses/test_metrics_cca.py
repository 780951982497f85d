from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import cross_decomposition
from sklearn.decomposition import PCA

from analyses.metrics import METRICS, choose_metric
from analyses.metrics.folds import folds_of
from analyses.metrics.inference.null import group_permutations
from vdb.errors import InputError

N, FOLDS = 80, 4


def layer(width: int, seed: int, rows: int = N) -> torch.Tensor:
    """Six factors of unlike strength that layers share, and noise of their own."""
    shared = torch.randn(rows, 6, generator=torch.Generator().manual_seed(77), dtype=torch.float64)
    shared = shared * torch.tensor([3.0, 2.5, 2.0, 1.5, 1.2, 1.0])
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(6, width, generator=generator, dtype=torch.float64)
    return shared @ mixing + torch.randn(rows, width, generator=generator, dtype=torch.float64)


def fold_scores(name: str, X: torch.Tensor, Y: torch.Tensor, **given: Any) -> np.ndarray:
    return METRICS[name].compute([X], [Y], folds=FOLDS, **given)["symmetric"].fold_scores[0, 0]


def correlate(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(left[:, i], right[:, i])[0, 1] for i in range(left.shape[1])])


def by_decompositions(
    X: np.ndarray, Y: np.ndarray, test: np.ndarray, components: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    """CCA by SVD, QR and SVD: the variates' held-out correlations, and each side's projection weights."""
    sides, bases = [], []
    for side in (X, Y):
        train = side[~test] - side[~test].mean(axis=0)
        Vh = np.linalg.svd(train, full_matrices=False)[2][:components]
        Q, R = np.linalg.qr(train @ Vh.T)
        sides.append((side - side[~test].mean(axis=0)) @ Vh.T @ np.linalg.inv(R))
        bases.append(Q)
    U, _, Vh = np.linalg.svd(bases[0].T @ bases[1], full_matrices=False)
    r = correlate(sides[0][test] @ U, sides[1][test] @ Vh.T)
    weights = []
    for side, Q, axes in zip((X, Y), bases, (U, Vh.T), strict=True):
        share = np.abs((Q @ axes).T @ (side[~test] - side[~test].mean(axis=0))).sum(axis=1)
        weights.append(share / share.sum())
    return r, weights


@pytest.mark.parametrize("widths", [(5, 8), (7, 120), (150, 100)])
@pytest.mark.parametrize("components", [3, 5])
def test_svcca_and_pwcca_equal_decompositions_by_hand(
    widths: tuple[int, int], components: int
) -> None:
    X, Y = layer(widths[0], 1), layer(widths[1], 2)
    folds = folds_of(None, N, FOLDS, 0)
    plain, weighted = [], []
    for fold in range(FOLDS):
        r, shares = by_decompositions(X.numpy(), Y.numpy(), folds == fold, components)
        plain.append(r.mean())
        weighted.append(np.mean([r @ share for share in shares]))
    found = fold_scores("svcca", X, Y, components=components)
    np.testing.assert_allclose(found, plain, atol=1e-9)
    found = fold_scores("pwcca", X, Y, components=components)
    np.testing.assert_allclose(found, weighted, atol=1e-9)
    assert not np.allclose(plain, weighted)


def test_plain_cca_equals_scikit_learn() -> None:
    X, Y = layer(4, 1), layer(7, 2)
    folds = folds_of(None, N, FOLDS, 0)
    expected = []
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        fitted = cross_decomposition.CCA(n_components=4, max_iter=20_000, tol=1e-14).fit(
            X[train].numpy(), Y[train].numpy()
        )
        expected.append(correlate(*fitted.transform(X[test].numpy(), Y[test].numpy())).mean())
    np.testing.assert_allclose(fold_scores("cca", X, Y, shrinkage=0.0), expected, atol=1e-5)


@pytest.mark.parametrize("share", [0.4, 0.8, 0.95])
def test_svcca_by_share_of_variance_keeps_what_scikit_learn_keeps(share: float) -> None:
    X, Y = layer(30, 1), layer(40, 2)
    folds = folds_of(None, N, FOLDS, 0)
    expected = []
    for fold in range(FOLDS):
        sides = []
        for side in (X.numpy(), Y.numpy()):
            pca = PCA(share, svd_solver="full").fit(side[folds != fold])
            sides.append(torch.from_numpy(pca.transform(side)))
        alone = fold_scores("cca", *sides, shrinkage=0.0, components=99)
        expected.append(alone[fold])
    np.testing.assert_allclose(fold_scores("svcca", X, Y, variance=share), expected, atol=1e-9)


def test_regularised_cca_equals_the_generalised_eigenproblem() -> None:
    X, Y, shrinkage = layer(5, 1), layer(9, 2), 0.3
    folds = folds_of(None, N, FOLDS, 0)
    expected = []
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        A, B = (side.numpy() - side[train].numpy().mean(axis=0) for side in (X, Y))
        covariances = []
        for side in (A, B):
            S = side[train].T @ side[train]
            even = np.trace(S) / len(S) * np.eye(len(S))
            covariances.append((1 - shrinkage) * S + shrinkage * even)
        cross = A[train].T @ B[train]
        M = np.linalg.solve(
            covariances[0], cross @ np.linalg.solve(covariances[1], cross.T)
        )  # (Sx + rI)^-1 Sxy (Sy + rI)^-1 Syx: its eigenvectors are the directions of X
        values, a = np.linalg.eig(M)
        a = a[:, np.argsort(-values.real)[:3]].real
        b = np.linalg.solve(covariances[1], cross.T @ a)
        expected.append(correlate(A[test] @ a, B[test] @ b).mean())
    found = fold_scores("cca", X, Y, shrinkage=shrinkage, components=3)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_nothing_is_found_in_independent_data_where_in_sample_correlations_are_high() -> None:
    generator = torch.Generator().manual_seed(0)
    X, Y = (torch.randn(400, width, generator=generator) for width in (256, 512))
    inner = np.linalg.qr(PCA(20).fit_transform(X.numpy()))[0]
    other = np.linalg.qr(PCA(20).fit_transform(Y.numpy()))[0]
    in_sample = np.linalg.svd(inner.T @ other)[1].mean()
    assert in_sample > 0.15
    for name in ("cca", "svcca", "pwcca"):
        # A fold's mean of 20 correlations over 80 rows: standard error 1 / sqrt(20 * 79) = .025, .011 over five folds.
        score = METRICS[name].compute([X], [Y])["symmetric"].scores[0, 0]
        assert abs(score) < 0.045, name


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    name=st.sampled_from(["cca", "svcca", "pwcca"]),
    widths=st.tuples(st.integers(6, 120), st.integers(6, 120)),
    factor=st.sampled_from([1e-5, 0.3, 1e4]),
)
def test_scores_see_neither_scale_nor_shift_nor_which_side_is_which(
    seed: int, name: str, widths: tuple[int, int], factor: float
) -> None:
    X, Y = layer(widths[0], seed), layer(widths[1], seed + 1000)
    plain = fold_scores(name, X, Y, components=5)
    moved = factor * X + 3 * factor
    np.testing.assert_allclose(fold_scores(name, moved, Y, components=5), plain, atol=1e-6)
    np.testing.assert_allclose(fold_scores(name, Y, X, components=5), plain, atol=1e-6)
    generator = torch.Generator().manual_seed(seed)
    if name == "pwcca":
        moved = X[:, torch.randperm(widths[0], generator=generator)]
    else:
        square = torch.randn(widths[0], widths[0], generator=generator, dtype=torch.float64)
        moved = X @ torch.linalg.qr(square)[0]
    np.testing.assert_allclose(fold_scores(name, moved, Y, components=5), plain, atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), width=st.integers(2, 12))
def test_plain_cca_sees_no_invertible_linear_map(seed: int, width: int) -> None:
    X, Y = layer(width, seed), layer(9, seed + 1000)
    generator = torch.Generator().manual_seed(seed)
    spread = torch.logspace(-2, 2, width, dtype=torch.float64)
    square = torch.randn(width, width, generator=generator, dtype=torch.float64)
    moved = X @ (torch.linalg.qr(square)[0] * spread) @ torch.linalg.qr(square.T)[0]
    np.testing.assert_allclose(
        fold_scores("cca", moved, Y, shrinkage=0.0),
        fold_scores("cca", X, Y, shrinkage=0.0),
        atol=1e-6,
    )


def test_plain_cca_of_more_units_than_rows_is_refused_by_what_to_do() -> None:
    # 60 training rows have 59 dimensions.
    fold_scores("cca", layer(29, 1), layer(30, 2), shrinkage=0.0)
    with pytest.raises(InputError, match=r"up to 60 units between them on 60 training rows.*svcca"):
        fold_scores("cca", layer(30, 1), layer(30, 2), shrinkage=0.0)


def test_components_never_suffice_for_perfect_correlations_of_any_data() -> None:
    generator = torch.Generator().manual_seed(0)
    X, Y = (torch.randn(40, 200, generator=generator) for _ in range(2))
    most = METRICS["svcca"].compute([X], [Y], folds=FOLDS, components=999)["symmetric"]
    capped = METRICS["svcca"].compute([X], [Y], folds=FOLDS, components=(30 - 1) // 2)["symmetric"]
    np.testing.assert_array_equal(most.fold_scores, capped.fold_scores)


@pytest.mark.parametrize(
    ("name", "exact"), [("cca", True), ("svcca", False), ("pwcca", False)], ids=str
)
def test_the_null_is_the_map_of_permuted_rows(name: str, exact: bool) -> None:
    vision, language = [layer(6, 1), layer(90, 2)], [layer(30, 3), layer(100, 4), layer(6, 5)]
    permutations = group_permutations(range(N), 20, 0)
    given = {"folds": FOLDS, "components": 6}
    compute = METRICS[name].compute
    found = compute(vision, language, permutations=permutations, **given)["symmetric"]
    assert found.null is not None
    assert found.null.shape == (20, 2, 3)
    moved = np.stack(
        [
            compute(vision, [one[order] for one in language], **given)["symmetric"].scores
            for order in permutations
        ]
    )
    # The main components of a language layer are those of its own training rows, whatever they are compared with:
    # where all are kept that is the same, and elsewhere another draw of the same null.
    same = (slice(None), slice(None), slice(None) if exact else [2])
    np.testing.assert_allclose(found.null[same], moved[same], atol=1e-9)
    assert abs(found.null.mean() - moved.mean()) < 0.03
    assert (found.scores > found.null.max(axis=0)).all()


def test_settings_are_read_from_the_name() -> None:
    X, Y = layer(30, 1), layer(40, 2)
    chosen = choose_metric("svcca:components=4")
    assert chosen.name == "svcca:components=4"
    by_name = chosen.compute([X], [Y], folds=FOLDS)["symmetric"].fold_scores[0, 0]
    np.testing.assert_array_equal(by_name, fold_scores("svcca", X, Y, components=4))
    assert choose_metric("svcca:components=20").name == "svcca"
    with pytest.raises(InputError, match="components must be"):
        choose_metric("svcca:components=0")
    with pytest.raises(InputError, match="shrinkage must be"):
        choose_metric("cca:shrinkage=1.5")
