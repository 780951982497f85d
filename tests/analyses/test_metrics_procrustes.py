from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes

from analyses.metrics import METRICS
from analyses.metrics.folds import folds_of
from analyses.metrics.inference.null import group_permutations
from analyses.metrics.subspaces.coordinates import coordinates, main_axes
from analyses.metrics.subspaces.procrustes import procrustes_maps
from vdb.errors import InputError

N, FOLDS = 60, 4


def layer(width: int, seed: int, rows: int = N) -> torch.Tensor:
    """Eight factors that layers share, and noise of their own."""
    shared = torch.randn(rows, 8, generator=torch.Generator().manual_seed(77), dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(8, width, generator=generator, dtype=torch.float64)
    return shared @ mixing + torch.randn(rows, width, generator=generator, dtype=torch.float64)


def rotation(width: int, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.linalg.qr(torch.randn(width, width, generator=generator, dtype=torch.float64))[0]


def fold_scores(X: torch.Tensor, Y: torch.Tensor, **settings: int) -> np.ndarray:
    return procrustes_maps([X], [Y], folds=FOLDS, **settings)["symmetric"].fold_scores[0, 0]


def by_scipy(X: torch.Tensor, Y: torch.Tensor, folds: np.ndarray) -> list[float]:
    """Pad the narrower with zeros, rotate by SciPy, compare what was held out."""
    width = max(X.shape[1], Y.shape[1])
    A, B = (np.pad(side.numpy(), [(0, 0), (0, width - side.shape[1])]) for side in (X, Y))
    scores = []
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        A0, B0 = A - A[train].mean(axis=0), B - B[train].mean(axis=0)
        turned = A0[test] @ orthogonal_procrustes(A0[train], B0[train])[0]
        lengths = np.linalg.norm(A0[test]) * np.linalg.norm(B0[test])
        scores.append(float((turned * B0[test]).sum() / lengths))
    return scores


@pytest.mark.parametrize(("left", "right"), [(9, 9), (5, 30), (30, 12)])
def test_equals_rotating_by_scipy(left: int, right: int) -> None:
    X, Y = layer(left, 1), layer(right, 2)
    folds = folds_of(None, N, FOLDS, 0)
    np.testing.assert_allclose(fold_scores(X, Y), by_scipy(X, Y, folds), atol=1e-12)


def test_of_more_units_than_rows_it_equals_the_polar_factor_without_a_completion() -> None:
    X, Y = layer(90, 1), layer(150, 2)
    folds = folds_of(None, N, FOLDS, 0)
    expected = []
    for fold in range(FOLDS):
        train, test = folds != fold, folds == fold
        A, B = (side - side[train].mean(dim=0) for side in (X, Y))
        U, s, Vh = np.linalg.svd((A[train].T @ B[train]).numpy(), full_matrices=False)
        Q = torch.from_numpy(U[:, s > 1e-9] @ Vh[s > 1e-9])
        expected.append(float((A[test] @ Q * B[test]).sum() / (A[test].norm() * B[test].norm())))
    np.testing.assert_allclose(fold_scores(X, Y), expected, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 999),
    widths=st.tuples(st.integers(2, 90), st.integers(2, 90)),
    factor=st.sampled_from([1e-6, 0.3, 1e4]),
    components=st.sampled_from([0, 4]),
)
def test_sees_neither_rotation_nor_scale_nor_shift_nor_which_side_is_which(
    seed: int, widths: tuple[int, int], factor: float, components: int
) -> None:
    X, Y = layer(widths[0], seed), layer(widths[1], seed + 1000)
    plain = fold_scores(X, Y, components=components)
    moved = factor * X @ rotation(widths[0], seed) + 3 * factor
    np.testing.assert_allclose(fold_scores(moved, Y, components=components), plain, atol=1e-8)
    np.testing.assert_allclose(fold_scores(Y, X, components=components), plain, atol=1e-8)


def test_a_rotated_copy_scores_one_and_independent_data_about_zero() -> None:
    X = layer(12, 3)
    np.testing.assert_allclose(fold_scores(X, X @ rotation(12, 5)), 1.0, atol=1e-12)
    padded = torch.cat([X @ rotation(12, 5), torch.zeros(N, 8, dtype=torch.float64)], dim=1)
    np.testing.assert_allclose(fold_scores(X, padded), 1.0, atol=1e-12)
    generator = torch.Generator().manual_seed(0)
    X, Y = (torch.randn(200, width, generator=generator) for width in (256, 512))
    # In sample the cosine of these is above .9; the standard error of the held-out mean is below .01.
    assert abs(procrustes_maps([X], [Y])["symmetric"].scores[0, 0]) < 0.03


def test_two_loud_units_in_single_precision_cost_no_digit_that_counts() -> None:
    X, Y = layer(20, 1), layer(80, 2)
    X[:, :2] *= 1000
    exact = fold_scores(X, Y)
    np.testing.assert_allclose(fold_scores(X.float(), Y.float()), exact, atol=1e-6)


def test_the_null_is_the_map_of_permuted_rows_in_the_same_folds() -> None:
    vision, language = [layer(5, 1), layer(90, 2)], [layer(30, 3), layer(70, 4), layer(6, 5)]
    permutations = group_permutations(range(N), 3, 0)
    found = procrustes_maps(vision, language, folds=FOLDS, permutations=permutations)["symmetric"]
    assert found.null is not None
    for order, drawn in zip(permutations, found.null, strict=True):
        moved = procrustes_maps(vision, [one[order] for one in language], folds=FOLDS)
        np.testing.assert_allclose(drawn, moved["symmetric"].scores, atol=1e-9)
    assert (found.scores > found.null).all()


@pytest.mark.parametrize("name", ["procrustes", "cca", "svcca", "pwcca", "soft-matching"])
def test_a_layer_without_variance_has_no_score_and_takes_none_from_others(name: str) -> None:
    compute = METRICS[name].compute
    constant = torch.full((N, 7), 0.1)
    vision, language = [layer(5, 1), constant], [layer(30, 3), constant.double(), layer(6, 5)]
    steps: list[tuple[int, int]] = []
    found = compute(
        vision,
        language,
        folds=FOLDS,
        permutations=group_permutations(range(N), 2, 0),
        progress=lambda done, total: steps.append((done, total)),
    )["symmetric"]
    known = [[True, False, True], [False, False, False]]
    np.testing.assert_array_equal(np.isfinite(found.scores), known)
    np.testing.assert_array_equal(np.isfinite(found.null), [known, known])
    alone = compute(vision[:1], [language[0], language[2]], folds=FOLDS)["symmetric"]
    np.testing.assert_allclose(found.scores[0, [0, 2]], alone.scores[0], atol=1e-12)
    assert steps[-1] == (2 * 3 * FOLDS, 2 * 3 * FOLDS)


@pytest.mark.parametrize("name", ["procrustes", "cca", "svcca", "pwcca", "soft-matching"])
def test_a_layer_that_varies_only_outside_a_fold_has_no_score_there(name: str) -> None:
    folds = folds_of(None, N, FOLDS, 0)
    X = torch.full((N, 4), 0.3)
    X[folds == 2] = torch.randn(int((folds == 2).sum()), 4)
    found = METRICS[name].compute([X], [layer(6, 5)], folds=FOLDS)["symmetric"]
    # Nothing to fit where fold 2 is held out; nothing to score where another is.
    assert np.isnan(found.fold_scores).all()


@pytest.mark.parametrize("name", ["procrustes", "cca", "svcca", "pwcca", "soft-matching"])
def test_bad_input_is_refused(name: str) -> None:
    compute = METRICS[name].compute
    with pytest.raises(InputError, match="vision layer 0 holds NaN or inf, first in row 2"):
        compute([torch.tensor([[1.0], [2.0], [torch.nan]])], [torch.ones(3, 1)])
    with pytest.raises(InputError, match=r"9 folds of 8 items: each fold needs"):
        compute([layer(3, 1, 8)], [layer(3, 2, 8)], folds=9)
    with pytest.raises(InputError, match="at least 2"):
        compute([layer(3, 1, 8)], [layer(3, 2, 8)], folds=1)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(2, 20), width=st.integers(1, 40), seed=st.integers(0, 99))
