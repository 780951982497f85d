"""Noise ceilings of signals and noises whose variances are known."""

from __future__ import annotations

from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np
import pytest

from analyses.metrics.inference.ceiling import noise_ceiling, spearman_brown, split_half
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

NOISE = np.array([0.5, 1.0, 2.0])


def _repeats(items: int, sizes: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Signals of variance 1, one a unit, and noise of known standard deviation, in an order of no meaning."""
    rng = np.random.default_rng(seed)
    item = np.repeat(np.arange(items), np.resize(sizes, items))
    signal = rng.standard_normal((items, 3))
    values = signal[item] + NOISE * rng.standard_normal((len(item), 3))
    order = rng.permutation(len(item))
    return values[order], item[order]


@pytest.mark.parametrize("sizes", [(2,), (5,), (4, 7, 1)])
@pytest.mark.parametrize("k", [1, 4])
def test_the_reliability_is_the_closed_form(sizes: tuple[int, ...], k: int) -> None:
    values, item = _repeats(3000, sizes)
    found = split_half(values, item.tolist(), k=k)
    expected = 1 / (1 + NOISE**2 / k)
    assert found.units == pytest.approx(expected, abs=0.05)
    assert found.reliability == pytest.approx(expected.mean(), abs=0.03)
    assert found.r == pytest.approx(np.sqrt(expected.mean()), abs=0.03)
    assert found.items == (2000 if 1 in sizes else 3000)
    assert found.repeats == min(size for size in sizes if size > 1)


def test_the_ceiling_is_what_the_true_signal_scores() -> None:
    rng = np.random.default_rng(1)
    signal = rng.standard_normal((4000, 3))
    repeats = signal[:, None] + NOISE * rng.standard_normal((4000, 4, 3))
    found = split_half(repeats.reshape(-1, 3), np.repeat(np.arange(4000), 4).tolist())
    reached = [np.corrcoef(signal[:, u], repeats[:, 0, u])[0, 1] for u in range(3)]
    assert np.sqrt(found.units) == pytest.approx(reached, abs=0.03)
    # Of units that are not equally reliable the ceiling is above the mean of their own.
    assert (
        np.mean(reached) < found.r == pytest.approx(np.sqrt(np.mean(np.square(reached))), abs=0.02)
    )
    alike = signal[:, :1] + repeats[:, :, 1] - signal[:, 1:2]
    found = split_half(alike.reshape(-1, 1), np.repeat(np.arange(4000), 4).tolist())
    assert found.r == pytest.approx(np.corrcoef(signal[:, 0], alike[:, 0])[0, 1], abs=0.02)


def test_without_repeats_or_variance_there_is_none() -> None:
    values, item = _repeats(50, (1,))
    found = split_half(values, item.tolist())
    assert np.isnan([found.reliability, found.r, *found.units]).all()
    assert (found.items, found.repeats) == (0, 1)
    values, item = _repeats(50, (3,))
    flat = np.concatenate([values, np.full((len(values), 1), 0.1)], axis=1)
    partly = split_half(flat, item.tolist())
    assert np.isnan(partly.units[3])
    assert partly.r == pytest.approx(split_half(values, item.tolist()).r)
    assert np.isnan(split_half(flat[:, 3:], item.tolist()).r)


@pytest.mark.parametrize("k", [1, 8])
def test_noise_alone_has_a_ceiling_near_zero(k: int) -> None:
    """Means of square roots, as of 100 items here, were .11 to .18 with nothing there."""
    squares = []
    for seed in range(5):
        values = np.random.default_rng(seed).standard_normal((400, 400))
        found = split_half(values, np.repeat(np.arange(100), 4).tolist(), k=k, seed=seed)
        assert (np.abs(found.units) <= 1).all()
        assert found.r == pytest.approx(np.sqrt(max(found.reliability, 0)))
        squares.append(found.reliability)
    # A unit's reliability scatters by about .06 k / 2 or less, 2,000 of them by .0014 k / 2.
    assert abs(np.mean(squares)) < 0.006 * k


def test_halves_hold_half_of_the_repeats() -> None:
    """Of 6 repeats 3 and 3: at k = 3 nothing is corrected, and r is one of those of all ways to split 3 items."""
    values = np.random.default_rng(5).standard_normal((18, 1))
    found = split_half(values, np.repeat(np.arange(3), 6).tolist(), k=3, splits=1)
    ways = np.array(list(combinations(range(6), 3)))
    own = values.reshape(3, 6)
    first = own[:, ways].mean(axis=2)  # (items, ways); the other half is what is left
    second = (own.sum(axis=1, keepdims=True) - 3 * first) / 3
    at = np.array(list(product(range(len(ways)), repeat=3))).T
    a, b = (np.stack([x[i, at[i]] for i in range(3)]) for x in (first, second))
    a, b = a - a.mean(axis=0), b - b.mean(axis=0)
    r = (a * b).sum(axis=0) / np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    assert np.abs(r - found.units[0]).min() < 1e-12


def test_a_split_with_a_constant_half_is_left_out() -> None:
    """Of four items with two repeats, three differ in one: by chance a half has the same value of all."""
    values = np.array([[1.0, 0.0], [0, 1], [1, 0], [0, 1], [0, 2], [1, 0], [0, 0], [0, 0]])
    assert np.isfinite(split_half(values, [0, 0, 1, 1, 2, 2, 3, 3], splits=40).units).all()
    values[2:, 0] = 0
    assert np.isnan(split_half(values, [0, 0, 1, 1, 2, 2, 3, 3], splits=40).units[0])


def test_spearman_brown_goes_there_and_back_and_has_no_pole() -> None:
    r = np.linspace(-0.95, 0.95, 39)
    assert spearman_brown(spearman_brown(r, 4), 1 / 4) == pytest.approx(r)
    assert spearman_brown(0.5, 2) == pytest.approx(2 / 3)
    for factor in (1.5, 2, 5, 50):
        raised = spearman_brown(np.linspace(-1, 1, 2001), factor)
        assert (np.abs(raised) <= 1).all()
        assert (np.diff(raised) > 0).all()


def test_exemplars_are_read_from_the_store(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    values, item = _repeats(120, (4,))
    values = values.astype(np.float32)
    names = [f"c{row:04d}" for row in range(len(values))]
    db = make_store(
        tmp_path / "s",
        eye={"i": [np.ones(2)]},
        tongue={name: [np.ones(2), row] for name, row in zip(names, values, strict=True)},
    )
    groups = [[names[row] for row in np.flatnonzero(item == one)] for one in range(120)]
    found = noise_ceiling(db.space("tongue"), groups, -1, k=2, seed=3)
    order = np.argsort(item, kind="stable")
    assert found.units == pytest.approx(
        split_half(values[order], item[order].tolist(), k=2, seed=3).units
    )
    with pytest.raises(NotFoundError, match="no 'original' vector of 1 of the ids"):
        noise_ceiling(db.space("tongue"), [["c0000", "nobody"]])


@pytest.mark.parametrize("wrong", [{"k": 0}, {"splits": 0}, {"items": [1, 2]}])
def test_bad_input_is_named(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"at least 1|2 items given for 4 rows"):
        split_half(np.ones((4, 2)), **{"items": [1, 1, 2, 2], **wrong})  # type: ignore[arg-type]
