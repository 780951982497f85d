from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from vdb import items as item_tables
from vdb.errors import InputError, NotFoundError
from vdb.nearest import nearest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database
    from vdb.recipe import Recipe


@pytest.fixture
def study(
    db: Database,
    items: Callable[..., dict[str, pl.DataFrame]],
    recipe: Callable[..., Recipe],
    fill: Callable[..., object],
) -> Database:
    item_tables.add(db, items(4))
    space = db.create_space("vit-l", recipe(4, 6))
    fill(space, [f"img-{i}" for i in range(4)])
    fill(space, ["img-0", "img-1"], "grayscale")
    return db


# Scans ----------------------------------------------------------------------------------------------------------------


def test_a_scan_takes_filter_and_projection_down(study: Database) -> None:
    frame = study.scan("vit-l", layers=[1], variant="original").filter(
        pl.col("concept_id") == "dog"
    )
    plan = frame.select("image_id", "layer_01").explain()
    assert "filter: (" in plan
    assert "concept_id == " in plan
    assert "variant == " in plan
    assert "FILTER" not in plan  # polars' own, over the scan
    assert "PROJECT 2/6 COLUMNS" in plan


def test_the_items_take_them_down_too(study: Database) -> None:
    plan = study.images().filter(pl.col("concept_id") == "dog").select("image_id").explain()
    assert "filter: (concept_id == " in plan
    assert "FILTER" not in plan
    assert "PROJECT 1/7 COLUMNS" in plan


def test_a_scan_holds_what_was_asked(study: Database) -> None:
    frame = study.scan("vit-l", layers=[-1], variant="grayscale").collect()
    assert frame.columns == ["image_id", "concept_id", "variant", "layer_01"]
    assert frame.schema["layer_01"] == pl.Array(pl.Float16, 6)
    assert sorted(frame["image_id"]) == ["img-0", "img-1"]
    order = frame.sort("image_id")
    assert np.array_equal(
        order["layer_01"].to_numpy(), study.space("vit-l").matrix(-1, "grayscale").values
    )


def test_key_columns_stay_inside(study: Database) -> None:
    for name in ("concepts", "images", "captions", "pairs", "segments", "spaces"):
        assert "key" not in study.read(name).collect_schema()


# SQL ------------------------------------------------------------------------------------------------------------------


def test_sql_joins_items_and_spaces(study: Database) -> None:
    answer = study.sql(
        'SELECT i.concept_id, COUNT(*) AS n FROM images i JOIN "vit-l" v ON i.image_id = v.image_id '
        "WHERE v.variant = 'original' GROUP BY i.concept_id ORDER BY i.concept_id"
    )
    assert answer.collect().rows() == [("cat", 2), ("dog", 2)]


@pytest.mark.parametrize("text", ["it's", "x' OR 1=1 --", 'say "cheese"', "猫", "a|b\\"])
def test_sql_finds_hostile_text_and_nothing_else(
    study: Database, items: Callable[..., dict[str, pl.DataFrame]], text: str
) -> None:
    batch = items(1, prefix="new-")
    batch["captions"] = batch["captions"].with_columns(text=pl.lit(text))
    item_tables.add(study, batch)
    literal = text.replace("'", "''")
    answer = study.sql(f"SELECT caption_id FROM captions WHERE text = '{literal}'")  # noqa: S608
    assert answer.collect().rows() == [("new-cap-0",)]


@pytest.mark.parametrize(
    "query",
    [
        "DROP TABLE images",
        "  delete FROM images",
        "INSERT INTO images VALUES (1)",
        "UPDATE images SET uri = ''",
        "CREATE TABLE t AS SELECT * FROM images",
        "TRUNCATE images",
        "",
        "SELECT 1; DROP TABLE images",
        "WITH x AS (SELECT 1) DELETE FROM images",
    ],
)
def test_sql_only_reads(study: Database, query: str) -> None:
    before = study.images().collect()
    with pytest.raises(InputError) as caught:
        study.sql(query).collect()
    assert "\n" not in str(caught.value)
    assert study.images().collect().equals(before)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT",
        "SELECT * FROM",
        "SELECT * FROM nowhere",
        "SELECT nothing FROM images",
        "SELECT image_id FROM images WHERE nothing = 1",
        "SELECT * FROM vit-l",
        "SELECT 'open",
    ],
)
def test_sql_that_cannot_be_answered_is_one_line(study: Database, query: str) -> None:
    with pytest.raises(InputError, match="cannot answer") as caught:
        study.sql(query)
    message = str(caught.value)
    assert "\n" not in message
    assert "vit-l" in message


