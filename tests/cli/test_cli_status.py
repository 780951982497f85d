"""``vdb status`` and ``vdb failures``: what is stored, what failed, and what cannot have a variant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

import vdb
from vdb import books, items, variants
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Command = Callable[..., Any]


@pytest.fixture
def study(make_store: Callable[..., Database], tmp_path: Path) -> Database:
    """Six images of two data sets, ``b`` with four; one image of each has no vector, and two have another variant."""
    rng = np.random.default_rng(0)
    images = {f"i{n}": [rng.standard_normal(3)] for n in range(6)}
    of = {f"{kind}{n}": "b" for n in range(4) for kind in "ic"}
    pairs = [(f"i{n}", f"c{n}") for n in range(6)]
    stored = {name: images[name] for name in ("i0", "i1", "i2", "i4")}
    db = make_store(
        tmp_path / "study", eye=stored, tongue={"c0": images["i0"]}, pairs=pairs, datasets=of
    )
    altered = pl.DataFrame({"image_id": ["i0", "i1", "i4"], "variant": "painted", "uri": "/x"})
    origin = {"sha256": pl.lit("x"), "dataset": pl.lit("b"), "source": pl.lit("x")}
    items.add(db, {"image_variants": altered.with_columns(**origin)})
    with SpaceWriter(db.space("eye")) as writer:
        block = rng.standard_normal((3, 3)).astype("float32")
        names = [("i0", "gray"), ("i4", "gray"), ("i0", "painted")]
        writer.write([Row(image, None, variant) for image, variant in names], block)
    books.record_failures(db, "eye", [("i3", "original", "cut short")], "r1")
    no_mask = [("i1", "gray", "has no mask"), ("i0", "gray", "outlived its cause")]
    books.record_failures(db, "eye", no_mask, "r1", status="inapplicable")
    variants.define(db, "blur", "image", "appearance", {"name": "blur"}, "f", "vdb")
    return db


GRID = {
    # data set, variant: expected, stored, failed, inapplicable, remaining
    ("b", "gray"): (4, 1, 0, 1, 2),
    ("b", "original"): (4, 3, 1, 0, 0),
    ("b", "painted"): (2, 1, 0, 0, 1),
    ("toy", "gray"): (2, 1, 0, 0, 1),
    ("toy", "original"): (2, 1, 0, 0, 1),
    ("toy", "painted"): (1, 0, 0, 0, 1),
}
COUNTS = ("expected", "stored", "failed", "inapplicable", "remaining")


def test_the_grid_counts_each_data_set_space_and_variant(
    study: Database, vdb_command: Command
) -> None:
    rows = json.loads(vdb_command("status", "--db", study.uri, "--format", "json").out)
    eye = [row for row in rows if row["space"] == "eye"]
    found = {(row["dataset"], row["variant"]): tuple(map(row.get, COUNTS)) for row in eye}
    assert found == GRID
    assert [(row["dataset"], row["variant"]) for row in eye] == sorted(GRID)
    assert {(row["model"], row["modality"], row["layers"]) for row in eye} == {("eye", "image", 1)}
    tongue = [tuple(map(row.get, ("dataset", *COUNTS))) for row in rows if row not in eye]
    assert tongue == [("b", 4, 1, 0, 0, 3), ("toy", 2, 0, 0, 0, 2)]


def test_people_see_the_data_sets_above_the_grid(study: Database, vdb_command: Command) -> None:
    above, grid = vdb_command("status", "--db", study.uri).out.split("\n\n")
    lines = [line.split() for line in above.splitlines()]
    assert lines[0] == ["dataset", "images", "captions", "pairs", "image_variants"]
    assert lines[2:] == [["b", "4", "4", "4", "3"], ["toy", "2", "2", "2", "0"]]
    cells = [line.split() for line in grid.splitlines()]
    assert cells[0] == ["dataset", "space", "variant", "layers", *COUNTS]
    assert ["b", "eye", "gray", "1", "4", "1", "0", "1", "2"] in cells
    csv = vdb_command("status", "--db", study.uri, "--format", "csv").out.splitlines()
    assert len(csv) == len(GRID) + 2 + 1


def test_a_vector_whose_item_is_gone_is_told_under_no_data_set(
    study: Database, vdb_command: Command
) -> None:
    study.table("images").delete("image_id = 'i2'")
    rows = json.loads(vdb_command("status", "--db", study.uri, "--format", "json").out)
    [lost] = [row for row in rows if row["dataset"] is None]
    assert tuple(map(lost.get, ("space", "variant", *COUNTS))) == ("eye", "original", 0, 1, 0, 0, 0)
    table = vdb_command("status", "--db", study.uri).out
    assert "\n(items not in the store)  eye " in table


def test_only_variants_that_a_space_was_asked_for_are_told(
    study: Database, vdb_command: Command
) -> None:
    """The study has blur defined, which no space has; here ``eye`` loses its originals too."""
    study.space("eye").table.delete("variant = 'original'")
    books.clear_failures(study, "eye", [("i3", "original")])
    rows = json.loads(vdb_command("status", "--db", study.uri, "--format", "json").out)
    assert {row["variant"] for row in rows if row["space"] == "eye"} == {"gray", "painted"}


def test_people_see_many_categories_as_one_row(study: Database, vdb_command: Command) -> None:
    names = [f"object-removed:which={one}" for one in "vwxyz"]
    books.record_failures(study, "eye", [("i0", name, "cut short") for name in names], "r1")
    out = vdb_command("status", "--db", study.uri).out
    [line] = [line for line in out.splitlines() if line.startswith("b") and "which=" in line]
    assert "object-removed:which=each (5 categories)" in line
    assert line.split()[-5:] == ["20", "0", "5", "0", "15"]  # of four images each
    rows = json.loads(vdb_command("status", "--db", study.uri, "--format", "json").out)
    assert set(names) < {row["variant"] for row in rows}


def test_a_store_without_spaces_says_what_makes_one(vdb_command: Command, tmp_path: Path) -> None:
    vdb.open(tmp_path / "empty", create=True)
    answer = vdb_command("status", "--db", "empty")
    assert answer.code == 0
    assert answer.out == ""
    assert "`vdb ingest --model NAME` makes one" in answer.err
    assert json.loads(vdb_command("status", "--db", "empty", "--format", "json").out) == []


def test_database_counts_data_sets(study: Database) -> None:
    counts = study.datasets()
    assert counts.columns == [
        "dataset",
        "images",
        "captions",
        "concepts",
        "pairs",
        "segments",
        "trials",
        "image_variants",
        "caption_variants",
        "embedded",
    ]
    assert counts.rows() == [("b", 4, 4, 0, 4, 0, 0, 3, 0, 0), ("toy", 2, 2, 0, 2, 0, 0, 0, 0, 0)]


def test_failures_lists_a_space_or_a_status(study: Database, vdb_command: Command) -> None:
    def told(*options: str) -> list[tuple[str, ...]]:
        out = vdb_command("failures", "--db", study.uri, "--format", "json", *options).out
        return [(row["item_id"], row["status"]) for row in json.loads(out)]

    cannot = [("i0", "inapplicable"), ("i1", "inapplicable")]
    assert told("--status", "all") == [*cannot, ("i3", "failed")]
    assert told() == told("--status", "failed") == [("i3", "failed")]
    assert told("--status", "inapplicable", "--space", "eye") == cannot
    assert told("--space", "tongue") == []
    by_default = vdb_command("failures", "--db", study.uri)
    hint = "2 more cannot have a variant: `vdb failures --status inapplicable`"
    assert by_default.err.splitlines() == [hint]
    table = by_default.out.splitlines()
    assert table[-1].split(maxsplit=4) == ["eye", "i3", "original", "failed", "cut short"]
    answer = vdb_command("failures", "--db", study.uri, "--space", "eyes")
    assert (answer.code, answer.error.startswith("no space 'eyes'; did you mean eye?")) == (1, True)
    answer = vdb_command("failures", "--db", study.uri, "--status", "inaplicable")
    assert (answer.code, answer.error) == (
        1,
        "no status 'inaplicable'; did you mean inapplicable?",
    )


def test_a_later_entry_takes_the_place_of_an_earlier_one_whatever_its_status(
    study: Database,
) -> None:
    books.record_failures(study, "eye", [("i3", "original", "has no mask")], "r2", "inapplicable")
    [row] = study.failures().filter(pl.col("item_id") == "i3").collect().to_dicts()
    assert (row["status"], row["reason"], row["run_id"]) == ("inapplicable", "has no mask", "r2")
    books.clear_failures(study, "eye", [("i3", "original"), ("i1", "gray")])
    assert study.failures().collect()["item_id"].to_list() == ["i0"]
