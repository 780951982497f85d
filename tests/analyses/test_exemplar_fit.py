"""Noise averaging: variances that are known, and curves that it predicts or does not."""

from __future__ import annotations

import numpy as np
import pytest

from analyses.exemplar_avg.fit import Gains, gains, predicted, saturation, together
from analyses.exemplar_avg.reliability import Exemplars, effective, reliability
from analyses.metrics.inference.bootstrap import Interval

SIGNAL, NOISE = np.array([2.0, 1.0, 0.5]), np.array([0.5, 1.0, 4.0])
KS = (1, 2, 5)


def _exemplars(groups: int, sizes: tuple[int, ...], seed: int = 0) -> Exemplars:
    rng = np.random.default_rng(seed)
    counts = np.resize(sizes, groups)
    return Exemplars.of(
        [
            5
            + np.sqrt(SIGNAL) * rng.standard_normal(3)
            + np.sqrt(NOISE) * rng.standard_normal((m, 3))
            for m in counts
        ]
    )


@pytest.mark.parametrize("sizes", [(2,), (5,), (1, 2, 9)])
def test_variances_are_those_that_were_put_in(sizes: tuple[int, ...]) -> None:
    signal, noise = _exemplars(6000, sizes).variances()
    assert signal[0] == pytest.approx(SIGNAL, rel=0.1, abs=0.1)
    assert noise[0] == pytest.approx(NOISE, rel=0.05)


def test_they_are_the_analysis_of_variance_where_groups_are_of_one_size() -> None:
    rng = np.random.default_rng(3)
    values = rng.standard_normal((12, 4, 2)) + rng.standard_normal((12, 1, 2))
    between = 4 * values.mean(axis=1).var(axis=0, ddof=1)
    within = values.var(axis=1, ddof=1).mean(axis=0)
    signal, noise = Exemplars.of(list(values)).variances()
    assert noise[0] == pytest.approx(within)
    assert signal[0] == pytest.approx((between - within) / 4)


def test_weights_are_groups_written_out() -> None:
    rng = np.random.default_rng(4)
    groups = [rng.standard_normal((m, 2)) for m in (2, 3, 1, 5)]
    weights = np.array([[2, 0, 1, 1], [1, 1, 1, 1]])
    written = [groups[0], groups[0], groups[2], groups[3]]
    signal, noise = Exemplars.of(groups).variances(weights)
    for i, each in enumerate((written, groups)):
        expected = Exemplars.of(each).variances()
        assert signal[i] == pytest.approx(expected[0][0])
        assert noise[i] == pytest.approx(expected[1][0])


def test_single_exemplars_say_nothing() -> None:
    alone = Exemplars.of([np.ones((1, 2)), np.zeros((1, 2))])
    assert not alone.known
    assert np.isnan(alone.variances()[1]).all()


def test_the_effective_number_of_draws_with_replacement() -> None:
    """The variance of a mean of k draws from m, by simulation."""
    rng = np.random.default_rng(5)
    m, k = 4, 3
    noise = rng.standard_normal((100_000, m))
    means = np.take_along_axis(noise, rng.integers(m, size=(100_000, k)), axis=1).mean(axis=1)
    assert 1 / means.var() == pytest.approx(effective(k, np.array([m]), replacement=True), rel=0.02)
    assert effective(k, np.array([m]), replacement=False) == k
    assert effective(10**9, np.array([m, m]), replacement=True) == pytest.approx(m)
    assert effective(1, np.array([2, 7]), replacement=True) == pytest.approx(1)


def test_a_target_is_attenuated_unit_by_unit() -> None:
    weights = np.ones((2, 6000))
    found = gains(_exemplars(6000, (5,)), KS, "target", weights, replacement=False)
    shares = np.array([SIGNAL / (SIGNAL + NOISE / k) for k in KS])
    assert found.factor == pytest.approx(np.sqrt(shares).mean(axis=1), rel=0.03)
    assert found.reliability == pytest.approx(shares.mean(axis=1), rel=0.05)
    assert found.resampled == pytest.approx(np.stack([found.factor] * 2, axis=1))


def test_a_source_whose_noise_is_shaped_like_its_signal() -> None:
    """The best linear readout of k averaged noisy sources correlates by the square root of their reliability."""
    rng = np.random.default_rng(6)
    mixing = rng.standard_normal((3, 3))
    latent = rng.standard_normal((20_000, 1, 3))
    values = (latent + 1.5 * rng.standard_normal((20_000, 5, 3))) @ mixing
    target = latent[:, 0] @ np.array([1.0, -2.0, 0.5])
    r = []
    for k in KS:
        source = values[:, :k].mean(axis=1)
        readout = source @ np.linalg.lstsq(source, target, rcond=None)[0]
        r.append(np.corrcoef(readout, target)[0, 1])
    found = gains(Exemplars.of(list(values)), KS, "source", np.ones((1, 20_000)), replacement=False)
    assert found.factor == pytest.approx(r, rel=0.02)


def _interval(estimate: float, resamples: list[float]) -> Interval:
    return Interval(estimate, 0.0, 0.0, 0.95, np.array(resamples))


def test_what_is_above_is_paired_with_the_first_point() -> None:
    gain = Gains(np.array([0.5, 0.8]), np.array([0.5, 0.75]), np.array([[0.5, 0.5], [0.75, 1.0]]))
    curve = [_interval(0.2, [0.1, 0.3]), _interval(0.4, [0.25, 0.7])]
    (first, nothing), (second, gap) = predicted(curve, gain)
    assert (first, nothing.estimate, nothing.low, nothing.high) == (0.2, 0.0, 0.0, 0.0)
    assert second == pytest.approx(0.3)
    assert gap.estimate == pytest.approx(0.1)
    assert gap.resamples == pytest.approx([0.25 - 0.15, 0.7 - 0.6])


def test_no_signal_predicts_nothing() -> None:
    gain = Gains(np.zeros(2), np.zeros(2), np.zeros((2, 3)))
    expected, gap = predicted([_interval(0.1, [0.1] * 3)] * 2, gain)[1]
    assert np.isnan([expected, gap.estimate, gap.low, gap.high]).all()


def test_two_averaged_sides_multiply() -> None:
    one = Gains(np.array([0.5]), np.array([0.7]), np.array([[0.7, 0.6]]))
    both = together([one, one])
    assert (both.reliability, both.factor) == (pytest.approx([0.25]), pytest.approx([0.49]))
    assert both.resampled == pytest.approx(np.array([[0.49, 0.36]]))
    assert together([one]) is one


def test_a_saturating_curve_is_found_again() -> None:
    ks = (1, 2, 4, 8, 16)
    scores = {k: 0.1 + 0.5 * k / (k + 3) for k in ks}
    assert saturation(scores) == pytest.approx(scores, abs=1e-5)
    assert saturation({k: scores[k] for k in ks[:3]}) is None
    assert saturation({**scores, 16: float("nan")}) is None


def test_reliability_is_between_none_and_all() -> None:
    signal, noise = np.array([-1.0, 0.0, 1.0, 1.0]), np.array([1.0, 0.0, 0.0, 1.0])
    assert reliability(signal, noise, 1) == pytest.approx([0, 0, 1, 0.5])
