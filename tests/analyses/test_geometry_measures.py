"""Known manifolds and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import skew

from analyses.geometry.measures import (
    OF_ALL,
    OF_NEIGHBOURS,
    anisotropy,
    anti_hubs,
    effective_rank,
    hubness,
    loud_units,
    mean_norm,
    mle_dimension,
    moments,
    neighbours,
    norm_variation,
    occurrences,
    participation_ratio,
    two_nn,
)


def embedded(points: np.ndarray, width: int, seed: int = 0) -> torch.Tensor:
    """Lay points into a space of ``width`` units by an isometry, off the origin."""
    rng = np.random.default_rng(seed)
    axes = np.linalg.qr(rng.standard_normal((width, points.shape[1])))[0]
    return torch.from_numpy(points @ axes.T + rng.standard_normal(width))


def by_hand(X: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    apart = cdist(X, X)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1)[:, :k]
    return near, np.take_along_axis(apart, near, axis=1)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(4, 60), width=st.integers(1, 90), seed=st.integers(0, 99))
def test_neighbours_are_those_of_all_distances(n: int, width: int, seed: int) -> None:
    X = np.random.default_rng(seed).standard_normal((n, width))
    found = neighbours(torch.from_numpy(X), 3)
    indices, distances = by_hand(X, 3)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)


def test_neighbours_go_block_by_block_and_keep_the_digits_of_close_rows() -> None:
    X = np.random.default_rng(0).standard_normal((2100, 3))
    X[1] = X[0] + [1e-9, 0, 0]  # as distances of products they would be equal to rounding
    found = neighbours(torch.from_numpy(X + 7), 2)
    indices, distances = by_hand(X + 7, 2)
    np.testing.assert_array_equal(found.indices, indices)
    np.testing.assert_allclose(found.distances, distances, rtol=1e-12)
    assert found.distances[0, 0] == pytest.approx(1e-9, rel=1e-5)


@pytest.mark.parametrize("dimension", [1, 2, 4])
@pytest.mark.parametrize("width", [8, 300])
def test_the_dimension_of_a_flat_gaussian_is_found_whatever_it_lies_in(
    dimension: int, width: int
) -> None:
    n = 3000
    points = np.random.default_rng(dimension).standard_normal((n, dimension))
    near = neighbours(embedded(points, width), 10)
    found = two_nn(near)
    # The standard error of the estimate is d / sqrt(n); three of them.
    assert abs(found.value - dimension) < 3 * dimension / np.sqrt(n)
    assert found.high - found.low == pytest.approx(2 * 1.96 * found.value / np.sqrt(n), rel=0.02)
    # Ten neighbours reach further, over a density that is not even: 5 % lower is known of Gaussians.
    assert mle_dimension(near).value == pytest.approx(dimension, rel=0.08)


def test_the_interval_holds_the_dimension_about_as_often_as_it_says() -> None:
    held, estimates = [], []
    for seed in range(40):
        points = np.random.default_rng(seed).standard_normal((600, 2))
        found = two_nn(neighbours(torch.from_numpy(points), 2))
        held.append(found.low < 2 < found.high)
        estimates.append(found.value)
    # The ratios of rows that share a neighbour are not independent: nearer 90 % than 95 %.
    assert np.mean(held) >= 0.8
    # So few points lie far apart enough to see the density fall: a bias of one or two per cent.
    assert np.mean(estimates) == pytest.approx(2, rel=0.03)


def test_the_dimension_of_a_curve_and_of_a_sphere() -> None:
    rng = np.random.default_rng(0)
    angle = rng.uniform(0, 2 * np.pi, 2000)
    curve = np.stack([np.cos(angle), np.sin(angle), angle], axis=1)
    sphere = rng.standard_normal((2000, 4))
    sphere /= np.linalg.norm(sphere, axis=1, keepdims=True)
    for points, dimension in ((curve, 1), (sphere, 3)):
        near = neighbours(embedded(points, 20), 5)
        assert abs(two_nn(near).value - dimension) < 3 * dimension / np.sqrt(2000)
        assert mle_dimension(near).value == pytest.approx(dimension, rel=0.06)


def test_dimensions_equal_their_formulas_on_a_small_case() -> None:
    X = np.array([[0.0], [1.0], [3.0], [7.0]])
    near = neighbours(torch.from_numpy(X), 3)
    # Distances of each row, nearest first: 1 3 7; 1 2 6; 2 3 4; 4 6 7.
    np.testing.assert_allclose(near.distances, [[1, 3, 7], [1, 2, 6], [2, 3, 4], [4, 6, 7]])
    assert two_nn(near).value == pytest.approx(3 / np.log(3 * 2 * 1.5 * 1.5))
    logs = np.log([7, 7 / 3, 6, 3, 2, 4 / 3, 7 / 4, 7 / 6])
    assert mle_dimension(near).value == pytest.approx(1 / logs.mean())
    # Row 1 is among the two nearest of all others, row 3 of none.
    two = neighbours(torch.from_numpy(X), 2)
    assert occurrences(two).tolist() == [2, 3, 3, 0]
    assert hubness(two).value == pytest.approx(skew([2, 3, 3, 0]))
    assert anti_hubs(two).value == 0.25


def test_a_line_has_no_hubs_and_a_gaussian_of_many_dimensions_has() -> None:
    flat = neighbours(torch.from_numpy(np.random.default_rng(0).uniform(size=(3000, 1))), 10)
    assert abs(hubness(flat).value) < 0.5
    assert anti_hubs(flat).value < 0.01
    high = np.random.default_rng(0).standard_normal((1000, 200))
    deep = neighbours(torch.from_numpy(high), 10)
    assert hubness(deep).value > 2
    assert anti_hubs(deep).value > 0.1
    ring = np.linspace(0, 2 * np.pi, 50, endpoint=False)
    even = neighbours(torch.from_numpy(np.stack([np.cos(ring), np.sin(ring)], axis=1)), 2)
    assert hubness(even).value == 0


@pytest.mark.parametrize(("n", "width"), [(5000, 6), (5, 40)])
def test_ranks_of_equal_directions_are_their_number(n: int, width: int) -> None:
    count = min(n - 1, width)
    points = np.random.default_rng(0).standard_normal((n, width))
    U, _, Vh = np.linalg.svd(points - points.mean(axis=0), full_matrices=False)
    found = moments(torch.from_numpy(U[:, :count] @ Vh[:count] + 9))
    assert effective_rank(found).value == pytest.approx(count, rel=1e-6)
    assert participation_ratio(found).value == pytest.approx(count, rel=1e-6)


@settings(max_examples=25, deadline=None)
@given(n=st.integers(3, 40), width=st.integers(2, 60), seed=st.integers(0, 99))
def test_sums_equal_numpy_on_any_layer(n: int, width: int, seed: int) -> None:
    X = np.random.default_rng(seed).standard_normal((n, width)) * np.arange(1, width + 1) + 0.5
    found = moments(torch.from_numpy(X).float())
    X = X.astype(np.float32).astype(np.float64)
    s = np.linalg.svd(X - X.mean(axis=0), compute_uv=False)[: n - 1]
    shares = s / s.sum()
    expected = float(np.exp(-(shares * np.log(shares)).sum()))
    assert effective_rank(found).value == pytest.approx(expected, rel=1e-5)
    assert participation_ratio(found).value == pytest.approx((s**2).sum() ** 2 / (s**4).sum())
    unit = X / np.linalg.norm(X, axis=1, keepdims=True)
    cosines = (unit @ unit.T)[np.triu_indices(n, 1)]
    assert anisotropy(found).value == pytest.approx(cosines.mean(), abs=1e-10)
    variances = X.var(axis=0)
    assert loud_units(found).value == pytest.approx(np.sort(variances)[-2:].sum() / variances.sum())
    norms = np.linalg.norm(X, axis=1)
    assert mean_norm(found).value == pytest.approx(norms.mean())
    assert norm_variation(found).value == pytest.approx(norms.std() / norms.mean())


def test_blocks_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    X = torch.randn(50, 7, generator=torch.Generator().manual_seed(0))
    whole = moments(X)
    monkeypatch.setattr("analyses.geometry.measures._ROWS", 8)
    parts = moments(X)
    for measure in OF_ALL.values():
        assert measure(parts).value == pytest.approx(measure(whole).value, rel=1e-12)


def test_a_shift_is_anisotropy_in_closed_form() -> None:
    # Unit noise around a point of length a: cosines are a^2 / (a^2 + D), as rows come close to right angles.
    width, length = 400, 30.0
    X = torch.randn(500, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert abs(anisotropy(moments(X)).value) < 0.005
    X[:, 0] += length
    assert anisotropy(moments(X)).value == pytest.approx(length**2 / (length**2 + width), abs=0.01)
    one = torch.ones(9, 4) * torch.arange(1, 10)[:, None]
    assert anisotropy(moments(one)).value == pytest.approx(1)


def test_vectors_of_length_zero_are_counted_and_have_no_cosine() -> None:
    X = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])
    found = moments(X)
    assert found.zeros == 1
    assert anisotropy(found).value == pytest.approx((0 + 2 * np.sqrt(0.5)) / 3)


def test_a_constant_layer_has_a_length_and_nothing_else() -> None:
    found = {name: of(moments(torch.full((9, 4), 0.1))).value for name, of in OF_ALL.items()}
    assert found.pop("norm") == pytest.approx(0.2)
    assert found.pop("norm-variation") == pytest.approx(0, abs=1e-7)
    assert found.pop("anisotropy") == pytest.approx(1)
    assert np.isnan(list(found.values())).all()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), factor=st.sampled_from([1e-4, 0.5, 1e3]))
def test_what_is_said_of_distances_sees_no_isometry_and_no_scale(seed: int, factor: float) -> None:
    X = torch.from_numpy(np.random.default_rng(seed).standard_normal((60, 8)))
    axes = torch.linalg.qr(torch.from_numpy(np.random.default_rng(seed).standard_normal((8, 8))))[0]
    before, after = neighbours(X, 5), neighbours(factor * (X @ axes + 3), 5)
    for measure in OF_NEIGHBOURS.values():
        assert measure(after).value == pytest.approx(measure(before).value, rel=1e-6)
