from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from vdb import books, items, removal, schema, variants
from vdb.blobs import EMBEDDED, Blobs
from vdb.errors import InputError, NotFoundError, RecipeMismatchError
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from vdb.database import Database


PARTS = {"vectors in eye": 11, "vectors in tongue": 11, "failures": 4, "vocabularies": 2}
WHOLE = {
    **PARTS,
    "blobs": 6,  # five photos and an inpainted one; the sixth photo is the other data set's too
    "variants": 1,  # its style of captions; both have inpainted images
    "trials": 2,
    "pairs": 6,
    "segments": 2,
    "image_variants": 1,
    "caption_variants": 1,
    "images": 6,
    "captions": 6,
}


def test_a_data_set_that_is_removed_might_never_have_been(
    removing: Any, two: Database, only_red: dict[str, Any]
) -> None:
    counts = removal.remove_datasets(two, ["blue"])
    assert counts == WHOLE | {"concepts": 2}
    assert removing.holding(two) == only_red


def test_a_concept_that_others_use_becomes_theirs(removing: Any, two: Database) -> None:
    counts = removal.remove_datasets(two, ["red"])
    assert counts == WHOLE | {"concepts": 1}
    concepts = two.concepts().sort("concept_id").collect()
    assert concepts.select("concept_id", "dataset", "source").rows() == [
        ("blue-cat", "blue", "blue-items.csv:2"),
        ("blue-dog", "blue", "blue-items.csv:2"),
        ("red-cat", "blue", "blue-items.csv:2"),
    ]
    assert removing.dangling(two) == []
    assert two.datasets()["dataset"].to_list() == ["blue"]
    reader = Blobs(two)
    for uri in two.images().collect()["uri"]:
        assert uri.startswith(EMBEDDED)
        assert reader.read(uri)


def test_a_dry_run_counts_the_same_and_writes_nothing(removing: Any, two: Database) -> None:
    before = removing.holding(two)
    versions = {table.name: table.version for table in two.tables()}
    counts = removal.remove_datasets(two, ["red"], dry_run=True)
    assert removal.remove_variant(two, "altered", dry_run=True) == ALTERED
    assert removing.holding(two) == before
    assert {table.name: table.version for table in two.tables()} == versions
    assert removal.remove_datasets(two, ["red"]) == counts


def test_both_data_sets_leave_nothing_but_the_spaces(
    removing: Any,
    two: Database,
) -> None:
    counts = removal.remove_datasets(two, ["red", "blue", "red"])
    assert counts["blobs"] == 13
    assert counts["concepts"] == 4
    assert set(removing.holding(two)) == {"meta", "spaces"}


def test_a_definition_that_nothing_is_left_of_makes_room_for_another_one(two: Database) -> None:
    """With the words it drew on: they are another tagger's."""
    words = {"vocabulary": {"elsewhere": ["dog"]}}
    variants.define(two, "tagged", "text", None, {"tagger": "old"} | words, "f-old", "vdb")
    with pytest.raises(RecipeMismatchError):
        variants.define(two, "tagged", "text", None, {"tagger": "new"}, "f-new", "vdb")
    with pytest.raises(RecipeMismatchError):
        variants.define(two, "altered", "text", None, {"name": "newer"}, "f-new", "vdb")
    counts = removal.remove_datasets(two, ["red"])
    assert counts["variants"] == 2  # its own style, and what there are no vectors of
    assert variants.definition_of(two, "text", "tagged") is None
    assert variants.define(two, "tagged", "text", None, {"tagger": "new"}, "f-new", "vdb") == {
        "tagger": "new"
    }
    with pytest.raises(RecipeMismatchError):  # the other data set has vectors of it
        variants.define(two, "altered", "text", None, {"name": "newer"}, "f-new", "vdb")
    removal.remove_datasets(two, ["blue"])
    variants.define(two, "altered", "text", None, {"name": "newer"}, "f-new", "vdb")


def test_a_definition_stays_that_only_the_ledger_knows_of(two: Database) -> None:
    variants.define(two, "rare", "text", None, {"name": "rare"}, "f-rare", "vdb")
    entry = [("red-cap-1", "rare", "has no noun")]
    books.record_failures(two, "tongue", entry, "r", status=schema.INAPPLICABLE)
    removal.remove_datasets(two, ["blue"])
    assert variants.definition_of(two, "text", "rare") == {"name": "rare"}
    removal.remove_datasets(two, ["red"])
    assert variants.definition_of(two, "text", "rare") is None


