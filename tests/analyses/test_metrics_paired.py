from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from analyses.metrics.inference.bootstrap import Interval, bootstrap_items
from analyses.metrics.inference.paired import of_resamples, paired
from vdb.errors import InputError


def interval(estimate: float, resamples: list[float], confidence: float = 0.95) -> Interval:
    return Interval(estimate, 0.0, 0.0, confidence, np.array(resamples, dtype=np.float64))


def test_what_both_share_cancels() -> None:
    """Two scores of the same items: the interval of their difference is that of the item-wise difference."""
    rng = np.random.default_rng(0)
    shared = rng.standard_normal(200)
    a, b = shared + 0.02 + 0.1 * rng.standard_normal(200), shared
    left, right = (bootstrap_items(x, range(200), seed=4) for x in (a, b))
    found = paired(left, right)
    alone = bootstrap_items(a - b, range(200), seed=4)
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (alone.estimate, alone.low, alone.high)
    )
    assert found.high - found.low < 0.2 * (left.high - left.low)
    # Normal theory gives the p of such a mean.
    error = (a - b).std() / np.sqrt(200)
    assert found.p == pytest.approx(2 * norm.sf(abs(found.estimate) / error), abs=0.02)


def test_p_counts_the_other_side_and_one() -> None:
    assert paired(interval(1.0, [1.0] * 99), interval(0.0, [0.0] * 99)).p == 2 / 100
    assert paired(interval(0.0, [0.0] * 99), interval(1.0, [1.0] * 99)).p == 2 / 100
    mixed = paired(interval(1.0, [1.0] * 96 + [-1.0] * 3), interval(0.0, [0.0] * 99))
    assert mixed.p == 2 * 4 / 100
    same = interval(0.5, [0.1, 0.2, 0.3])
    assert paired(same, same).p == 1.0


def test_p_is_uniform_where_there_is_no_difference() -> None:
    rng = np.random.default_rng(1)
    ps = []
    for seed in range(300):
        a, b = rng.standard_normal((2, 80))
        left, right = (bootstrap_items(x, range(80), resamples=200, seed=seed) for x in (a, b))
        ps.append(paired(left, right).p)
    # Binomial(300, 0.05) and (300, 0.5): 4 standard deviations are 0.05 and 0.12.
    assert np.mean(np.array(ps) <= 0.05) == pytest.approx(0.05, abs=0.05)
    assert np.mean(np.array(ps) <= 0.5) == pytest.approx(0.5, abs=0.12)


def test_resamples_without_a_score_are_left_out() -> None:
    found = of_resamples(1.0, np.array([np.nan, 1.0, 2.0, 3.0]))
    assert (found.low, found.high) == pytest.approx((1.05, 2.95))
    assert found.p == 2 / 4
    none = of_resamples(1.0, np.array([np.nan, np.nan]))
    assert np.isnan([none.low, none.high, none.p]).all()
    assert np.isnan(of_resamples(np.nan, np.ones(3)).p)


@pytest.mark.parametrize(
    "other", [interval(0.0, [0.0, 1.0]), interval(0.0, [0.0] * 3, confidence=0.9)]
)
def test_what_is_not_paired_is_refused(other: Interval) -> None:
    with pytest.raises(InputError, match="not paired: score both conditions with the same groups"):
        paired(interval(0.0, [0.0] * 3), other)