def test_sql_reaches_a_result_that_shares_its_name_with_a_space(study: Database) -> None:
    study.keep_result("vit-l", pl.DataFrame({"score": [0.5]}), "run1")
    assert study.sql('SELECT score FROM "result.vit-l"').collect().rows() == [(0.5,)]
    assert "variant" in study.sql('SELECT * FROM "vit-l"').collect_schema()


@pytest.mark.parametrize(
    "query",
    [
        "-- which?\nSELECT COUNT(*) FROM images",
        "-- it's\r\n(SELECT COUNT(*) FROM images)",
        "/* which? */ SELECT COUNT(*) FROM images",
        "/* /* nested */ it's DROP */SELECT COUNT(*) FROM images -- read_csv('x')",
    ],
)
def test_sql_may_hold_comments(study: Database, query: str) -> None:
    assert study.sql(query).collect().item() == 4


@pytest.mark.parametrize(
    "query", ["-- SELECT\nDROP TABLE images", "/* SELECT */ DROP TABLE images"]
)
def test_a_comment_asks_nothing(study: Database, query: str) -> None:
    with pytest.raises(InputError, match="only SELECT"):
        study.sql(query)


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('{}')",
        "SELECT * FROM READ_CSV ('{}')",
        "SELECT * FROM \"read_csv\" /* it's */ ('{}')",
        "SELECT * FROM `read_csv` -- (\n('{}')",
        "WITH t AS (SELECT * FROM read_csv('{}')) SELECT * FROM t",
        "SELECT * FROM images, read_csv('{}')",
        "SELECT '''' AS \"it's\" FROM read_csv('{}')",
        "SELECT E'\\' AS a, ' AS b FROM read_csv('{}') --'",
        "SELECT * FROM read_parquet('{}')",
        "SELECT * FROM read_json('{}')",
        "SELECT * FROM read_ipc('{}')",
    ],
)
def test_sql_reads_no_file(study: Database, tmp_path: Path, query: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("word\nxyzzy\n")
    with pytest.raises(InputError, match="reads a file outside the store") as caught:
        study.sql(query.format(secret))
    assert "\n" not in str(caught.value)


def test_sql_may_speak_of_a_reader(study: Database) -> None:
    """What only looks like a table function: a text, and a name that is not called."""
    query = "SELECT 'read_csv(''a'')' AS read_csv, $$scan_csv('a')$$ AS x FROM images LIMIT 1"
    assert study.sql(query).collect().rows() == [("read_csv('a')", "scan_csv('a')")]


# Neighbours -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32"])
@pytest.mark.parametrize("k", [1, 7, 299, 1000])
def test_neighbours_are_those_of_a_matrix_product(
    db: Database,
    recipe: Callable[..., Recipe],
    fill: Callable[..., dict[str, np.ndarray]],
    k: int,
    dtype: str,
) -> None:
    space = db.create_space("s", recipe(3, 16, stored_dtype=dtype))
    ids = [f"i{i:03d}" for i in range(300)]
    vectors = fill(space, ids, rows_a_commit=70)
    fill(space, ids[:50], "grayscale", seed=5)
    values = np.stack([vectors[i][3:] for i in ids]).astype(np.float64)
    values /= np.linalg.norm(values, axis=1, keepdims=True)
    similarity = values @ values[42]
    order = [int(i) for i in np.argsort(-similarity) if i != 42][:k]
    found = db.neighbours("s", layer=-1, of="i042", k=k)
    assert found["image_id"].to_list() == [ids[i] for i in order]
    assert np.allclose(found["similarity"], similarity[order], atol=1e-6)


def test_neighbours_of_what_is_not_there(study: Database) -> None:
    with pytest.raises(NotFoundError, match="'nobody'"):
        study.neighbours("vit-l", layer=0, of="nobody")
    with pytest.raises(InputError, match="at least 1, not 0"):
        study.neighbours("vit-l", layer=0, of="img-0", k=0)


def test_of_equal_neighbours_the_lower_id_comes_first() -> None:
    ids = list("hgfedcba")
    same = np.ones((8, 2), np.float32)
    batches = [(ids[:5], same[:5]), ([], same[:0]), (ids[5:], same[5:])]
    assert nearest(same[0], batches, 3, leave_out="b")[0] == ["a", "c", "d"]
