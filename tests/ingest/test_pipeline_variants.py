"""Variants of images: one decode for all of an item, files that lie ready, and items that cannot have one."""

from __future__ import annotations

import hashlib
import io
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from altered import ITEMS, Corners, count_decodes, features, ledger, offer, photo, vectors
from PIL import Image

from ingest.pipeline.extract import ingest as run
from ingest.sources import member_uri
from ingest.variants import Inapplicable, Variant, all_variants
from vdb import items
from vdb.blobs import embedded_uri
from vdb.errors import InputError, NotFoundError, RecipeMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.variants.base import ImageItem
    from vdb.database import Database

VARIANTS = ("original", "grayscale", "upside-down", "horizontal-flip")


@pytest.fixture
def db(make_study: Callable[..., Database], tmp_path: Path) -> Database:
    return make_study(tmp_path / "study", ITEMS)


@pytest.fixture
def decodes(monkeypatch: pytest.MonkeyPatch) -> Counter[bytes]:
    """How often each content was decoded."""
    counted: Counter[bytes] = Counter()
    count_decodes(monkeypatch, counted)
    return counted


def test_every_variant_is_that_of_the_decoded_image_and_each_image_is_decoded_once(
    db: Database, decodes: Counter[bytes]
) -> None:
    report = run(
        db, Corners(), space="s", variants=["upside-down,original", *VARIANTS], batch_size=5
    )
    assert (report.plan.wanted, report.stored, report.failed) == (ITEMS * 4, ITEMS * 4, [])
    assert set(decodes.values()) == {1}
    assert len(decodes) == ITEMS
    turns = {
        "original": lambda one: one,
        "grayscale": lambda one: one.convert("L").convert("RGB"),
        "upside-down": lambda one: one.transpose(Image.Transpose.ROTATE_180),
        "horizontal-flip": lambda one: one.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    }
    for variant, turn in turns.items():
        there = vectors(db, variant)
        assert len(there) == ITEMS
        for image_id, values in there.items():
            # Half a grey level: how grey is rounded is the variant's own affair, not this test's.
            np.testing.assert_allclose(values, features(turn(photo(db, image_id))), atol=0.5)


def test_what_is_there_is_not_made_again(db: Database, decodes: Counter[bytes]) -> None:
    run(db, Corners(), space="s", limit=4)
    run(db, Corners(), space="s", variants=["grayscale"], limit=8)
    before = vectors(db, "grayscale")
    decodes.clear()
    report = run(db, Corners(), space="s", variants=VARIANTS)
    assert report.plan.rows == {
        "original": (ITEMS, 4, 0),
        "grayscale": (ITEMS, 8, 0),
        "horizontal-flip": (ITEMS, 0, 0),
        "upside-down": (ITEMS, 0, 0),
    }
    lists = dict(report.plan.todo.select("item_id", "variants").iter_rows())
    turned = ["horizontal-flip", "upside-down"]
    for i in range(ITEMS):
        first = ["original"] * (i >= 4) + ["grayscale"] * (i >= 8)
        assert lists[f"img-{i:05d}"] == first + turned
    assert report.stored == report.plan.remaining == 4 * ITEMS - 12
    assert set(decodes.values()) == {1}
    after = vectors(db, "grayscale")
    assert all(np.array_equal(after[one], values) for one, values in before.items())
    decodes.clear()
    again = run(db, Corners(), space="s", variants=VARIANTS)
    assert (again.plan.remaining, again.stored, sum(decodes.values())) == (0, 0, 0)


