"""Manifests of pairs and of ready-made variants: somebody else's altered files and texts."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import vdb
from ingest.add import add_dataset
from ingest.datasets import Batch, manifest
from ingest.variants.naming import fingerprint_of
from vdb.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from vdb.database import Database

Row = dict[str, Any]
FORMATS = ("csv", "tsv", "jsonl", "parquet")
COLUMNS = (
    "image_id",
    "image_path",
    "caption_id",
    "caption",
    "concept_id",
    "variant",
    "variant_kind",
)


def write(folder: Path, suffix: str, rows: list[Row], name: str = "items") -> Path:
    """Write rows with every column; what a row lacks is null, or in CSV an empty cell."""
    file = folder / f"{name}.{suffix}"
    full = pl.DataFrame(
        [{c: row.get(c) for c in COLUMNS} for row in rows], schema=dict.fromkeys(COLUMNS, pl.String)
    )
    if suffix in {"csv", "tsv"}:
        full.write_csv(file, separator="," if suffix == "csv" else "\t")
    elif suffix == "parquet":
        full.write_parquet(file)
    else:
        full.write_ndjson(file)
    return file


def read(file: Path, **options: Any) -> Batch:
    (batch,) = manifest(file, **options)
    return batch


def refused(file: Path) -> str:
    with pytest.raises(InputError) as caught:
        read(file)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "data"
    place.mkdir()
    for name in ("a.jpg", "b.jpg", "a-inpainted.png", "b-inpainted.png"):
        (place / name).write_bytes(name.encode())
    return place


ITEMS = [
    {"image_id": "A", "image_path": "a.jpg", "caption_id": "C", "caption": "A cup."},
    {"image_id": "B", "image_path": "b.jpg", "variant": "original"},
    {"caption_id": "D", "caption": "A dog."},
]
PAIRS = [{"image_id": "B", "caption_id": "D"}, {"image_id": "A", "caption_id": "D"}]
VARIANTS = [
    {"image_id": "A", "image_path": "a-inpainted.png", "variant": "their-inpainting"},
    {
        "image_id": "B",
        "image_path": "b-inpainted.png",
        "variant": "their-inpainting",
        "variant_kind": "semantic",
    },
    {"caption_id": "C", "caption": "cup A.", "variant": "reworded", "variant_kind": "appearance"},
]


@pytest.mark.parametrize("suffix", FORMATS)
def test_items_pairs_and_variants_stand_in_one_table(folder: Path, suffix: str) -> None:
    batch = read(write(folder, suffix, [*PAIRS, *VARIANTS, *ITEMS]))
    assert set(batch.images["image_id"]) == {"A", "B"}
    assert dict(batch.captions.select("caption_id", "text").rows()) == {
        "C": "A cup.",
        "D": "A dog.",
    }
    assert set(batch.pairs.select("image_id", "caption_id").rows()) == {
        ("B", "D"),
        ("A", "D"),
        ("A", "C"),
    }
    assert batch.image_variants.select("image_id", "variant", "uri", "sha256").rows() == [
        (
            item,
            "their-inpainting",
            str(folder / f"{item.lower()}-inpainted.png"),
            hashlib.sha256(f"{item.lower()}-inpainted.png".encode()).hexdigest(),
        )
        for item in "AB"
    ]
    assert batch.caption_variants.select("caption_id", "variant", "text").rows() == [
        ("C", "reworded", "cup A.")
    ]
    definition = {"name": "reworded", "ready-made": True}
    assert batch.variants.select("variant", "modality", "kind").rows() == [
        ("their-inpainting", "image", "semantic"),
        ("reworded", "text", "appearance"),
    ]
    assert json.loads(batch.variants["definition"][1]) == definition
    assert batch.variants["fingerprint"][1] == fingerprint_of(definition)
    first = 2 if suffix in {"csv", "tsv"} else 1
    assert batch.image_variants["source"].to_list() == [
        f"items.{suffix}:{first + i}" for i in (2, 3)
    ]


def test_the_prefix_stands_before_the_ids_of_variants_and_pairs(folder: Path) -> None:
    batch = read(write(folder, "jsonl", [*ITEMS, *PAIRS, *VARIANTS]), prefix="p/")
    assert batch.image_variants["image_id"].to_list() == ["p/A", "p/B"]
    assert batch.caption_variants["caption_id"].to_list() == ["p/C"]
    assert ("p/B", "p/D") in batch.pairs.select("image_id", "caption_id").rows()
    assert set(batch.variants["variant"]) == {"their-inpainting", "reworded"}


def test_mapped_columns_hold_variants(folder: Path) -> None:
    file = folder / "v.csv"
    file.write_text("id,file,how\nA,a-inpainted.png,gone\nA,a.jpg,\n")
    mapping = {"image_id": "id", "image_path": "file", "variant": "how"}
    batch = read(file, mapping=mapping)
    assert batch.image_variants.select("image_id", "variant").rows() == [("A", "gone")]
    assert batch.images["image_id"].to_list() == ["A"]


def db_of(folder: Path, *files: Path) -> Database:
    for file in files:
        db, _ = add_dataset(str(folder / "study"), manifest(file), lambda _: None)
    return db


@pytest.mark.parametrize("suffix", FORMATS)
def test_pairs_and_variants_of_what_is_stored_go_in_later(folder: Path, suffix: str) -> None:
    later = write(folder, suffix, [*PAIRS, *VARIANTS], "later")
    with pytest.raises(InputError, match=rf"later\.{suffix}:\d.*'B' refers to no image"):
        db_of(folder, later)
    db = db_of(folder, write(folder, suffix, ITEMS), later)
    assert db.read("pairs").collect().height == 3
    assert db.read("image_variants").collect().height == 2
    assert db.read("caption_variants").collect()["text"].to_list() == ["cup A."]
    assert db.read("variants").collect()["fingerprint"].n_unique() == 2
    again = add_dataset(str(folder / "study"), manifest(later), lambda _: None)[1]
    assert set(again.added.values()) == {0}


def test_a_variant_of_no_item_adds_nothing(folder: Path) -> None:
    db = db_of(folder, write(folder, "csv", ITEMS))
    row = {"image_id": "Z", "image_path": "b.jpg", "variant": "theirs"}
    with pytest.raises(InputError, match=r"later\.csv:2: image_id 'Z' refers to no image"):
        db_of(folder, write(folder, "csv", [row], "later"))
    assert not db.read("variants").collect().height


IMAGE = {"image_id": "A", "image_path": "a.jpg"}


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        ({**IMAGE, "variant": "grayscale"}, "vdb makes the variant 'grayscale' itself"),
        ({**IMAGE, "variant": "blur:radius=9"}, "vdb makes the variant 'blur:radius=9' itself"),
        ({**IMAGE, "variant": "Their Own"}, "cannot name a variant"),
        ({**IMAGE, "variant": "a:b"}, "cannot name a variant"),
        ({**IMAGE, "variant": "x" * 101}, "cannot name a variant"),
        ({**IMAGE, "variant": "own", "variant_kind": "pretty"}, "appearance or semantic"),
        ({**IMAGE, "variant_kind": "semantic"}, "a variant_kind but no variant"),
        ({"image_id": "A", "variant": "own"}, "row of its own"),
        ({"image_id": "A", "caption_id": "C", "variant": "own"}, "row of its own"),
        ({"caption": "x", "caption_id": "C", **IMAGE, "variant": "own"}, "row of its own"),
        ({"variant": "own"}, "row of its own"),
        ({"image_id": "A"}, "nor the image_id and caption_id of a pair"),
        ({"caption_id": "A"}, "nor the image_id and caption_id of a pair"),
        ({**IMAGE, "caption_id": "C"}, "a caption_id but no caption"),
    ],
)
def test_a_mistake_names_its_line(folder: Path, suffix: str, row: Row, complaint: str) -> None:
    message = refused(write(folder, suffix, [*ITEMS, row]))
    assert message.startswith(f"items.{suffix}:{5 if suffix == 'csv' else 4}: ")
    assert complaint in message


@pytest.mark.parametrize("row", [{"image_path": "a.jpg"}, {"caption": "x"}])
def test_a_variant_of_nothing_names_its_line(folder: Path, row: Row) -> None:
    rows = [*ITEMS, {**row, "variant": "own"}]
    assert refused(write(folder, "jsonl", rows)).startswith(
        "items.jsonl:4: a variant stands in a row"
    )
    assert refused(write(folder, "csv", rows)).startswith("items.csv:5: an empty id")


def test_two_kinds_of_one_variant_name_both_lines(folder: Path) -> None:
    rows = [
        {**VARIANTS[0], "variant_kind": "appearance"},
        {**VARIANTS[1], "variant_kind": "semantic"},
    ]
    message = refused(write(folder, "jsonl", rows))
    assert "items.jsonl:1 and items.jsonl:2" in message
    other = {"caption_id": "C", "caption": "x", "variant": "their-inpainting"}
    batch = read(write(folder, "jsonl", [rows[0], {**other, "variant_kind": "semantic"}]))
    assert batch.variants.select("modality", "kind").rows() == [
        ("image", "appearance"),
        ("text", "semantic"),
    ]


def test_two_contents_of_one_variant_of_an_item_name_both_lines(folder: Path) -> None:
    rows = [*ITEMS, VARIANTS[0], {**VARIANTS[0], "image_path": "b.jpg"}]
    with pytest.raises(InputError, match=r"items\.csv:6.*differs in sha256.*items\.csv:5"):
        db_of(folder, write(folder, "csv", rows))
    assert (
        not (folder / "study").exists() or not vdb.open(folder / "study").images().collect().height
    )


def test_a_concept_of_a_variant_is_said_not_to_be_used(folder: Path) -> None:
    file = folder / "v.jsonl"
    file.write_text(json.dumps({**VARIANTS[0], "concept_id": "cup"}))
    batch = read(file)
    assert "concept_id was not used on 1 rows" in batch.notices[0]
    assert not batch.concepts.height


IDS = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=20)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)


@given(
    items=st.dictionaries(IDS, st.tuples(TEXTS, TEXTS), min_size=1, max_size=3),
    suffix=st.sampled_from(FORMATS),
)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_hostile_ids_and_texts_go_through_the_store(
    tmp_path_factory: pytest.TempPathFactory, items: dict[str, tuple[str, str]], suffix: str
) -> None:
    """What was written is what is read back, originals and variants, whatever the format."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "x.jpg").write_bytes(b"x")
    rows: list[Row] = [
        {"caption_id": i, "caption": text, "image_id": i, "image_path": "x.jpg", "concept_id": i}
        for i, (text, _) in items.items()
    ]
    rows += [{"caption_id": i, "caption": t, "variant": "own"} for i, (_, t) in items.items()]
    db = db_of(folder, write(folder, suffix, rows))
    for table, which in (("captions", 0), ("caption_variants", 1)):
        stored = db.read(table).select("caption_id", "text").collect()
        assert dict(stored.rows()) == {i: texts[which] for i, texts in items.items()}
    images = db.images().select("image_id", "concept_id").collect()
    pairs = db.read("pairs").select("image_id", "caption_id").collect()
    assert set(images.rows()) == set(pairs.rows()) == {(i, i) for i in items}
    assert set(db.read("concepts").collect()["concept_id"]) == set(items)


def test_rows_called_original_that_contradict_others_say_what_original_makes_of_them(
    folder: Path,
) -> None:
    (folder / "m.csv").write_text(
        "caption_id,caption,variant\n1,A dog.,\n1,A DOG.,original\n2,A cat.,\n"
    )
    with pytest.raises(
        InputError, match=r"m\.csv:2 and m\.csv:3 differ .*'original' in the column"
    ):
        next(manifest(folder / "m.csv"))
    (folder / "m.csv").write_text(
        "caption_id,caption,variant\n1,A dog.,\n1,A DOG.,\n2,A cat.,original\n"
    )
    with pytest.raises(InputError, match=r"give one of them another id$"):
        next(manifest(folder / "m.csv"))
