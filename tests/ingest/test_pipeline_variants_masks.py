"""Variants by masks: one segmentation alone, what is missing known from the plan, and what is added later."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from altered import (
    ITEMS,
    Corners,
    count_decodes,
    features,
    ledger,
    left_half,
    offer,
    photo,
    segment,
    vectors,
)
from PIL import Image

from ingest.pipeline.extract import ingest as run
from ingest.pipeline.wanted import wanted_variants
from ingest.variants import choose
from ingest.variants.images.masks import VARIANTS
from vdb import items
from vdb.errors import InputError, NotFoundError
from vdb.overview import overview

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ingest.pipeline.ledger import Ingested
    from ingest.variants.base import ImageItem
    from vdb.database import Database

# pycocotools.mask.decode's own, of NumPy 2's protocol.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

NONE = "no masks in the store for this image (vdb add coco --panoptic)"
REMOVED, OF_INSTANCES = "object-removed", "object-removed:masks=instances"


@pytest.fixture
def db(make_study: Callable[..., Database], tmp_path: Path) -> Database:
    return make_study(tmp_path / "study", ITEMS)


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    counted: Counter[bytes] = Counter()
    count_decodes(monkeypatch, counted)
    return counted


def add(db: Database, *rows: dict[str, Any]) -> None:
    items.add(db, {"segments": pl.DataFrame(rows)})


def seen(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A variant ``masked`` that blackens what its masks cover, and the segments it was shown."""
    shown: dict[str, Any] = {}

    def masked(item: ImageItem, _: np.random.Generator) -> Image.Image:
        shown[item.item_id] = item.segments
        pixels = np.array(item.image)
        for one in item.segments:
            pixels[one.mask] = 0
        return Image.fromarray(pixels)

    offer(monkeypatch, "masked", masked, ["masks"])
    return shown


def planned(db: Database, *variants: str) -> Ingested:
    return run(db, Corners(), space="s", variants=variants, dry_run=True)


def status(db: Database) -> dict[str, tuple[int, int, int, int]]:
    rows = overview(db).select("variant", "expected", "stored", "inapplicable", "remaining")
    return {name: tuple(counts) for name, *counts in rows.iter_rows()}


def as_status(report: Ingested) -> dict[str, tuple[int, int, int, int]]:
    return {name: (*rows, rows.remaining) for name, rows in report.plan.rows.items()}


def test_masks_reach_the_variant_and_images_without_any_are_not_even_decoded(
    db: Database, monkeypatch: pytest.MonkeyPatch, decodes: Counter[bytes]
) -> None:
    shown = seen(monkeypatch)
    add(db, *(segment(f"img-{i:05d}", "1", left_half(db, f"img-{i:05d}")) for i in range(3)))
    before = planned(db, "masked")
    report = run(db, Corners(), space="s", variants=["masked"], max_failures=0)
    assert before.plan.rows == report.plan.rows == {"masked": (ITEMS, 0, ITEMS - 3)}
    assert (report.stored, report.failed) == (3, [])
    assert before.inapplicable == report.inapplicable == {"masked": {NONE: ITEMS - 3}}
    assert sum(decodes.values()) == 3
    for image_id, values in vectors(db, "masked").items():
        pixels = np.array(photo(db, image_id))
        pixels[left_half(db, image_id)] = 0
        np.testing.assert_allclose(values, features(Image.fromarray(pixels)), atol=1e-3)
        assert [one.category for one in shown[image_id]] == ["dog"]
    assert ledger(db) == [(f"img-{i:05d}", "masked", "inapplicable", NONE) for i in range(3, ITEMS)]


