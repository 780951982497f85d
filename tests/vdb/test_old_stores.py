"""The stores that each version of vdb wrote: they open, as they are or after migration, and hold what they held."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

import vdb
from vdb import books, items, migrations, schema, tables, variants
from vdb.blobs import Blobs
from vdb.recipe import Layer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vdb.database import Database

STORES = Path(__file__).parents[1] / "fixtures" / "stores"


KEPT = sorted(path.name.removesuffix(".tar.gz") for path in STORES.glob("v*.tar.gz"))


def unpacked(version: str, place: Path) -> Path:
    with tarfile.open(STORES / f"{version}.tar.gz") as archive:
        archive.extractall(place, filter="data")
    return place / version


@pytest.fixture(params=KEPT)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Unpack and open a store of an earlier version, or of this one."""
    place = unpacked(request.param, tmp_path)
    migrations.migrate(tables.connect(str(place), None))
    return vdb.open(place)


def test_there_is_a_store_of_every_version() -> None:
    versions = {f"v{i + 1}" for i in range(schema.SCHEMA_VERSION)}
    assert versions == set(KEPT)


def test_every_step_says_what_it_changed() -> None:
    assert list(migrations.CHANGES) == list(range(2, schema.SCHEMA_VERSION + 1))
    assert list(migrations.MIGRATIONS) == list(range(1, schema.SCHEMA_VERSION))


def test_its_vectors_are_what_they_were(old: Database) -> None:
    space = old.space("toy")
    ids, [first, last] = space.matrices()
    assert ids == ["img-0", "img-1", "img-2", "img-3"]
    assert first.tolist() == [[i + 1, i + 1.5, i + 2, i + 2.5] for i in range(4)]
    assert last[0].tolist() == [3, 3.5, 4, 4.5, 5, 5.5]
    assert np.array_equal(space.matrix(0, "grayscale").values, -first[:1])
    assert space.layers == (Layer("blocks.0", 4, 0.0), Layer("blocks.1", 6, 1.0))


def test_its_fingerprint_is_still_that_of_its_recipe(old: Database) -> None:
    assert old.spaces().collect()["fingerprint"].to_list() == [old.space("toy").recipe.fingerprint]


def test_its_items_and_books_are_what_they_were(old: Database) -> None:
    texts = old.captions().sort("caption_id").collect()["text"].to_list()
    assert texts == ["a dog", "it's a dog", 'a "cat"', "猫"]
    assert old.images().sort("image_id").collect()["concept_id"].to_list() == [
        "dog",
        "dog",
        None,
        None,
    ]
    assert old.pairs().collect().height == 4
    assert old.segments().collect()["counts"].to_list() == ["0h1"]
    failed = old.failures().filter(pl.col("status") == schema.FAILED).collect()
    assert failed["reason"].to_list() == ["cut short"]
    [run] = old.runs().collect().to_dicts()
    assert (run["outcome"], json.loads(run["parameters"])) == ("finished", {"model": "toy"})
    assert sorted(old.result("alignment").collect()["score"]) == [0.25, 0.5]
    assert old.pictures().collect()["png"].to_list() == [b"\x89PNG"]


def test_it_can_be_written_on(old: Database) -> None:
    recipe = old.space("toy").recipe
    assert old.create_space("toy", recipe).ids() == ["img-0", "img-1", "img-2", "img-3"]
    again = {name: old.read(name).collect() for name in ("images", "captions", "segments")}
    more = again["segments"].with_columns(segment_id=pl.lit("2"), is_crowd=pl.lit(value=True))
    report = items.add(old, {**again, "segments": pl.concat([again["segments"], more])})
    assert report.added == {"images": 0, "captions": 0, "segments": 1}
    books.record_failures(old, "toy", [("img-9", "original", "gone")], "r2")
    [row] = old.failures().filter(pl.col("item_id") == "img-9").collect().to_dicts()
    assert (row["reason"], row["status"]) == ("gone", "failed")


def test_every_table_is_laid_out_as_this_version_writes_it(old: Database) -> None:
    for name, layout in schema.TABLES.items():
        held = old.table(name).schema
        assert held.equals(layout)
        assert held.field("key").metadata == layout.field("key").metadata  # what keeps keys single


# Version 2 brought trials, variants, contents and what the ledger means -----------------------------------------------


def test_version_1_says_of_its_masks_and_failures_what_was_true_of_them(tmp_path: Path) -> None:
    place = unpacked("v1", tmp_path)
    assert migrations.migrate(tables.connect(str(place), None)) == list(
        range(2, schema.SCHEMA_VERSION + 1)
    )
    db = vdb.open(place)
    assert db.segments().collect().select("segmentation", "is_crowd").rows() == [
        ("panoptic", False)
    ]
    assert db.failures().collect()["status"].to_list() == [schema.FAILED]


@pytest.mark.parametrize("table", ["segments", "failures"])
def test_a_migration_to_version_2_may_be_killed_anywhere(
    tmp_path: Path, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = unpacked("v1", tmp_path)
    connection = tables.connect(str(place), None)
    before = connection.open_table(table).to_arrow()
    made = type(connection).create_table

    def killed(self: object, name: str, data: pa.RecordBatchReader, **options: object) -> object:
        if name != table:
            return made(self, name, data, **options)

        def halfway() -> Iterator[pa.RecordBatch]:
            yield data.read_next_batch()
            raise OSError("cut off")

        return made(
            self, name, pa.RecordBatchReader.from_batches(data.schema, halfway()), **options
        )

    with monkeypatch.context() as patch:
        patch.setattr(type(connection), "create_table", killed)
        with pytest.raises(Exception, match="cut off"):
            migrations.migrate(connection)
    assert connection.open_table(table).to_arrow().equals(before)
    with pytest.raises(vdb.StoreError, match="run `vdb migrate`"):
        vdb.open(place)
    migrations.migrate(connection)
    held = vdb.open(place).table(table)
    assert held.schema.equals(schema.TABLES[table])
    assert held.count_rows() == len(before) == 1


def test_version_2_holds_its_trials_variants_and_contents(tmp_path: Path) -> None:
    place = unpacked("v2", tmp_path)
    migrations.migrate(tables.connect(str(place), None))
    db = vdb.open(place)
    rows = db.trials().sort("trial_id").drop("dataset", "source").collect().rows()
    assert rows == [
        (
            "t-0",
            "text-to-image",
            "cap-0",
            "img-0",
            "img-3",
            1.0,
            1.0,
            1.5,
            [4.0, 3.5],
            [2.0, 2.5],
            None,
        ),
        ("t-1", "image-to-text", "img-1", "cap-1", "cap-3", 0.5, 2.0, None, None, None, "somebody"),
    ]
    uri = db.images().filter(pl.col("image_id") == "img-3").collect()["uri"].item()
    assert Blobs(db).read(uri) == b"the bytes of the last image"
    assert db.read("image_variants").collect()["variant"].to_list() == ["inpainted"]
    assert db.read("caption_variants").collect()["text"].to_list() == ["un chien"]
    assert variants.definition_of(db, "text", "nouns-only") == {
        "name": "nouns-only",
        "tagger": "toy 1",
        "vocabulary": {"toy": ["dog", "cat"]},
    }
    inapplicable = db.failures().filter(pl.col("status") == schema.INAPPLICABLE).collect()
    assert inapplicable.select("item_id", "variant").rows() == [("img-3", "silhouette")]