def test_coordinates_lose_nothing(n: int, width: int, seed: int) -> None:
    X = layer(width, seed, n) + 100
    Z = coordinates(X)
    centred = X - X.mean(dim=0)
    assert Z.shape == (n, min(n, width))
    torch.testing.assert_close(Z @ Z.T, centred @ centred.T, rtol=0, atol=1e-10 * width)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])
def test_main_axes_are_those_of_the_singular_value_decomposition(shape: tuple[int, int]) -> None:
    X = layer(shape[1], 0, shape[0])
    X = X - X.mean(dim=0)
    _, s, Vh = np.linalg.svd(X.numpy(), full_matrices=False)
    share = np.cumsum(s**2) / (s**2).sum()
    rank = min(shape[0] - 1, shape[1])
    for most, variance, count in (
        (3, 0.0, 3),
        (99, 0.0, rank),
        (99, 1.0, rank),
        (99, 0.5, int(np.argmax(share >= 0.5)) + 1),
    ):
        axes = main_axes(X, most, variance).numpy()
        assert axes.shape == (shape[1], count)
        np.testing.assert_allclose(np.abs(Vh[:count] @ axes), np.eye(count), atol=1e-7)


@pytest.mark.parametrize("name", ["procrustes", "cca", "svcca", "pwcca", "soft-matching"])
@pytest.mark.parametrize("constant", ["held-out", "training"])
def test_rows_that_are_all_one_vector_have_no_score_however_wide_the_layer(
    name: str, constant: str
) -> None:
    """In other coordinates rounding tells equal rows apart: r of that is noise, not a score."""
    wide, other = layer(3 * N, 1), layer(3 * N, 2)
    held = folds_of(None, N, FOLDS, 0) == 0
    rows = held if constant == "held-out" else ~held
    wide[torch.from_numpy(rows)] = wide[int(np.flatnonzero(rows)[0])].clone()
    whole = METRICS[name].compute([wide, other], [other], folds=FOLDS)["symmetric"]
    assert whole.fold_scores is not None
    assert np.isnan(whole.fold_scores[0, 0, 0])
    assert np.isfinite(whole.fold_scores[0, 0, 1:]).all() == (constant == "held-out")
    assert np.isfinite(whole.fold_scores[1]).all()
