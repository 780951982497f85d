"""What experts said of Flickr8k's photos, asked of a real ViT-Ti and a real MiniLM."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.real, pytest.mark.slow]


def test_a_map_fitted_on_other_photos_chooses_as_experts_did(
    real_answer: Callable[..., pl.DataFrame],
) -> None:
    """The last layers on nearly four of five, the first block hardly better than chance, clear cases nearly always."""
    sides = ("-v", "vit", "-l", "minilm", "--fit-dataset", "dev", "--strengths", "1.0")
    frame = real_answer("forced-choice", *sides, "--vision-layer", -1, "--language-layer", -1)
    trials = frame.filter(level="trial")
    assert set(trials["n"].drop_nulls()) >= {2057}
    maps = trials.filter(scope="map", control="none")
    last = maps.filter(language_layer=maps["language_layer"].max())
    for fit, low, high in (("language->vision", 0.74, 0.83), ("vision->language", 0.76, 0.85)):
        blocks = last.filter(fit=fit).sort("vision_layer")
        score = blocks["score"].to_list()
        assert low < score[-1] < high
        assert 0.5 < score[0] < 0.65
        assert blocks["high"][0] < blocks["low"][-1]
        assert blocks["p_max"][-1] < 0.01
        cells = trials.filter(scope="cell", fit=fit)
        weak, strong = (
            cells.filter(pl.col("control") == "none").drop_nulls("gap_low")["score"].to_list()
        )
        assert strong > 0.85 > weak
        whole = cells.filter(pl.col("gap_low").is_null())
        own, bag, wrong = (
            whole.filter(control=name).row(0, named=True)
            for name in ("none", "bag-of-words", "mismatched")
        )
        assert own["low"] > wrong["high"]
        assert own["score"] > bag["score"] > wrong["score"]
        assert abs(wrong["score"] - 0.5) < 0.06
        assert 0.75 < own["human"] < 0.9  # one expert against the two others
    sets = frame.filter(level="set", scope="cell", pairs="difference")
    assert (sets["low"] > 0).all()


def test_captions_and_photos_find_each_other(real_answer: Callable[..., pl.DataFrame]) -> None:
    frame = real_answer("retrieval", "-v", "vit", "-l", "minilm", "--dataset", "dev")
    cells = frame.filter(scope="cell", metric="R@10")
    found = cells.filter(control="none")
    assert (found["low"] > 5 * found["chance"]).all()
    assert (cells.filter(control="mismatched")["score"] < 0.15).all()
    assert (found["vision_layer"] >= 6).all()
