"""``vdb analyze geometry``: what it prints, keeps and refuses."""

from __future__ import annotations

import io
import shlex
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses.geometry import geometry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Command = Callable[..., Any]

GEOMETRY = ("analyze", "geometry", "--space", "eye,tongue")


@pytest.fixture(scope="module")
def expected(asked_db: Database) -> pl.DataFrame:
    return geometry(asked_db, ["eye", "tongue"], kept=False)


def test_machines_get_every_measure(ask: Command, expected: pl.DataFrame) -> None:
    answer = ask(*GEOMETRY, "--format", "parquet")
    assert answer.code == 0
    assert_frame_equal(pl.read_parquet(io.BytesIO(answer.content)), expected, rel_tol=1e-9)
    answer = ask(*GEOMETRY, "--format", "json")
    assert_frame_equal(
        pl.read_json(io.BytesIO(answer.content), schema=expected.schema), expected, rel_tol=1e-9
    )


def test_people_get_a_row_a_layer(ask: Command, expected: pl.DataFrame) -> None:
    answer = ask(*GEOMETRY)
    assert max(map(len, answer.out.splitlines())) <= 100
    header, _, *lines = answer.out.split("\n\n")[-1].splitlines()
    names = header.split()
    assert names[:4] == ["space", "items", "layer", "depth"]
    rows = [dict(zip(names, line.split(), strict=True)) for line in lines]
    assert [(row["space"], row["layer"]) for row in rows] == [
        *(("eye", str(i)) for i in range(2)),
        *(("tongue", str(i)) for i in range(3)),
    ]
    heading = {"two_nn": "two-nn", "erank": "effective-rank", "loud": "loud-units"}
    for row in rows:
        here = (pl.col("space") == row["space"]) & (pl.col("layer") == int(row["layer"]))
        for name, measure in heading.items():
            value = expected.filter(here & (pl.col("measure") == measure))["value"].item()
            assert row[name] == f"{value:.3f}"


def test_options_reach_the_function_and_the_answer_is_found_again(
    ask: Command, asked_db: Database, tmp_path: Path
) -> None:
    chosen = "--layers blocks.1,0 --k 4 --sample 25 --seed 3 --dataset toy --device cpu"
    options = chosen.split()
    picture = tmp_path / "layers.svg"
    answer = ask(*GEOMETRY, *options, "--format", "parquet", "--picture", picture)
    found = pl.read_parquet(io.BytesIO(answer.content))
    direct = geometry(
        asked_db, ["eye", "tongue"], layers=["blocks.1", 0], k=4, sample=25, seed=3,
        datasets=["toy"], kept=False,
    )  # fmt: skip
    assert_frame_equal(found, direct, rel_tol=1e-9)
    assert picture.read_bytes().startswith(b"<svg")
    runs = asked_db.runs().collect()
    again = ask(*GEOMETRY, *options, "--format", "parquet")
    assert "answered before" in again.err
    assert_frame_equal(pl.read_parquet(io.BytesIO(again.content)), found)
    assert asked_db.runs().collect().height == runs.height
    typed = runs.sort("started_at").row(-1, named=True)["command"]
    assert shlex.split(typed)[:5] == ["vdb", *GEOMETRY]
    forced = ask(*GEOMETRY, *options, "--force", "--format", "parquet")
    assert "answered before" not in forced.err
    assert asked_db.runs().collect().height == runs.height + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--space", "eye,tonge"), "did you mean tongue"),
        (("--space", "eye", "--layers", "9"), "layers 0 to 1, not 9"),
        (("--space", "eye", "--k", "30"), "too few for 30 neighbours"),
        (("--space", "eye", "--variant", "orignal"), "did you mean original"),
        (("--space", ","), "names nothing"),
    ],
)
def test_refusals_are_one_line(ask: Command, options: tuple[str, ...], message: str) -> None:
    answer = ask("analyze", "geometry", *options)
    assert answer.code != 0
    assert message in answer.err
    assert not answer.content
