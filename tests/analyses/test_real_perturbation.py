"""What altering 500 real photos and their captions costs real models: orderings measured apart from the project."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from analyses.perturbation import perturbation
from analyses.self_alignment import self_alignment

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from vdb.database import Database

pytestmark = [pytest.mark.real, pytest.mark.slow]

IMAGES = ("grayscale", "patch-shuffle")
TEXTS = ("scrambled",)
PHOTOS = 500


@pytest.fixture(scope="module")
def frame(real_answer: Callable[..., pl.DataFrame]) -> pl.DataFrame:
    """At block 10 and state 5, where the map of 1,000 other photos peaks."""
    cell = ("--vision-layer", 10, "--language-layer", 5)
    return real_answer("perturbation", "-v", "vit", "-l", "minilm", *cell, "--dataset", "test")


def _of(frame: pl.DataFrame, variant: str, **also: str) -> pl.DataFrame:
    return frame.filter(scope="cell", variant=variant, **also).sort("fit", "direction")


def test_shuffled_patches_cost_more_than_grayscale(frame: pl.DataFrame) -> None:
    assert set(frame["n"]) == {PHOTOS}
    assert set(frame["left_out"]) == {0}
    little, much = (_of(frame, one) for one in IMAGES)
    assert len(little) == len(much) == 4  # two fits, two directions
    assert (much["high"] < little["low"]).all()
    assert (little["retained"] > 0.85).all()
    difference = frame.filter(level="difference")
    assert len(difference) == 4
    assert (difference["high"] < 0).all()


def test_scrambled_captions_cost_less_than_shuffled_patches_and_more_than_nothing(
    frame: pl.DataFrame,
) -> None:
    scrambled, shuffled = _of(frame, "scrambled"), _of(frame, "patch-shuffle")
    assert (scrambled["high"] < 0).all()
    assert (scrambled["delta"] > shuffled["delta"]).all()


def test_nothing_collapses_to_mismatched_pairs(frame: pl.DataFrame) -> None:
    floor = frame.filter(scope="cell", level="control", fit="refit").sort("direction")
    for variant in (*IMAGES, *TEXTS):
        refit = _of(frame, variant, fit="refit")
        assert (refit["low"] > floor["high"]).all()
        assert (refit["floor"] < refit["score_altered"] / 2).all()


def test_the_map_of_the_originals_loses_more_than_one_fitted_again(frame: pl.DataFrame) -> None:
    for variant in (*IMAGES, *TEXTS):
        transfer, refit = (_of(frame, variant, fit=fit) for fit in ("transfer", "refit"))
        assert (transfer["delta"] < refit["delta"]).all()


def test_the_order_holds_at_a_cell_chosen_on_other_photos(real_db: Database) -> None:
    found = perturbation(real_db, "vit", "minilm", variants=IMAGES, datasets=["test"], kept=False)
    assert set(found.filter(scope="cell")["vision_layer"]) <= {8, 9, 10, 11}
    little, much = (_of(found, one) for one in IMAGES)
    assert (little["n"] < PHOTOS).all()
    assert (much["high"] < little["low"]).all()


def test_grayscale_is_near_the_original_late_and_shuffled_patches_early(real_db: Database) -> None:
    found = self_alignment(real_db, "vit", variants=IMAGES, datasets=["test"], kept=False)
    for metric in ("cosine-centred", "mutual-knn"):
        own = found.filter(metric=metric, control="none")
        wrong = found.filter(metric=metric, control="mismatched")
        assert min(own["low"].to_list()) > max(wrong["high"].to_list())
        grayscale, shuffled = (own.filter(variant=one).sort("layer") for one in IMAGES)
        assert grayscale["high"][0] < shuffled["low"][0]
        assert grayscale["low"][-1] > shuffled["high"][-1]
