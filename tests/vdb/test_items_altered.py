"""Adding trials, variants and contents."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import polars as pl
import pytest

from vdb import items as item_tables
from vdb import variants
from vdb.blobs import Blobs, embedded_uri
from vdb.errors import InputError
from vdb.schema import IMAGE_TO_TEXT, TEXT_TO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database

    Batch = dict[str, pl.DataFrame]
    MakeItems = Callable[..., Batch]

NEW = ("trials", "variants", "image_variants", "caption_variants")


@pytest.fixture
def altered(items: MakeItems) -> MakeItems:
    """The four items of the fixture ``items``, with a trial in each direction and a ready-made variant of each kind."""

    def make(source: str = "t.csv:2") -> Batch:
        origin = {"dataset": pl.lit("toy"), "source": pl.lit(source)}
        trials = {
            "trial_id": ["t-0", "t-1"],
            "direction": [TEXT_TO_IMAGE, IMAGE_TO_TEXT],
            "query_id": ["cap-0", "img-1"],
            "candidate_0": ["img-0", "cap-1"],
            "candidate_1": ["img-3", "cap-3"],
            "label": [1.0, 0.5],
            "weight": [1.0, 2.0],
            "gap": [1.5, None],
            "scores_0": [[4.0, 3.5], None],
            "scores_1": [[2.0, 2.5], None],
            "judge": [None, "somebody"],
        }
        image = {"image_id": ["img-0"], "variant": ["inpainted"], "uri": ["/v/0.jpg"]}
        text = {"caption_id": ["cap-0"], "variant": ["said-again"], "text": ["a hound"]}
        known = {
            "variant": ["inpainted", "said-again"],
            "modality": ["image", "text"],
            "kind": ["semantic", None],
            "definition": ["{}", "{}"],
            "fingerprint": ["ready-made", "ready-made"],
            "source": [source, source],
        }
        return items(source=source) | {
            "trials": pl.DataFrame(trials).with_columns(**origin),
            "variants": pl.DataFrame(known),
            "image_variants": pl.DataFrame(image | {"sha256": ["hash of 0"]}).with_columns(
                **origin
            ),
            "caption_variants": pl.DataFrame(text).with_columns(**origin),
        }

    return make


def changed(batch: Batch, name: str, row: int, /, **columns: object) -> Batch:
    here = pl.int_range(pl.len()) == row
    frame = batch[name]
    new = {
        c: pl.when(here).then(pl.lit(v, frame[c].dtype)).otherwise(c) for c, v in columns.items()
    }
    return batch | {name: frame.with_columns(**new)}


def refused(db: Database, batch: Batch, *told: str) -> None:
    before = {name: db.read(name).collect().rows() for name in (*batch, "blobs")}
    with pytest.raises(InputError) as caught:
        item_tables.add(db, batch, [named(b"never")])
    assert "\n" not in str(caught.value)
    for part in told:
        assert part in str(caught.value)
    assert {name: db.read(name).collect().rows() for name in (*batch, "blobs")} == before


def named(data: bytes) -> tuple[str, bytes]:
    return hashlib.sha256(data).hexdigest(), data


def test_what_is_added_is_there_and_again_changes_nothing(db: Database, altered: MakeItems) -> None:
    batch = altered()
    added = {"trials": 2, "variants": 2, "image_variants": 1, "caption_variants": 1}
    report = item_tables.add(db, batch)
    assert {name: report.added[name] for name in NEW} == added
    for name in NEW:
        held = db.read(name).collect().sort(pl.nth(0))
        assert held.rows() == batch[name].select(held.columns).rows()
    versions = {name: db.table(name).version for name in NEW}
    again = item_tables.add(db, altered("another.csv:7"))
    assert {name: again.unchanged[name] for name in NEW} == added
    assert not any(again.added.values())
    assert {name: db.table(name).version for name in NEW} == versions


def test_the_database_reads_every_table(db: Database, altered: MakeItems) -> None:
    item_tables.add(db, altered())
    assert db.trials().filter(pl.col("label") == 0.5).collect()["trial_id"].to_list() == ["t-1"]
    assert set(db.variants().collect()["variant"]) == {"inpainted", "said-again"}
    assert db.image_variants().collect()["uri"].to_list() == ["/v/0.jpg"]
    assert db.caption_variants().collect()["text"].to_list() == ["a hound"]
    asked = db.sql("SELECT trial_id FROM trials WHERE scores_0 IS NOT NULL").collect()
    assert asked["trial_id"].to_list() == ["t-0"]


@pytest.mark.parametrize(
    ("row", "column", "value", "target"),
    [
        (0, "query_id", "img-0", "caption"),
        (0, "candidate_0", "cap-0", "image"),
        (0, "candidate_1", "img-9", "image"),
        (1, "query_id", "cap-0", "image"),
        (1, "candidate_0", "img-0", "caption"),
        (1, "candidate_1", "cap-9", "caption"),
    ],
)
def test_a_trial_refers_to_what_its_direction_says(
    db: Database, altered: MakeItems, row: int, column: str, value: str, target: str
) -> None:
    batch = changed(altered(), "trials", row, **{column: value})
    refused(db, batch, "t.csv:2", f"{column} {value!r} refers to no {target}")


@pytest.mark.parametrize(
    ("table", "column"), [("image_variants", "image_id"), ("caption_variants", "caption_id")]
)
def test_a_variant_of_nothing_is_refused(
    db: Database, altered: MakeItems, table: str, column: str
) -> None:
    refused(db, changed(altered(), table, 0, **{column: "none"}), "t.csv:2", column, "'none'")


def test_what_trials_refer_to_may_be_in_the_store_already(
    db: Database, items: MakeItems, altered: MakeItems
) -> None:
    item_tables.add(db, items())
    only = {name: frame for name, frame in altered().items() if name in NEW}
    assert item_tables.add(db, only).added["trials"] == 2
    wrong = {"trials": changed(only, "trials", 0, trial_id="t-9", candidate_0="img-9")["trials"]}
    refused(db, wrong, "'img-9' refers to no image")


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("trials", "label", 0.0),
        ("trials", "candidate_0", "img-2"),
        ("trials", "gap", None),
        ("trials", "scores_0", [4.0, 3.0]),
        ("trials", "scores_0", [4.0]),
        ("trials", "scores_1", None),
        ("trials", "judge", "me"),
        ("variants", "fingerprint", "other"),
        ("variants", "kind", "appearance"),
        ("image_variants", "sha256", "other"),
        ("caption_variants", "text", "other"),
    ],
)
def test_another_content_under_one_key_is_refused_in_a_batch_and_in_the_store(
    db: Database, altered: MakeItems, table: str, column: str, value: object
) -> None:
    other = changed(altered("second.csv:9"), table, 0, **{column: value})
    both = altered()
    refused(
        db,
        both | {table: pl.concat([both[table], other[table]])},
        "second.csv:9",
        "t.csv:2",
        column,
    )
    item_tables.add(db, both)
    refused(db, other, "second.csv:9", "t.csv:2", f"differs in {column}", "in the store")


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"direction": "sideways"}, "direction is neither text-to-image nor image-to-text"),
        ({"label": 1.5}, "label is not 1, 0 or 0.5"),
        ({"label": 0.7}, "label is not 1, 0 or 0.5"),
        ({"label": float("nan")}, "label is not 1, 0 or 0.5"),
        ({"candidate_1": "cap-1"}, "both candidates are the same"),
        ({"weight": float("nan")}, "weight is not a number above 0"),
        ({"weight": -1.0}, "weight is not a number above 0"),
        ({"gap": float("nan")}, "gap is not a number from 0"),
        ({"gap": -0.5}, "gap is not a number from 0"),
        ({"scores_0": [1.0, float("nan")]}, "scores_0 holds what is no number"),
        ({"scores_1": [None, 1.0]}, "scores_1 holds what is no number"),
        ({"weight": 0.0}, "weight is not a number above 0"),
        ({"weight": float("inf")}, "weight is not a number above 0"),
        ({"label": None}, "label is missing"),
    ],
)
def test_a_trial_that_means_nothing_is_refused(
    db: Database, altered: MakeItems, columns: dict[str, object], told: str
) -> None:
    refused(db, changed(altered(), "trials", 1, **columns), "t.csv:2", told)


def test_contents_are_kept_before_the_rows_that_need_them_and_only_of_good_ones(
    db: Database, altered: MakeItems
) -> None:
    digest, data = named(b"encoded")
    batch = changed(altered(), "images", 2, uri=embedded_uri(digest), sha256=digest)
    assert item_tables.add(db, batch, [(digest, data)]).embedded == 1
    uri = db.images().filter(pl.col("image_id") == "img-2").collect()["uri"].item()
    assert Blobs(db).read(uri) == data


@pytest.mark.parametrize("table", ["images", "image_variants"])
def test_an_embedded_image_that_is_added_again_by_path_stays_embedded(
    db: Database, altered: MakeItems, table: str
) -> None:
    digest, data = named(b"encoded")
    by_path = changed(altered(), table, 0, sha256=digest)
    embedded = changed(by_path, table, 0, uri=embedded_uri(digest))

    def uri() -> str:
        return str(db.read(table).filter(pl.col("image_id") == "img-0").collect()["uri"].item())

    assert item_tables.add(db, by_path).moved == 0
    assert item_tables.add(db, embedded, [(digest, data)]).moved == 1  # into the store
    assert uri() == embedded_uri(digest)
    again = item_tables.add(db, by_path)
    assert (again.moved, again.unchanged[table]) == (0, len(by_path[table]))
    assert uri() == embedded_uri(digest)


def test_a_kind_that_was_not_said_agrees_with_any_and_is_filled_in(
    db: Database, altered: MakeItems
) -> None:
    item_tables.add(db, altered())
    said = changed(altered("later.csv:3"), "variants", 1, kind="appearance")
    said = changed(said, "variants", 0, kind=None)
    report = item_tables.add(db, said)
    assert (report.added["variants"], report.unchanged["variants"], report.moved) == (0, 2, 0)
    assert db.variants().sort("variant").collect().select("variant", "kind", "source").rows() == [
        ("inpainted", "semantic", "t.csv:2"),
        ("said-again", "appearance", "t.csv:2"),
    ]
    other = changed(altered("last.csv:4"), "variants", 1, kind="semantic")
    refused(
        db,
        other,
        "last.csv:4: variant 'said-again' of captions differs in kind from the one at t.csv:2 in the store; "
        "`vdb remove variant said-again` makes room",
    )


def test_of_two_rows_in_one_batch_the_kind_is_that_of_the_one_that_says_it(
    db: Database, altered: MakeItems
) -> None:
    both = altered()
    silent = changed(both, "variants", 0, kind=None)["variants"]
    item_tables.add(db, both | {"variants": pl.concat([silent, both["variants"]])})
    kinds = dict(db.variants().collect().select("variant", "kind").iter_rows())
    assert kinds == {"inpainted": "semantic", "said-again": None}


@pytest.mark.parametrize(
    ("table", "column", "what"),
    [
        ("image_variants", "sha256", "variant 'inpainted' of image 'img-0'"),
        ("caption_variants", "text", "variant 'said-again' of caption 'cap-0'"),
    ],
)
def test_a_ready_made_variant_that_changed_says_how_to_make_room(
    db: Database, altered: MakeItems, table: str, column: str, what: str
) -> None:
    item_tables.add(db, altered())
    other = changed(altered("new.csv:2"), table, 0, **{column: "other"})
    name = what.split("'")[1]
    refused(
        db,
        other,
        f"{what} differs in {column}",
        f"; `vdb remove variant {name}` makes room, or give one of them another variant name",
    )


def test_what_somebody_made_and_what_is_computed_do_not_share_a_name(
    db: Database, altered: MakeItems
) -> None:
    item_tables.add(db, altered())
    with pytest.raises(variants.RecipeMismatchError, match="name: absent -> inpainted"):
        variants.define(db, "inpainted", "image", None, {"name": "inpainted"}, "f", "vdb")


def test_conflicts_are_found_among_many_rows_too(db: Database, items: MakeItems) -> None:
    """Above some number of rows the store is joined with, not asked for these ids."""
    many = items(30_000)
    only = {"images": many["images"], "concepts": many["concepts"]}
    item_tables.add(db, only)
    assert item_tables.add(db, only).unchanged["images"] == 30_000
    last = changed(only, "images", 29_999, sha256="other")
    refused(db, last, "image 'img-29999' differs in sha256")
