"""The orderings that real photos, captions and models must give; docs/real-example.md has the numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from analyses.intervals import chosen_on_others, difference

if TYPE_CHECKING:
    from collections.abc import Callable

    Ask = Callable[..., pl.DataFrame]

pytestmark = [pytest.mark.real, pytest.mark.slow]

PHOTOS = 600
FORTH = "vision->language"


@pytest.fixture(scope="module")
def frame(real_answer: Ask) -> pl.DataFrame:
    return real_answer("alignment", "-v", "vit", "-l", "minilm", "--dataset", "dev")


@pytest.fixture(scope="module")
def twins(real_answer: Ask) -> pl.DataFrame:
    sides = ("-v", "vit,vit-random", "-l", "minilm,minilm-random")
    also = ("--control", "none", "--direction", "vision-to-language")
    return real_answer("alignment", *sides, *also, "--dataset", "dev")


def _profile(frame: pl.DataFrame, layer: str) -> list[float]:
    """Return the best score of each layer."""
    best = frame.group_by(layer).agg(pl.col("score").max()).sort(layer)
    return [float(score) for score in best["score"]]


def _own(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(control="none", direction=FORTH)


def test_the_map_rises_with_depth_and_peaks_late(frame: pl.DataFrame) -> None:
    assert set(frame["n"]) == {PHOTOS}
    assert set(frame["unmatched"]) == {0}
    blocks = _profile(_own(frame), "vision_layer")
    states = _profile(_own(frame), "language_layer")
    assert blocks.index(max(blocks)) in {9, 10, 11}
    assert states.index(max(states)) in {4, 5, 6}
    assert max(blocks) > 2 * blocks[0]


def test_own_captions_are_above_words_and_others_captions(frame: pl.DataFrame) -> None:
    best = _own(frame)["score"].max()
    wrong = frame.filter(control="mismatched", direction=FORTH)["score"].max()
    assert isinstance(best, float)
    assert isinstance(wrong, float)
    assert best > 2 * wrong
    for _, cells in frame.group_by("direction"):
        # The rule of the report: better fold by fold, each side's best cell chosen on the other folds.
        by_control = [
            chosen_on_others(cells.filter(pl.col("control") == name)["fold_scores"].to_list())
            for name in ("none", "bag-of-words")
        ]
        assert difference(*by_control).low > 0


def test_models_that_learnt_are_above_those_that_did_not(twins: pl.DataFrame) -> None:
    assert set(twins["n"]) == {PHOTOS}
    best = {
        (vision, language): max(_profile(cells, "vision_layer"))
        for (vision, language), cells in twins.group_by("vision", "language")
    }
    own = best.pop(("vit", "minilm"))
    assert len(best) == 3
    assert own > 2 * max(best.values())


def test_averaging_captions_raises_alignment(real_answer: Ask) -> None:
    sides = ("-v", "vit", "-l", "minilm", "--dataset", "dev")
    frame = real_answer("exemplar-avg", *sides, "--k", "1,2,3,5", "--draws", 3)
    for _, rows in frame.group_by("direction"):
        own = rows.filter(control="none").sort("k")
        wrong = rows.filter(control="mismatched").sort("k")
        curve = own["score"].to_list()
        assert curve == sorted(curve)
        assert own["low"][-1] > own["high"][0]
        assert wrong["high"][-1] < own["low"][-1] / 2
        assert wrong["score"][-1] - wrong["score"][0] < (curve[-1] - curve[0]) / 2
        others = rows.filter(pl.col("k") == 5, pl.col("control") != "none")
        assert own["low"][-1] > others["high"].max()