def test_a_variant_cannot_spoil_the_image_for_the_others(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def painting(item: ImageItem, _: np.random.Generator) -> Image.Image:
        item.image.paste((0, 0, 0), (0, 0, 20, 20))
        return item.image

    offer(monkeypatch, "a-painting", painting)
    run(db, Corners(), space="s", variants=["a-painting,original,upside-down"])
    for image_id, values in vectors(db, "upside-down").items():
        turned = photo(db, image_id).transpose(Image.Transpose.ROTATE_180)
        np.testing.assert_allclose(values, features(turned), atol=1e-3)


# What fails, and what cannot be


def test_a_variant_that_raises_is_a_failure_of_that_row_alone(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def odd(item: ImageItem, _: np.random.Generator) -> Any:
        number = int(item.item_id[-2:])
        if number == 3:
            raise KeyError("a\nkey")
        if number == 4:
            return np.zeros((2, 2))
        if number == 5:
            return item.image.convert("L")
        if number == 6:
            raise Inapplicable("six")
        return item.image

    offer(monkeypatch, "odd", odd)
    report = run(db, Corners(), space="s", variants=["odd", "original"])
    assert report.stored == 2 * ITEMS - 4
    assert ledger(db) == [
        ("img-00003", "odd", "failed", "the variant failed on it: KeyError: 'a\\nkey'"),
        ("img-00004", "odd", "failed", "the variant gave ndarray, not an RGB image"),
        ("img-00005", "odd", "failed", "the variant gave a L image, not an RGB image"),
        ("img-00006", "odd", "inapplicable", "six"),
    ]
    assert len(vectors(db, "original")) == ITEMS


def test_failures_are_counted_by_item_and_a_lost_file_is_read_once(
    db: Database, decodes: Counter[bytes]
) -> None:
    rows = db.images().select("image_id", "uri").sort("image_id").collect()
    for uri in rows["uri"][:2]:
        Path(uri).write_bytes(b"")
    report = run(db, Corners(), space="s", variants=VARIANTS, max_failures=2)
    assert len(report.failed) == 8
    assert {variant for _, variant, _ in report.failed} == set(VARIANTS)
    Path(rows["uri"][2]).unlink()
    with pytest.raises(
        InputError, match=r"3 items failed, more than --max-failures 2; the last was"
    ):
        run(db, Corners(), space="t", variants=VARIANTS, max_failures=2)
    assert set(decodes.values()) <= {1, 2}  # at most once a run


def test_many_that_cannot_are_all_entered_and_their_reasons_bounded(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(item: ImageItem, _: np.random.Generator) -> Any:
        raise Inapplicable(f"it is called {item.item_id}")

    offer(monkeypatch, "never", never)
    monkeypatch.setattr("ingest.pipeline.ledger._ENTRIES_AT_ONCE", 5)
    monkeypatch.setattr("ingest.pipeline.ledger._REASONS_TOLD", 3)
    report = run(db, Corners(), space="s", variants=["never"], max_failures=0)
    assert report.inapplicable["never"].total() == ITEMS
    assert report.inapplicable["never"]["other reasons"] == ITEMS - 3
    assert len(ledger(db)) == ITEMS


# Ready-made


def test_ready_made_files_are_asked_for_by_name_and_checked_by_their_hash(
    db: Database, tmp_path: Path
) -> None:
    rows = []
    for i in (2, 5, 7):
        file = tmp_path / f"painted-{i}.png"
        Image.new("RGB", (9, 9), (i, 0, 200)).save(file)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        rows.append((f"img-{i:05d}", "inpainted", str(file), digest, "study", "test"))
    columns = ["image_id", "variant", "uri", "sha256", "dataset", "source"]
    items.add(db, {"image_variants": pl.DataFrame(rows, schema=columns, orient="row")})
    (tmp_path / "painted-7.png").write_bytes(b"otherwise")
    report = run(db, Corners(), space="s", variants=["inpainted,original"])
    assert report.plan.rows == {"original": (ITEMS, 0, 0), "inpainted": (3, 0, 0)}
    there = vectors(db, "inpainted")
    assert sorted(there) == ["img-00002", "img-00005"]
    for i in (2, 5):
        np.testing.assert_allclose(there[f"img-{i:05d}"], [i + 1, 1, 201] * 2)
    [(item, variant, status, reason)] = ledger(db)
    assert (item, variant, status) == ("img-00007", "inpainted", "failed")
    assert "changed since it was added" in reason
    with pytest.raises(NotFoundError, match="no variant 'inpaintd'; did you mean inpainted"):
        run(db, Corners(), space="s", variants=["inpaintd"])


# Definitions


def test_the_definition_is_in_the_store_and_another_one_is_refused_by_what_differs(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(db, Corners(), space="s", variants=["blur:sigma=0.02"], limit=2)
    [row] = db.variants().collect().to_dicts()
    assert (row["variant"], row["modality"], row["kind"]) == (
        "blur:sigma=0.02",
        "image",
        "appearance",
    )
    assert json.loads(row["definition"])["settings"] == {"sigma": 0.02}
    blur = all_variants()["blur"]
    newer = Variant("blur", "image", "appearance", "x", blur.apply, blur.parameters, version=99)
    monkeypatch.setitem(all_variants(), "blur", newer)
    for dry_run in (True, False):
        with pytest.raises(RecipeMismatchError, match=r"blur:sigma=0.02.*version: \d+ -> 99"):
            run(db, Corners(), space="s", variants=["blur:sigma=0.02"], dry_run=dry_run)
    assert len(vectors(db, "blur:sigma=0.02")) == 2


def test_a_dry_run_defines_nothing_and_counts_the_rows_of_each(db: Database) -> None:
    root = Path(db.uri)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    report = run(db, Corners(), space="s", variants=VARIANTS, limit=5, dry_run=True)
    assert report.plan.rows == dict.fromkeys(sorted(VARIANTS), (5, 0, 0))
    assert report.plan.bytes_to_write == 5 * 4 * 6 * 4
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


# Where the bytes lie


def test_embedded_images_and_members_of_archives_are_altered_like_any_other(
    db: Database, tmp_path: Path
) -> None:
    contents = {}
    for name, colour in (("held", (200, 10, 20)), ("packed", (5, 150, 90))):
        buffer = io.BytesIO()
        Image.new("RGB", (7, 6), colour).save(buffer, "PNG")
        contents[name] = buffer.getvalue()
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    archive = tmp_path / "shard.tar"
    archive.write_bytes(bytes(1536) + contents["packed"] + bytes(99))
    uris = {
        "held": embedded_uri(digests["held"]),
        "packed": member_uri(str(archive), 1536, len(contents["packed"])),
    }
    rows = [(name, None, uris[name], digests[name], "elsewhere", "test") for name in contents]
    columns = ["image_id", "concept_id", "uri", "sha256", "dataset", "source"]
    batch = {"images": pl.DataFrame(rows, schema=columns, orient="row")}
    items.add(db, batch, [(digests["held"], contents["held"])])
    asked = ["original,grayscale"]
    report = run(db, Corners(), space="s", variants=asked, datasets=["elsewhere"])
    assert (report.stored, report.failed) == (4, [])
    there = vectors(db, "original")
    np.testing.assert_allclose(there["held"], [201, 11, 21] * 2, atol=1e-3)
    np.testing.assert_allclose(there["packed"], [6, 151, 91] * 2, atol=1e-3)
    grey = vectors(db, "grayscale")
    assert all(np.ptp(values) < 1e-3 for values in grey.values())