def test_only_the_segmentation_that_was_asked_for_is_used(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = seen(monkeypatch)
    offered = {
        "img-00000": ["instances", "by-hand", "panoptic"],
        "img-00001": ["by-hand", "instances"],
    }
    add(
        db,
        *(
            segment(one, f"{n}-{i}", left_half(db, one), segmentation=name, category=f"{name}-{i}")
            for one, names in offered.items()
            for n, name in enumerate(names)
            for i in (1, 0)
        ),
    )
    run(db, Corners(), space="s", variants=["masked", "silhouette:masks=by-hand"])
    chosen = {image: [one.category for one in segments] for image, segments in shown.items()}
    assert chosen == {"img-00000": ["panoptic-0", "panoptic-1"]}
    assert sorted(vectors(db, "silhouette:masks=by-hand")) == ["img-00000", "img-00001"]
    reasons = {item: reason for item, variant, _, reason in ledger(db) if variant == "masked"}
    assert reasons["img-00001"] == "no panoptic masks; it has by-hand, instances"
    assert reasons["img-00002"] == NONE


@pytest.mark.parametrize("order", [("instances", "panoptic"), ("panoptic", "instances")])
def test_a_vector_does_not_depend_on_which_masks_came_first(
    order: tuple[str, str], db: Database
) -> None:
    half = left_half(db, "img-00001")
    masks = {"panoptic": half, "instances": ~half}
    for segmentation in order:
        mask = masks[segmentation]
        add(db, segment("img-00001", segmentation, mask, segmentation=segmentation))
        run(db, Corners(), space="s", variants=[REMOVED, OF_INSTANCES], limit=2)
    for name, kept in ((REMOVED, ~half), (OF_INSTANCES, half)):
        image = np.array(photo(db, "img-00001"))
        mean = features(Image.fromarray(image[kept].reshape(image.shape[0], -1, 3)))[:3]
        values = vectors(db, name)["img-00001"]
        np.testing.assert_allclose(values[:3], mean, atol=1)
    assert not any(item == "img-00001" for item, *_ in ledger(db))


def test_masks_added_later_are_asked_again_and_nothing_else_is(
    db: Database, decodes: Counter[bytes]
) -> None:
    half = left_half(db, "img-00001")
    add(
        db,
        segment("img-00001", "1", half, segmentation="instances"),
        segment("img-00002", "1", left_half(db, "img-00002"), is_thing=False),
    )
    run(db, Corners(), space="s", variants=[REMOVED])
    told = {item: reason for item, _, _, reason in ledger(db)}
    assert told["img-00001"] == f"no panoptic masks; it has instances: {OF_INSTANCES}"
    assert told["img-00002"] == "it has no things (crowds aside)"
    assert set(told) == {f"img-{i:05d}" for i in range(ITEMS)}
    decodes.clear()
    again = planned(db, REMOVED)
    assert as_status(again) == status(db) == {REMOVED: (ITEMS, 0, ITEMS, 0)}
    assert run(db, Corners(), space="s", variants=[REMOVED]).inapplicable == again.inapplicable
    assert again.inapplicable[REMOVED].total() == ITEMS
    assert sum(decodes.values()) == 0
    add(db, segment("img-00001", "2", half))
    again = planned(db, REMOVED)
    assert as_status(again) == status(db) == {REMOVED: (ITEMS, 0, ITEMS - 1, 1)}
    assert run(db, Corners(), space="s", variants=[REMOVED]).stored == 1
    assert sum(decodes.values()) == 1
    assert "img-00001" not in {item for item, *_ in ledger(db)}
    assert status(db) == {REMOVED: (ITEMS, 1, ITEMS - 1, 0)}


def test_an_entry_says_what_there_is_now(db: Database) -> None:
    run(db, Corners(), space="s", variants=[REMOVED], limit=2)
    assert {reason for *_, reason in ledger(db)} == {NONE}
    add(
        db,
        *(
            segment(f"img-0000{i}", "1", left_half(db, f"img-0000{i}"), segmentation="instances")
            for i in range(2)
        ),
    )
    run(db, Corners(), space="s", variants=[REMOVED], limit=2)
    expected = f"no panoptic masks; it has instances: {OF_INSTANCES}"
    assert {reason for *_, reason in ledger(db)} == {expected}


def test_a_mask_of_another_size_is_a_failure_and_the_original_goes_in(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen(monkeypatch)
    turned = left_half(db, "img-00001").T  # 41 x 40: as drawn before an EXIF tag turned the photo
    add(db, segment("img-00000", "7", np.ones((3, 5))), segment("img-00001", "8", turned))
    report = run(db, Corners(), space="s", variants=["masked,original"], limit=2)
    assert {(one, variant) for one, variant, _ in report.failed} == {
        ("img-00000", "masked"),
        ("img-00001", "masked"),
    }
    reasons = {item: reason for item, _, _, reason in ledger(db)}
    small = "its mask '7' has 5 x 3 pixels, the upright image 40 x 40: "
    assert reasons["img-00000"].startswith(small)
    exif = "40 x 41 pixels, the upright image 41 x 40 (turned by its EXIF tag?)"
    assert exif in reasons["img-00001"]
    assert len(vectors(db, "original")) == 2


# Categories


def with_categories(db: Database) -> None:
    half = {i: left_half(db, f"img-{i:05d}") for i in range(4)}
    add(
        db,
        segment("img-00000", "1", half[0], category="dog"),
        segment("img-00001", "1", half[1], category="traffic light"),
        segment("img-00001", "2", ~half[1], category="grass", is_thing=False),
        segment("img-00002", "1", half[2], category="dog"),
        segment("img-00003", "1", half[3], category="cat", segmentation="instances"),
        segment("img-00003", "2", half[3], category="dog", segmentation="instances"),
    )


def test_each_stands_for_every_category_of_things_and_is_expected_where_they_are(
    db: Database,
) -> None:
    with_categories(db)
    asked = "object-removed:fill=blur:which=each"
    names = {which: f"object-removed:which={which}:fill=blur" for which in ("dog", "traffic light")}
    rows = {names["dog"]: (2, 0, 0), names["traffic light"]: (1, 0, 0)}
    assert planned(db, asked).plan.rows == rows
    report = run(db, Corners(), space="s", variants=[asked])
    assert (report.plan.rows, report.stored) == (rows, 3)
    assert sorted(vectors(db, names["dog"])) == ["img-00000", "img-00002"]
    assert sorted(vectors(db, names["traffic light"])) == ["img-00001"]
    assert ledger(db) == []
    assert status(db) == {names["dog"]: (2, 2, 0, 0), names["traffic light"]: (1, 1, 0, 0)}
    of_instances = planned(db, f"{asked}:masks=instances").plan.rows
    assert of_instances == {
        f"object-removed:which={which}:fill=blur:masks=instances": (1, 0, 0)
        for which in ("cat", "dog")
    }


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("which=dgo", "no category 'dgo' among the things of panoptic masks; did you mean dog?"),
        ("which=cat", "no category 'cat' among the things of panoptic masks"),
        ("which=grass", "no category 'grass' among the things"),
        ("masks=instance", "no segmentation 'instance'; did you mean instances?"),
    ],
)
def test_a_category_or_segmentation_that_is_not_there_is_refused(
    written: str, words: str, db: Database
) -> None:
    with_categories(db)
    with pytest.raises(NotFoundError, match=re.escape(words)):
        run(db, Corners(), space="s", variants=[f"object-removed:{written}"])
    assert db.variants().collect().is_empty()
    assert ledger(db) == []


