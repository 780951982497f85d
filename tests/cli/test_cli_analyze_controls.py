"""Controls that are spaces: made by the command where they are missing, and never twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from analyses.alignment import alignment
from vdb.errors import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database


def test_twins_and_pixels_widen_the_grid(
    tmp_path: Path,
    make_study: Callable[..., Database],
    tiny_vision: Path,
    tiny_language: Path,
    vdb_command: Callable[..., object],
) -> None:
    db = make_study(tmp_path / "s", 24)
    for model, space in ((tiny_vision, "eye"), (tiny_language, "tongue")):
        vdb_command("ingest", "--model", model, "--space", space, "--db", db.uri)
    for control, command in (
        ("random-init", "--random-init 0 --space eye-random"),
        ("pixel-statistics", "vdb ingest --model pixel-statistics"),
    ):
        with pytest.raises(NotFoundError, match=command):
            alignment(db, "eye", "tongue", controls=[control])
    asked = ["analyze", "alignment", "--vision", "eye", "--language", "tongue", "--db", db.uri]
    asked += ["--metric", "mutual-knn", "--control", "random-init"]
    asked += ["--control", "pixel-statistics", "--control", "mismatched"]
    vdb_command(*asked)
    controls = ["random-init", "pixel-statistics", "mismatched"]
    runs = db.runs().collect().height
    frame = alignment(db, "eye", "tongue", metric="mutual-knn", controls=controls)
    vdb_command(*asked)
    there = db.spaces().select("space").collect()["space"].to_list()
    assert sorted(there) == ["eye", "eye-random", "pixel-statistics", "tongue", "tongue-random"]
    assert db.result("alignment").collect().height == len(frame)  # all of it was answered before
    assert db.runs().collect().height >= runs
    pairs = frame.select("vision", "language", "control").unique()
    plain = pairs.filter(pl.col("control") == "none").select("vision", "language")
    eyes, tongues = ("eye", "eye-random", "pixel-statistics"), ("tongue", "tongue-random")
    assert sorted(plain.rows()) == [(a, b) for a in eyes for b in tongues]
    wrong = pairs.filter(pl.col("control") != "none")
    assert wrong.rows() == [("eye", "tongue", "mismatched")]
