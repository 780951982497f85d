"""Noise ceilings of signals and noises whose variances are known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from analyses.metrics.ceiling import noise_ceiling, spearman_brown, split_half
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
    assert found.r == pytest.approx(np.sqrt(expected).mean(), abs=0.03)
    assert found.items == (2000 if 1 in sizes else 3000)
    assert found.repeats == min(size for size in sizes if size > 1)


def test_the_ceiling_is_what_the_true_signal_scores() -> None:
    rng = np.random.default_rng(1)
    signal = rng.standard_normal((4000, 3))
    repeats = signal[:, None] + NOISE * rng.standard_normal((4000, 4, 3))
    found = split_half(repeats.reshape(-1, 3), np.repeat(np.arange(4000), 4).tolist())
    reached = [np.corrcoef(signal[:, u], repeats[:, 0, u])[0, 1] for u in range(3)]
    assert found.r == pytest.approx(np.mean(reached), abs=0.02)
    assert np.sqrt(found.units) == pytest.approx(reached, abs=0.03)


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


def test_noise_alone_has_a_ceiling_near_zero() -> None:
    values = np.random.default_rng(2).standard_normal((2000, 40))
    found = split_half(values, np.repeat(np.arange(500), 4).tolist())
    assert abs(found.reliability) < 0.03
    # Units below zero count as zero, so the mean of square roots is a little above it.
    assert 0 <= found.r < 0.15


def test_spearman_brown_goes_there_and_back() -> None:
    r = np.linspace(0, 0.95, 20)
    assert spearman_brown(spearman_brown(r, 4), 1 / 4) == pytest.approx(r)
    assert spearman_brown(0.5, 2) == pytest.approx(2 / 3)


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
