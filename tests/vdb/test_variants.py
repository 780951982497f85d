from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from vdb import tables, variants
from vdb.errors import NotFoundError, RecipeMismatchError
from vdb.migrations import recorded_version
from vdb.schema import SCHEMA_VERSION

if TYPE_CHECKING:
    from vdb.database import Database

DEFINITION: dict[str, Any] = {
    "name": "nouns-only",
    "version": 1,
    "settings": {"keep": 1},
    "tagger": "hanta 1.2.1",
}


def define(db: Database, fingerprint: str = "f1", **more: object) -> dict[str, Any]:
    definition = DEFINITION | more
    return variants.define(db, "nouns-only", "text", "semantic", definition, fingerprint, "vdb")


def test_a_definition_is_kept_once_and_comes_back(db: Database) -> None:
    assert variants.definition_of(db, "text", "nouns-only") is None
    assert define(db) == DEFINITION
    assert define(db) == DEFINITION
    assert variants.definition_of(db, "text", "nouns-only") == DEFINITION
    assert variants.definition_of(db, "image", "nouns-only") is None
    [row] = db.variants().collect().to_dicts()
    assert json.loads(row.pop("definition")) == DEFINITION
    assert row == {
        "variant": "nouns-only",
        "modality": "text",
        "kind": "semantic",
        "fingerprint": "f1",
        "source": "vdb",
    }


def test_one_name_may_be_a_variant_of_images_and_one_of_texts(db: Database) -> None:
    define(db)
    variants.define(db, "nouns-only", "image", None, {"name": "x"}, "f2", "me")
    assert variants.definition_of(db, "text", "nouns-only") == DEFINITION
    assert variants.definition_of(db, "image", "nouns-only") == {"name": "x"}


def test_another_definition_is_refused_naming_what_differs_and_what_to_do(db: Database) -> None:
    define(db)
    with pytest.raises(RecipeMismatchError) as refused:
        define(db, "f2", tagger="hanta 1.3", settings={"keep": 1, "drop": 2})
    assert str(refused.value) == (
        "variant 'nouns-only' is defined otherwise in this store: settings.drop: absent -> 2; "
        "tagger: hanta 1.2.1 -> hanta 1.3; `vdb remove variant nouns-only` makes room for the new one, "
        "or name the old tagger (hanta 1.2.1)"
    )
    assert variants.definition_of(db, "text", "nouns-only") == DEFINITION


def test_a_vocabulary_is_no_part_of_the_definition_that_is_compared(db: Database) -> None:
    first = define(db, vocabulary={"coco": ["dog", "cat"]})
    assert first == DEFINITION | {"vocabulary": {"coco": ["dog", "cat"]}}
    second = define(db, vocabulary={"coco": ["other"], "flickr": {"NOUN": ["猫"]}})
    assert second["vocabulary"] == {"coco": ["dog", "cat"], "flickr": {"NOUN": ["猫"]}}
    assert variants.definition_of(db, "text", "nouns-only") == second
    assert "vocabulary" not in json.loads(db.variants().collect()["definition"][0])
    assert recorded_version(tables.connect(db.uri, None)) == SCHEMA_VERSION


def test_the_first_vocabulary_of_a_data_set_stands(db: Database) -> None:
    with pytest.raises(NotFoundError, match="not defined"):
        variants.extend_vocabulary(db, "text", "nouns-only", "coco", [])
    define(db)
    assert variants.extend_vocabulary(db, "text", "nouns-only", "coco", ["a"]) == ["a"]
    assert variants.extend_vocabulary(db, "text", "nouns-only", "coco", ["b"]) == ["a"]
    assert variants.extend_vocabulary(db, "text", "nouns-only", "a|b\\", ["c"]) == ["c"]
    held = variants.definition_of(db, "text", "nouns-only")
    assert held is not None
    assert held["vocabulary"] == {"coco": ["a"], "a|b\\": ["c"]}


def test_a_vocabulary_fixed_by_another_process_in_between_is_read_back(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    define(db)
    insert = tables.insert

    def late(table: object, rows: object) -> int:
        monkeypatch.setattr(tables, "insert", insert)
        assert variants.extend_vocabulary(db, "text", "nouns-only", "coco", ["theirs"]) == [
            "theirs"
        ]
        assert variants.extend_vocabulary(db, "text", "nouns-only", "other", ["too"]) == ["too"]
        return insert(table, rows)

    monkeypatch.setattr(tables, "insert", late)
    assert variants.extend_vocabulary(db, "text", "nouns-only", "coco", ["mine"]) == ["theirs"]
    held = variants.definition_of(db, "text", "nouns-only")
    assert held is not None
    assert held["vocabulary"] == {"coco": ["theirs"], "other": ["too"]}


def test_vocabularies_are_found_by_what_they_are_of(db: Database) -> None:
    define(db, vocabulary={"coco": ["dog"], "flickr": ["cat"]})
    variants.define(db, "swap", "text", None, {"vocabulary": {"coco": []}}, "f", "vdb")
    of_coco = {"vocabulary|text|nouns-only|coco", "vocabulary|text|swap|coco"}
    assert set(variants.vocabulary_keys(db, datasets=["coco"])) == of_coco
    assert variants.vocabulary_keys(db, variant="swap") == ["vocabulary|text|swap|coco"]
    assert variants.vocabulary_keys(db, datasets=["none"]) == []