@pytest.mark.parametrize("which", ["each", "dog"])
def test_a_category_without_masks_is_told(which: str, db: Database) -> None:
    with pytest.raises(InputError, match=r"no image here has the panoptic mask of a thing; `vdb"):
        run(db, Corners(), space="s", variants=[f"object-removed:which={which}"])
    assert db.spaces().collect().is_empty()
    half = left_half(db, "img-00003")
    add(db, segment("img-00003", "1", half, segmentation="instances"))
    instead = f"there are instances: object-removed:which={which}:masks=instances"
    with pytest.raises(InputError, match=instead):
        run(db, Corners(), space="s", variants=[f"object-removed:which={which}"])


def test_the_limit_counts_items_that_can_have_one_of_the_variants(db: Database) -> None:
    add(
        db,
        *(segment(f"img-{i:05d}", "1", left_half(db, f"img-{i:05d}")) for i in (3, 7, 8)),
    )
    first = run(db, Corners(), space="s", variants=[REMOVED], limit=2)
    assert first.plan.rows == {REMOVED: (2, 0, 0)}
    assert sorted(vectors(db, REMOVED)) == ["img-00003", "img-00007"]
    assert run(db, Corners(), space="s", variants=[REMOVED], limit=3).stored == 1
    assert planned(db, "original", REMOVED).plan.rows["original"] == (ITEMS, 0, 0)
    limited = run(
        db, Corners(), space="s", variants=["original", REMOVED], limit=4, dry_run=True
    ).plan.rows
    assert limited == {"original": (4, 0, 0), REMOVED: (4, 1, 3)}


def test_the_segmentation_belongs_to_the_name_and_the_definition(db: Database) -> None:
    for variant in VARIANTS:
        default, other = choose(variant.name), choose(f"{variant.name}:masks=instances")
        assert (default.name, other.name) == (variant.name, f"{variant.name}:masks=instances")
        assert default.definition()["settings"]["masks"] == "panoptic"
        assert other.definition()["settings"]["masks"] == "instances"
    [one] = wanted_variants(db, [OF_INSTANCES])["image"]
    assert one.masks == ("instances", None)
