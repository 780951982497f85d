"""``vdb analyze`` and ``vdb report``: what they print, keep, draw and refuse."""

from __future__ import annotations

import io
import json
import shlex
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from PIL import Image
from polars.testing import assert_frame_equal

import vdb
from analyses.alignment import alignment
from analyses.exemplar_avg import exemplar_avg
from cli.render import as_table

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Command = Callable[..., Any]

SIDES = ("--vision", "eye", "--language", "tongue")
ASKED: dict[str, tuple[str, ...]] = {
    "alignment": ("analyze", "alignment", *SIDES, "--force"),
    "exemplar-avg": (
        *("analyze", "exemplar-avg", *SIDES, "--k", "1,3", "--draws", "2", "--force"),
    ),
}
FUNCTIONS: dict[str, Callable[..., pl.DataFrame]] = {
    "alignment": alignment,
    "exemplar-avg": exemplar_avg,
}
GIVEN: dict[str, dict[str, Any]] = {"alignment": {}, "exemplar-avg": {"k": (1, 3), "draws": 2}}
QUICK = (*ASKED["exemplar-avg"], "--control", "none")


@pytest.fixture(scope="module")
def answers(asked_db: Database) -> dict[str, pl.DataFrame]:
    """What the functions that the commands call give, without keeping it."""
    return {
        name: ask(asked_db, "eye", "tongue", **GIVEN[name], kept=False)
        for name, ask in FUNCTIONS.items()
    }


def read(style: str, content: bytes, schema: pl.Schema) -> pl.DataFrame:
    """Parse what a command printed; CSV has the numbers of a list with spaces between."""
    if style == "json":
        return pl.read_json(io.BytesIO(content), schema=schema)
    if style == "parquet":
        return pl.read_parquet(io.BytesIO(content))
    lists = {name: kind for name, kind in schema.items() if isinstance(kind, pl.List)}
    flat = {name: pl.String if name in lists else kind for name, kind in schema.items()}
    frame = pl.read_csv(io.BytesIO(content), schema=flat)
    return frame.with_columns(
        pl.col(name).str.split(" ").cast(kind) for name, kind in lists.items()
    )


def run_ids(asked_db: Database) -> set[str]:
    return set(asked_db.runs().select("run_id").collect()["run_id"])


@pytest.mark.parametrize("name", ASKED)
@pytest.mark.parametrize("style", ["json", "csv", "parquet"])
def test_machines_get_the_whole_frame(
    name: str, style: str, ask: Command, answers: dict[str, pl.DataFrame]
) -> None:
    answer = ask(*ASKED[name], "--format", style)
    assert answer.code == 0
    assert "error" not in answer.err
    expected = answers[name]
    assert_frame_equal(read(style, answer.content, expected.schema), expected, rel_tol=1e-12)


