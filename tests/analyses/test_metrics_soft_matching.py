from __future__ import annotations

import sys
from itertools import permutations as orders

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from analyses.metrics.folds import folds_of
from analyses.metrics.inference.null import group_permutations
from analyses.metrics.subspaces.soft_matching import linear_program, soft_matching_maps, transport
from vdb.errors import InputError

N, FOLDS = 60, 4


def layer(width: int, seed: int, rows: int = N) -> torch.Tensor:
    shared = torch.randn(rows, 5, generator=torch.Generator().manual_seed(77), dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(5, width, generator=generator, dtype=torch.float64)
    return shared @ mixing + torch.randn(rows, width, generator=generator, dtype=torch.float64)


def fold_scores(X: torch.Tensor, Y: torch.Tensor, units: int = 0) -> np.ndarray:
    return soft_matching_maps([X], [Y], folds=FOLDS, units=units)["symmetric"].fold_scores[0, 0]


def by_hand(X: torch.Tensor, Y: torch.Tensor) -> list[float]:
    """Solve the linear program of the training correlations as SciPy has it, score it on the others."""
    a, b = X.shape[1], Y.shape[1]
    folds, scores = folds_of(None, N, FOLDS, 0), []
    for fold in range(FOLDS):
        both = np.concatenate([X.numpy(), Y.numpy()], axis=1)
        train, test = (np.corrcoef(both[rows].T)[:a, a:] for rows in (folds != fold, folds == fold))
        sums = [np.kron(np.eye(a), np.ones(b)), np.kron(np.ones(a), np.eye(b))]
        mass = np.concatenate([np.full(a, 1 / a), np.full(b, 1 / b)])
        plan = linprog(-train.ravel(), A_eq=np.concatenate(sums), b_eq=mass).x
        scores.append(float(plan @ test.ravel()))
    return scores


@pytest.mark.parametrize(("left", "right"), [(6, 6), (4, 7), (9, 3)])
def test_equals_the_linear_program(left: int, right: int) -> None:
    X, Y = layer(left, 1), layer(right, 2)
    np.testing.assert_allclose(fold_scores(X, Y), by_hand(X, Y), atol=1e-9)


@settings(max_examples=40, deadline=None)
@given(size=st.integers(1, 6), seed=st.integers(0, 999))
def test_of_one_width_the_transport_is_the_best_permutation_by_either_solver(
    size: int, seed: int
) -> None:
    similarity = np.random.default_rng(seed).uniform(-1, 1, (size, size))
    best = max(sum(similarity[i, j] for i, j in enumerate(order)) for order in orders(range(size)))
    for plan in (transport(similarity), linear_program(similarity)):
        np.testing.assert_allclose((plan * similarity).sum() * size, best, atol=1e-9)
        np.testing.assert_allclose(plan.sum(axis=0), 1 / size)
        np.testing.assert_allclose(plan.sum(axis=1), 1 / size)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), widths=st.tuples(st.integers(2, 20), st.integers(2, 20)))
def test_scores_see_neither_order_nor_scale_of_units_nor_which_side_is_which(
    seed: int, widths: tuple[int, int]
) -> None:
    X, Y = layer(widths[0], seed), layer(widths[1], seed + 1000)
    plain = fold_scores(X, Y)
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(widths[0], generator=generator)
    scales = 10 ** (6 * torch.rand(widths[0], generator=generator, dtype=torch.float64) - 3)
    moved = (X * scales + 5 * scales)[:, order]
    np.testing.assert_allclose(fold_scores(moved, Y), plain, atol=1e-8)
    np.testing.assert_allclose(fold_scores(Y, X), plain, atol=1e-8)


