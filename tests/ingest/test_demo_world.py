"""The demo world as items: rows that hold together, masks that decode, bytes that repeat."""

from __future__ import annotations

import hashlib
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from ingest.datasets.base import columns_of
from ingest.demo.lexicon import read_names
from ingest.demo.render import BACKGROUND, render
from ingest.demo.scenes import BACKGROUNDS, CATEGORIES, concepts, sample_exemplar, sample_scene
from ingest.demo.world import make_world

if TYPE_CHECKING:
    from ingest.datasets.base import Batch

SCENES, CONCEPTS, EXEMPLARS, SEED = 12, 5, 3, 4


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Batch:
    return _make(tmp_path_factory.mktemp("world"))


def _make(
    directory: Path, scenes: int = SCENES, kinds: int = CONCEPTS, each: int = EXEMPLARS
) -> Batch:
    return make_world(directory, scenes=scenes, exemplar_concepts=kinds, exemplars=each, seed=SEED)


def test_tables_have_the_columns_of_the_store_and_unique_ids(world: Batch) -> None:
    sizes = {"concepts": 5, "images": 12 + 15, "captions": 24 + 15, "pairs": 24 + 15}
    for table in ("concepts", "images", "captions", "pairs", "segments"):
        rows = getattr(world, table)
        assert rows.schema == columns_of(table)
        assert rows.height == sizes.get(table, rows.height)
    assert world.concepts["concept_id"].is_unique().all()
    assert world.images["image_id"].is_unique().all()
    assert world.captions["caption_id"].is_unique().all()
    assert world.pairs.select("image_id", "caption_id").is_unique().all()
    assert world.segments.select("image_id", "segment_id").is_unique().all()


def test_every_reference_resolves(world: Batch) -> None:
    images = world.images.select("image_id", of_image="concept_id")
    captions = world.captions.select("caption_id", of_caption="concept_id")
    joined = world.pairs.join(images, on="image_id").join(captions, on="caption_id")
    assert joined.height == world.pairs.height == world.captions.height
    # A pair is of one concept, or of none on both sides.
    assert joined["of_image"].eq_missing(joined["of_caption"]).all()
    assert set(world.images["concept_id"].drop_nulls()) == set(world.concepts["concept_id"])
    assert set(world.segments["image_id"]) == set(world.images["image_id"])
    per_concept = world.images.drop_nulls("concept_id").group_by("concept_id").len()
    assert per_concept["len"].to_list() == [EXEMPLARS] * CONCEPTS


def test_images_are_png_files_of_the_scenes_named_by_absolute_paths_and_hashes(
    world: Batch,
) -> None:
    for index, row in enumerate(world.images.head(SCENES).iter_rows(named=True)):
        path = Path(row["uri"])
        assert path.is_absolute()
        assert hashlib.sha256(path.read_bytes()).hexdigest() == row["sha256"]
        with Image.open(path) as image:
            assert image.format == "PNG"
            assert (np.asarray(image) == render(sample_scene(SEED, index)).image).all()
    assert world.images["sha256"].is_unique().all()


# pycocotools was written for numpy 1; numpy 2 says so whenever a mask is decoded.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_segments_decode_to_the_masks_and_cover_each_pixel_once(world: Batch) -> None:
    for index in range(SCENES):
        scene = sample_scene(SEED, index)
        labels = render(scene).labels
        rows = world.segments.filter(pl.col("image_id") == f"scene-{index:05d}")
        assert rows.height == len(scene.things) + 1
        covered = np.zeros(labels.shape, int)
        for row in rows.iter_rows(named=True):
            mask = coco_mask.decode(
                {"size": [row["height"], row["width"]], "counts": row["counts"].encode()}
            )
            if row["is_thing"]:
                label = int(row["segment_id"])
                assert row["category"] == scene.things[label].category
                assert row["category"] in CATEGORIES
            else:
                label = BACKGROUND
                assert row["category"] == scene.background
                assert row["category"] in BACKGROUNDS
            assert (mask.astype(bool) == (labels == label)).all()
            covered += mask
        assert (covered == 1).all()


def test_captions_of_a_concept_are_about_it_and_have_a_gloss(world: Batch) -> None:
    kinds = {f"concept-{c.number:04d}": c for c in islice(concepts(SEED), CONCEPTS)}
    assert dict(world.concepts.select("concept_id", "name").iter_rows()) == {
        concept_id: concept.name for concept_id, concept in kinds.items()
    }
    for row in world.captions.drop_nulls("concept_id").iter_rows(named=True):
        concept = kinds[row["concept_id"]]
        named = {name.word for name in read_names(row["text"])}
        assert named
        assert named <= {concept.first, concept.second, concept.background}
        assert row["gloss"].endswith(".")
    exemplar = sample_exemplar(kinds["concept-0002"], SEED, 1)
    shown = world.images.filter(pl.col("image_id") == "concept-0002-01")["uri"].item()
    with Image.open(shown) as image:
        assert (np.asarray(image) == render(exemplar).image).all()


def test_two_captions_of_a_scene_are_drawn_apart(world: Batch) -> None:
    texts = world.captions.filter(pl.col("concept_id").is_null())["text"].to_list()
    pairs = list(zip(texts[::2], texts[1::2], strict=True))
    assert sum(a != b for a, b in pairs) == len(pairs)


def test_a_world_repeats_to_the_byte_and_a_larger_one_contains_the_smaller(
    world: Batch, tmp_path: Path
) -> None:
    larger = _make(tmp_path / "new" / "folder", SCENES + 3, CONCEPTS + 2, EXEMPLARS + 1)
    for table, key in (
        ("images", "image_id"),
        ("captions", "caption_id"),
        ("concepts", "concept_id"),
    ):
        mine, theirs = getattr(world, table), getattr(larger, table)
        same = mine.join(theirs, on=key, how="left", suffix="_larger")
        assert same.height == mine.height
        for column in set(mine.columns) - {key, "uri"}:
            assert same[column].eq_missing(same[f"{column}_larger"]).all()
    assert world.segments.join(larger.segments, on=world.segments.columns, how="anti").is_empty()


def test_another_seed_is_another_world(world: Batch, tmp_path: Path) -> None:
    other = make_world(tmp_path, scenes=SCENES, exemplar_concepts=0, exemplars=0, seed=SEED + 1)
    assert not set(other.images["sha256"]) & set(world.images["sha256"])
    assert other.concepts.is_empty()