@pytest.mark.parametrize("name", ASKED)
def test_output_goes_to_the_file_alone_and_everything_is_kept_with_the_line_that_was_typed(
    name: str, ask: Command, asked_db: Database, answers: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    before = run_ids(asked_db)
    file = tmp_path / "a file.parquet"
    assert ask(*ASKED[name], "--format", "parquet", "--output", file).content == b""
    assert_frame_equal(pl.read_parquet(file), answers[name], rel_tol=1e-12)
    [run_id] = run_ids(asked_db) - before
    run = asked_db.runs().filter(pl.col("run_id") == run_id).collect().row(0, named=True)
    options = ("--format", "parquet", "--output", str(file), "--db", asked_db.uri)
    typed = ["vdb", *ASKED[name], *options]
    assert shlex.split(run["command"]) == typed
    assert (run["outcome"], run["seed"]) == ("finished", 0)
    kept = asked_db.result(name).filter(pl.col("run_id") == run_id).collect()
    columns = answers[name].columns
    assert_frame_equal(kept.select(columns), answers[name], rel_tol=1e-12, check_row_order=False)
    pictures = asked_db.pictures().filter(pl.col("run_id") == run_id).collect()
    names = {"alignment": {"map", "profile"}, "exemplar-avg": {"curve"}}[name]
    assert set(pictures["name"]) == names


def test_people_get_the_best_cell_of_each_map(
    ask: Command, answers: dict[str, pl.DataFrame], tmp_path: Path
) -> None:
    answer = ask(*ASKED["alignment"])
    facts, table = answer.out.split("\n\n")
    header, rule, *lines = table.splitlines()
    assert " ".join(facts.split()) == (
        "vision eye, language tongue, metric linear-predictivity, n 30, folds 5, seed 0, permutations 0, unmatched 0"
    )
    assert max(map(len, answer.out.splitlines())) <= 100
    assert set(rule) == {"-", " "}
    names = header.split()
    rows = [dict(zip(names, line.split(), strict=True)) for line in lines]
    maps = answers["alignment"].group_by("control", "direction")
    best = {(c, d): f"{score:.3f}" for c, d, score in maps.agg(pl.col("score").max()).iter_rows()}
    assert {(row["control"], row["direction"]): row["score"] for row in rows} == best
    assert len(lines) == 2 * 3
    signal = [row for row in rows if row["control"] == "none"]
    assert {(row["vision_layer"], row["language_layer"]) for row in signal} == {("1", "1")}
    assert all(float(row["low"]) <= float(row["held_out"]) <= float(row["high"]) for row in rows)
    assert ask(*ASKED["alignment"], "--output", tmp_path / "best.txt").content == b""
    assert (tmp_path / "best.txt").read_text() == answer.out


def test_people_get_a_short_curve(ask: Command, answers: dict[str, pl.DataFrame]) -> None:
    answer = ask(*ASKED["exemplar-avg"])
    short = answers["exemplar-avg"].select(
        *("control", "direction", "k", "score", "low", "high"),
        *("predicted", "above", "above_low", "above_high"),
    )
    facts, table = answer.out.split("\n\n")
    assert table == as_table(short) + "\n"
    assert " ".join(facts.split()) == (
        "vision eye, language tongue, metric linear-predictivity, average captions, group image, n 30, draws 2, "
        "seed 0, cell rule last layers: 30 groups are too few to choose on half of them"
    )
    assert max(map(len, answer.out.splitlines())) <= 100
    first = short.row(0, named=True)
    assert table.splitlines()[2].split()[2:6] == [
        str(first["k"]),
        *(f"{first[name]:.3f}" for name in ("score", "low", "high")),
    ]


@pytest.mark.parametrize(
    ("name", "options", "same", "column", "values"),
    [
        (
            "alignment",
            "--direction vision-to-language --control none --captions mean",
            {"direction": "vision->language", "controls": (), "captions": "mean"},
            "direction",
            {"vision->language"},
        ),
        (
            "alignment",
            "--direction language-to-vision --control mismatched --captions all --seed 3 --folds 3",
            {
                "direction": "language->vision",
                "controls": ["mismatched"],
                "captions": "all",
                "seed": 3,
                "folds": 3,
            },
            "n",
            {90},
        ),
        (
            "alignment",
            "--control bag-of-words --control mismatched --metric mutual-knn --captions one",
            {"metric": "mutual-knn"},
            "control",
            {"none", "bag-of-words", "mismatched"},
        ),
        (
            "exemplar-avg",
            "--control none --metric mutual-knn --vision-layer 1 --language-layer blocks.1",
            {"metric": "mutual-knn", "controls": (), "vision_layer": 1, "language_layer": 1},
            "control",
            {"none"},
        ),
        (
            "exemplar-avg",
            "--average images --group concept --control mismatched --vision-layer -1 --language-layer -2",
            {
                "average": "images",
                "group": "concept",
                "controls": ["mismatched"],
                "vision_layer": -1,
                "language_layer": -2,
            },
            "language_layer",
            {1},
        ),
    ],
)
def test_options_reach_the_function(
    name: str,
    options: str,
    same: dict[str, Any],
    column: str,
    values: set[object],
    ask: Command,
    asked_db: Database,
) -> None:
    answer = ask(*ASKED[name], "--format", "json", "--device", "cpu", *options.split())
    expected = FUNCTIONS[name](asked_db, "eye", "tongue", **{**GIVEN[name], **same}, kept=False)
    frame = read("json", answer.content, expected.schema)
    assert set(frame[column]) == values
    assert_frame_equal(frame, expected, rel_tol=1e-6)


@pytest.mark.parametrize(
    ("name", "kept", "suffix"),
    [
        ("alignment", "map", ".json"),
        ("alignment", "map", ".png"),
        ("exemplar-avg", "curve", ".svg"),
    ],
)
def test_a_picture_is_what_its_name_says_and_what_is_kept(
    name: str, kept: str, suffix: str, ask: Command, asked_db: Database, tmp_path: Path
) -> None:
    before, file = run_ids(asked_db), tmp_path / f"picture{suffix}"
    assert ask(*ASKED[name], "--control", "none", "--picture", file).code == 0
    [run_id] = run_ids(asked_db) - before
    mine = (pl.col("run_id") == run_id) & (pl.col("name") == kept)
    picture = asked_db.pictures().filter(mine).collect().row(0, named=True)
    forms = {".svg": picture["svg"], ".png": picture["png"], ".json": picture["spec"].encode()}
    content = file.read_bytes()
    assert content == forms[suffix]
    if suffix == ".svg":
        assert ET.fromstring(content).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 - our own
    elif suffix == ".png":
        with Image.open(file) as image:
            assert image.format == "PNG"
            assert min(image.size) > 100
    else:
        assert "vega-lite" in json.loads(content)["$schema"]


def test_report_shows_what_was_asked(ask: Command, tmp_path: Path) -> None:
    assert ask(*QUICK).code == 0
    answer = ask("report", "--output", "new/page.html")
    assert answer.error == "cannot write new/page.html: the directory new is not there"
    assert not (tmp_path / "new").exists()
    (tmp_path / "new").mkdir()
    answer = ask("report", "--output", "new/page.html")
    assert (answer.code, answer.out, answer.err) == (0, "", "wrote new/page.html\n")
    page = (tmp_path / "new" / "page.html").read_text()
    assert page.startswith("<!doctype html>")
    assert "vdb analyze exemplar-avg --vision eye" in page


def test_report_of_nothing_says_what_to_do(vdb_command: Command, tmp_path: Path) -> None:
    vdb.open(tmp_path / "empty", create=True)
    answer = vdb_command("report", "--db", "empty")
    assert answer.code == 1
    assert "nothing was asked of" in answer.error
    assert "`vdb analyze alignment` first" in answer.error
    assert not (tmp_path / "report.html").exists()