def test_a_data_set_that_is_not_there_is_told_with_near_misses(two: Database) -> None:
    with pytest.raises(NotFoundError, match=r"no data set 'bleu'; did you mean blue\?"):
        removal.remove_datasets(two, ["red", "bleu"])
    assert two.datasets()["dataset"].to_list() == ["blue", "red"]


@pytest.mark.parametrize("table", ["pairs", "trials", "segments", "image_variants"])
def test_items_that_another_data_set_refers_to_stay(
    removing: Any, two: Database, table: str
) -> None:
    rows = two.read(table).filter(pl.col("dataset") == "red").collect()
    more = rows.with_columns(dataset=pl.lit("more"), source=pl.lit("more.csv:7"))
    own = {"pairs": "caption_id", "trials": "trial_id", "segments": "segment_id"}.get(table)
    if own:
        new = pl.lit("blue-cap-5") if table == "pairs" else pl.lit("m") + pl.col(own)
        more = more.with_columns(new.alias(own))
    else:
        more = more.with_columns(variant=pl.lit("more"))
    items.add(two, {table: more})
    before = removing.holding(two)
    with pytest.raises(InputError) as refused:
        removal.remove_datasets(two, ["red"])
    told = str(refused.value)
    assert "\n" not in told
    assert told.startswith("data set 'red' cannot be removed alone: ")
    assert f"{table} of data set 'more' refer to its " in told
    assert "(more.csv:7 to 'red-" in told
    assert told.endswith("remove both: `vdb remove dataset red more`")
    assert removing.holding(two) == before
    if table != "pairs":  # those are of captions of blue too
        removal.remove_datasets(two, ["red", "more"])
        assert removing.dangling(two) == []


def test_altered_items_of_another_data_set_go_with_their_vectors_alone(
    removing: Any, two: Database
) -> None:
    removal.remove_datasets(two, ["red"])
    one = {"image_id": ["blue-img-1"], "variant": ["inpainted"], "uri": ["/x"], "sha256": ["x"]}
    items.add(
        two,
        {"image_variants": pl.DataFrame(one).with_columns(dataset=pl.lit("x"), source=pl.lit("x"))},
    )
    before = removing.holding(two)
    row = [Row("blue-img-1", None, "inpainted")]
    with SpaceWriter(two.space("eye")) as writer:
        writer.write(row, np.ones((1, 10), np.float16))
    counts = removal.remove_datasets(two, ["x"])
    assert counts == {"vectors in eye": 1, "image_variants": 1}
    del before["image_variants"]
    after = removing.holding(two)
    assert len(after.pop("image_variants")) == 1
    assert after == before


ALTERED = {
    "vectors in eye": 10,
    "vectors in tongue": 10,
    "failures": 4,
    "vocabularies": 4,
    "variants": 2,
}


def test_a_computed_variant_goes_with_its_vectors_ledger_and_definition(two: Database) -> None:
    assert removal.remove_variant(two, "altered") == ALTERED
    assert two.space("eye").counts() == {"original": 10, "inpainted": 2}
    assert two.failures().collect()["variant"].unique().to_list() == ["original"]
    assert variants.definition_of(two, "text", "altered") is None
    other = {"name": "altered", "tagger": "newer"}
    assert variants.define(two, "altered", "text", None, other, "g", "vdb") == other
    assert two.datasets().height == 2


def test_a_ready_made_variant_goes_with_its_files(two: Database) -> None:
    counts = removal.remove_variant(two, "inpainted")
    assert counts == {"vectors in eye": 2, "blobs": 2, "image_variants": 2, "variants": 1}
    assert two.table("blobs").count_rows() == 11
    assert removal.remove_variant(two, "red-style") == {
        "vectors in tongue": 1,
        "caption_variants": 1,
        "variants": 1,
    }


def test_originals_are_no_variant_to_remove_and_names_are_known(two: Database) -> None:
    with pytest.raises(InputError, match="`vdb remove dataset NAME` removes items"):
        removal.remove_variant(two, "original")
    with pytest.raises(NotFoundError, match=r"no variant 'inpaintd'; did you mean inpainted\?"):
        removal.remove_variant(two, "inpaintd")
