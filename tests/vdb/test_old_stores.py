"""The stores that each version of vdb wrote: they open, as they are or after migration, and hold what they held."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

import vdb
from vdb import migrations, schema, tables
from vdb.recipe import Layer

if TYPE_CHECKING:
    from vdb.database import Database

STORES = Path(__file__).parents[1] / "fixtures" / "stores"


KEPT = sorted(path.name.removesuffix(".tar.gz") for path in STORES.glob("v*.tar.gz"))


@pytest.fixture(params=KEPT)
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Database:
    """Unpack and open a store of an earlier version, or of this one."""
    with tarfile.open(STORES / f"{request.param}.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    place = tmp_path / request.param
    migrations.migrate(tables.connect(str(place), None))
    return vdb.open(place)


def test_there_is_a_store_of_every_version() -> None:
    versions = {f"v{i + 1}" for i in range(schema.SCHEMA_VERSION)}
    assert versions == set(KEPT)


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
    assert old.failures().collect()["reason"].to_list() == ["cut short"]
    [run] = old.runs().collect().to_dicts()
    assert (run["outcome"], json.loads(run["parameters"])) == ("finished", {"model": "toy"})
    assert sorted(old.result("alignment").collect()["score"]) == [0.25, 0.5]
    assert old.pictures().collect()["png"].to_list() == [b"\x89PNG"]


def test_it_can_be_written_on(old: Database) -> None:
    recipe = old.space("toy").recipe
    assert old.create_space("toy", recipe).ids() == ["img-0", "img-1", "img-2", "img-3"]
