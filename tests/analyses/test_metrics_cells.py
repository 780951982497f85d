"""Intervals of single cells: closed forms for a mean, coverage by simulation, and pairing of conditions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from analyses.metrics import ChosenMetric, Metric, MetricMap, choose_metric
from analyses.metrics.cells import bootstrap_weights, score_cells
from analyses.metrics.folds import assign_folds
from analyses.metrics.inference.jackknife import draw_halves, jackknife_interval
from analyses.metrics.inference.paired import paired
from analyses.metrics.ridge.linear_predictivity import predict_held_out
from vdb.errors import InputError


def _metric(score: Any) -> ChosenMetric:
    """A metric of pairs of layers, as anybody might register one."""

    def compute(vision: Any, language: Any, **_: Any) -> dict[str, MetricMap]:
        return {"symmetric": MetricMap(np.array([[score(v, t) for t in language] for v in vision]))}

    facts: dict[str, Any] = {"invariances": (), "source": "", "bias": "", "correction": ""}
    made = Metric("made-up", "Made up", (-1.0, 1.0), directional=False, compute=compute, **facts)
    return ChosenMetric(made, {})


def _mean(v: torch.Tensor, t: torch.Tensor) -> float:
    return float((v * t).mean())


def _cka(v: torch.Tensor, t: torch.Tensor) -> float:
    """Linear CKA, biased: its level falls as n grows, which an interval must not take for spread."""
    a, b = (x.double() - x.double().mean(dim=0) for x in (v, t))
    cross, own, other = (float(((x.T @ y) ** 2).sum()) for x, y in ((a, b), (a, a), (b, b)))
    return cross / (own * other) ** 0.5


def _one(metric: ChosenMetric, v: torch.Tensor, t: torch.Tensor, seed: int = 0) -> Any:
    groups = [str(i) for i in range(len(v))]
    [found] = score_cells(metric, [[(v, t)]], groups, folds=2, seed=seed)
    return found["symmetric"]


@pytest.mark.parametrize("n", [60, 61])
def test_the_spread_of_a_mean_is_its_standard_error(n: int) -> None:
    """Over all halves it is exactly so; over many drawn ones nearly."""
    values = np.random.default_rng(0).standard_normal(n) ** 2
    halves = draw_halves(range(n), 4000)
    assert {len(rows) for rows in halves} == {n // 2}
    scores = np.array([values[rows].mean() for rows in halves])
    found = jackknife_interval(values.mean(), scores, n)
    error = values.std(ddof=1) / np.sqrt(n)
    assert found.resamples.std() == pytest.approx(error, rel=0.05)
    assert found.resamples.mean() == pytest.approx(found.estimate)
    assert (found.high - found.low) == pytest.approx(2 * 1.96 * error, rel=0.08)


def test_groups_are_kept_whole() -> None:
    groups = np.repeat(np.arange(10), 3)
    for rows in draw_halves(groups, 20, seed=3):
        assert len(rows) == 15
        assert (np.bincount(groups[rows], minlength=10) % 3 == 0).all()
    assert np.array_equal(draw_halves(groups, 2, 3)[1], draw_halves(groups, 5, 3)[1])
    assert len({tuple(rows) for rows in draw_halves(groups, 20)}) > 15


def test_rows_that_repeat_in_groups_widen_the_interval() -> None:
    rng = torch.Generator().manual_seed(0)
    v, t = torch.randn(80, 1, generator=rng), torch.ones(80, 1)
    alone = _one(_metric(_mean), v, t)
    repeated = [(v.repeat(4, 1), t.repeat(4, 1))]
    names = [str(i) for i in range(80)] * 4
    [honest] = score_cells(_metric(_mean), [repeated], names, folds=2, seed=0)
    assert honest["symmetric"].low == pytest.approx(alone.low, abs=1e-6)
    naive = _one(_metric(_mean), *repeated[0])
    assert naive.high - naive.low < 0.7 * (alone.high - alone.low)


def test_all_conditions_share_their_halves_and_a_mean_over_draws_is_one() -> None:
    rng = torch.Generator().manual_seed(1)
    v = torch.randn(100, 3, generator=rng)
    near, far = (v + s * torch.randn(100, 3, generator=rng) for s in (0.5, 1.0))
    groups = [str(i) for i in range(100)]
    one, two, both = (
        found["symmetric"]
        for found in score_cells(
            _metric(_cka), [[(v, near)], [(v, far)], [(v, near), (v, far)]], groups, folds=2, seed=0
        )
    )
    assert both.estimate == pytest.approx((one.estimate + two.estimate) / 2)
    np.testing.assert_allclose(both.resamples, (one.resamples + two.resamples) / 2)
    gap = paired(one, two)
    assert gap.low > 0
    assert gap.high - gap.low < (one.high - one.low) + (two.high - two.low)


def test_a_level_that_depends_on_n_does_not_enter() -> None:
    """Of independent layers biased CKA is about D / n: on halves twice as high, and the interval is not there."""
    rng = torch.Generator().manual_seed(2)
    found = _one(_metric(_cka), *(torch.randn(100, 40, generator=rng) for _ in range(2)))
    assert found.low < found.estimate < found.high
    assert found.resamples.mean() == pytest.approx(found.estimate)


@pytest.mark.slow
@pytest.mark.parametrize(("score", "truth"), [(_mean, 0.5), (_cka, None)])
def test_intervals_cover_the_truth_about_as_often_as_they_say(score: Any, truth: Any) -> None:
    rng = torch.Generator().manual_seed(3)

    def world() -> tuple[torch.Tensor, torch.Tensor]:
        v = torch.randn(120, 4, generator=rng)
        return v, 0.5 * v + torch.randn(120, 4, generator=rng)

    metric = _metric(score)
    # Of CKA: its expectation at this n, by simulation, for that is what its interval is of.
    level = truth or np.mean([score(*world()) for _ in range(4000)])
    hits = 0
    for seed in range(300):
        found = _one(metric, *world(), seed=seed)
        hits += found.low <= level <= found.high
    # Binomial with p near 0.93 (percentiles of 100 fall a little short): 4 standard deviations are 0.06.
    assert 0.87 <= hits / 300 <= 0.99


def test_settings_that_a_shortcut_does_not_know_are_scored_as_the_metric_has_them() -> None:
    rng = torch.Generator().manual_seed(4)
    v = torch.randn(60, 5, generator=rng)
    t = v + torch.randn(60, 5, generator=rng)
    groups = [str(i) for i in range(60)]
    for k in (3, 10):
        metric = choose_metric(f"mutual-knn:k={k}")
        [found] = score_cells(metric, [[(v, t)]], groups, folds=3, seed=0)
        expected = metric.compute([v], [t], groups=groups)["symmetric"].scores[0, 0]
        assert found["symmetric"].estimate == pytest.approx(expected, abs=1e-6)


def test_a_half_that_cannot_be_scored_says_so() -> None:
    def refuse(v: torch.Tensor, t: torch.Tensor) -> float:
        if len(v) < 10:
            raise InputError(f"{len(v)} items are too few")
        return _mean(v, t)

    with pytest.raises(InputError, match=r"halves of the 12 groups.*: 6 items are too few"):
        _one(_metric(refuse), torch.ones(12, 1), torch.ones(12, 1))
    with pytest.raises(InputError, match="at least two groups"):
        draw_halves(["a", "a"])


def test_a_cell_without_a_score_has_no_interval() -> None:
    found = _one(_metric(lambda *_: float("nan")), torch.ones(12, 1), torch.ones(12, 1))
    assert np.isnan([found.estimate, found.low, found.high]).all()


def test_the_bootstrap_of_linear_predictivity_can_be_drawn_again() -> None:
    """What is paired with its intervals stands on the very rows that each resample drew."""
    rng = torch.Generator().manual_seed(5)
    v = torch.randn(60, 1, generator=rng)
    t = v + torch.randn(60, 1, generator=rng)
    groups = [str(i // 2) for i in range(60)]
    metric = choose_metric("linear-predictivity")
    [found] = score_cells(metric, [[(v, t)]], groups, folds=2, seed=7)
    weights = bootstrap_weights(metric, groups, 2, 7)
    assert weights is not None
    assert bootstrap_weights(choose_metric("mutual-knn"), groups, 2, 7) is None
    assert weights.shape == (len(found["vision->language"].resamples), 60)
    assigned = assign_folds(groups, 2, 7)
    [cell] = predict_held_out([v], [t], assigned)
    by_hand = []
    for fold in (0, 1):
        rows = np.repeat(np.flatnonzero(assigned == fold), weights[0, assigned == fold].astype(int))
        by_hand.append(np.corrcoef(cell.predicted[rows, 0], t[rows, 0])[0, 1])
    assert found["vision->language"].resamples[0] == pytest.approx(np.mean(by_hand), abs=1e-5)


def _noisy_pair(n: int, seed: int, *, right: bool = False) -> tuple[torch.Tensor, ...]:
    """Two layers of one latent, or one and two whose scores differ by the draw alone."""
    mix = torch.randn(5, 55, generator=torch.Generator().manual_seed(1)).split([20, 15, 20], dim=1)
    rng = torch.Generator().manual_seed(seed)
    latent = torch.randn(n, 5, generator=rng)
    layers = [
        latent @ m + 2 * torch.randn(n, m.shape[1], generator=rng)
        for m in (mix[0], mix[1], *([mix[1]] if right else []))
    ]
    return tuple(layers)


@pytest.mark.slow
def test_intervals_of_neighbours_cover_and_alike_conditions_are_seldom_told_apart() -> None:
    """Overlaps drawn again as if they were independent covered .80 here, and told one pair in six apart."""
    n, worlds, covered, told = 100, 60, 0, 0
    groups, metric = [str(i) for i in range(n)], choose_metric("mutual-knn")
    whole = (
        metric.compute([v], [t])["symmetric"].scores[0, 0]
        for v, t in (_noisy_pair(n, 10_000 + seed) for seed in range(300))
    )
    level = np.mean(list(whole))
    for seed in range(worlds):
        v, t, u = _noisy_pair(n, seed, right=True)
        one, two = (
            found["symmetric"]
            for found in score_cells(metric, [[(v, t)], [(v, u)]], groups, folds=5, seed=seed)
        )
        covered += one.low <= level <= one.high
        told += paired(one, two).p < 0.05
    # Binomial: of 60 at .95 fewer than 53 in 3 of 100 runs of another seed; of 60 at .05 more than 6 in 3 of 100.
    assert covered >= 53
    assert told <= 6