def test_rotation_is_seen_and_a_doubled_layer_is_matched_to_itself() -> None:
    X = layer(10, 1)
    np.testing.assert_allclose(fold_scores(X, X), 1.0, atol=1e-12)
    np.testing.assert_allclose(fold_scores(X, torch.cat([X, X], dim=1)), 1.0, atol=1e-9)
    square = torch.randn(10, 10, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert (fold_scores(X, X @ torch.linalg.qr(square)[0]) < 0.99).all()


def test_independent_data_score_about_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    X, Y = (torch.randn(200, width, generator=generator) for width in (64, 100))
    # In sample the best match of a unit correlates at .15 and more.
    assert abs(soft_matching_maps([X], [Y])["symmetric"].scores[0, 0]) < 0.02


def test_units_are_sampled_by_the_seed_and_alike_in_layers_of_one_width() -> None:
    X, Y = layer(40, 1), layer(50, 2)
    whole = fold_scores(X, Y, units=50)
    np.testing.assert_array_equal(whole, fold_scores(X, Y))
    np.testing.assert_allclose(fold_scores(X, X, units=8), 1.0, atol=1e-12)
    drawn = {
        seed: soft_matching_maps([X], [Y], folds=FOLDS, seed=seed, units=8)["symmetric"]
        for seed in (0, 0, 1)
    }
    np.testing.assert_array_equal(drawn[0].fold_scores[0, 0], fold_scores(X, Y, units=8))
    assert not np.allclose(drawn[0].scores, drawn[1].scores)
    assert drawn[0].facts["layers of which units were sampled"] == 2


def test_units_that_do_not_vary_are_left_out_and_counted() -> None:
    X, Y = layer(5, 1), layer(8, 2)
    dead = torch.full((N, 3), 0.1, dtype=torch.float64)
    found = soft_matching_maps([torch.cat([dead, X], dim=1)], [Y], folds=FOLDS)["symmetric"]
    np.testing.assert_allclose(found.fold_scores[0, 0], fold_scores(X, Y), atol=1e-12)
    assert found.facts["dropped units that never vary, summed over layers"] == 3


def test_a_unit_silent_in_training_earns_nothing_and_needs_no_other_transport(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between layers of one width a permutation is enough in every fold, whichever units vary there."""
    monkeypatch.setitem(sys.modules, "ot", None)
    X, Y = layer(6, 1), layer(6, 2)
    X[torch.from_numpy(folds_of(None, N, FOLDS, 0) != 1), 0] = 0.5
    silent = fold_scores(X, Y)
    assert np.isfinite(silent).all()
    # In fold 1 the other five units are matched, and the sixth share of the mass has no correlation.
    assert fold_scores(X, X)[1] == pytest.approx(5 / 6)
    with pytest.raises(InputError, match="needs POT"):
        fold_scores(torch.cat([X, torch.full((N, 1), 2.0)], dim=1), layer(7, 3))


def test_the_null_is_the_map_of_permuted_rows() -> None:
    vision, language = [layer(5, 1), layer(9, 2)], [layer(7, 3), layer(9, 4)]
    permutations = group_permutations(range(N), 3, 0)
    found = soft_matching_maps(vision, language, folds=FOLDS, permutations=permutations)
    assert found["symmetric"].null is not None
    for order, drawn in zip(permutations, found["symmetric"].null, strict=True):
        moved = soft_matching_maps(vision, [one[order] for one in language], folds=FOLDS)
        np.testing.assert_allclose(drawn, moved["symmetric"].scores, atol=1e-9)


def test_without_pot_layers_of_one_width_are_matched_and_others_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = fold_scores(layer(6, 1), layer(6, 2))
    monkeypatch.setitem(sys.modules, "ot", None)
    np.testing.assert_array_equal(fold_scores(layer(6, 1), layer(6, 2)), expected)
    assert fold_scores(layer(60, 1), layer(50, 2), units=20).shape == (FOLDS,)
    with pytest.raises(InputError, match=r"needs POT.*pip install 'vdb\[soft-matching\]'"):
        fold_scores(layer(6, 1), layer(7, 2))
