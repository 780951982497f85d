"""Many pairs at once: the same rows for all, a null beside each map, and answers that are found again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses.alignment import alignment
from vdb.recipe import Layer, Recipe
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

N = 40


@pytest.fixture
def db(tmp_path: Path, make_store: Callable[..., Database]) -> Database:
    """Two spaces of forty pairs, and a third, ``glance``, that lacks the first four images."""
    rng = np.random.default_rng(0)
    seen = rng.standard_normal((N, 6))
    images, captions = ([f"{kind}{i:02d}" for i in range(N)] for kind in "ic")
    db = make_store(
        tmp_path / "s",
        eye={one: [seen[i]] for i, one in enumerate(images)},
        tongue={one: [rng.standard_normal(3), seen[i, :4]] for i, one in enumerate(captions)},
        pairs=list(zip(images, captions, strict=True)),
    )
    layers = (Layer("only", 6, 1.0),)
    told = ("glance", "timm", "toy/glance", "0123abc", "pretrained", "image", "mean")
    with SpaceWriter(
        db.create_space("glance", Recipe(*told, "float32", "float32", layers))
    ) as writer:
        rows = [Row(one, None, "original") for one in images[4:]]
        writer.write(rows, seen[4:].astype(np.float32))
        writer.flush()
    return db


def test_all_pairs_of_a_grid_have_the_same_rows(db: Database) -> None:
    grid = alignment(db, ["eye", "glance", "eye"], ["tongue"], metric="mutual-knn", kept=False)
    assert grid["vision"].unique(maintain_order=True).to_list() == ["eye", "glance"]
    assert set(grid["n"]) == {N - 4}
    assert set(grid["unmatched"]) == {4}
    eye, glance = (grid.filter(pl.col("vision") == one) for one in ("eye", "glance"))
    assert eye["score"].to_list() == glance["score"].to_list()  # the same vectors


def test_an_answer_is_found_again_whole_and_another_question_is_not(db: Database) -> None:
    first = alignment(db, ["eye", "glance"], "tongue", metric="mutual-knn")
    assert db.runs().collect().height == 2
    assert_frame_equal(alignment(db, ["eye", "glance"], "tongue", metric="mutual-knn"), first)
    assert db.runs().collect().height == 2
    alignment(db, "glance", "tongue", metric="mutual-knn")  # on the same rows: part of the grid
    assert db.runs().collect().height == 2
    alignment(db, "glance", "tongue", metric="mutual-knn", seed=1)
    alignment(db, "glance", "tongue", metric="mutual-knn:k=3")
    alignment(db, "eye", "tongue", metric="mutual-knn")  # on all rows
    again = alignment(db, ["eye", "glance"], "tongue", metric="mutual-knn", force=True)
    assert db.runs().collect().height == 7
    assert_frame_equal(again, first)


def test_the_null_of_a_map_is_of_that_map_alone(db: Database) -> None:
    frame = alignment(db, "eye", "tongue", metric="mutual-knn", permutations=19, kept=False)
    own = frame.filter(pl.col("control") == "none")
    alone = alignment(
        db, "eye", "tongue", metric="mutual-knn", permutations=19, controls=(), kept=False
    )
    assert_frame_equal(own, alone)
    planted, noise = own.sort("score", descending=True).to_dicts()
    assert (planted["p"], planted["p_max"], planted["permutations"]) == (0.05, 0.05, 19)
    assert noise["p_max"] >= noise["p"]
    expected = (planted["score"] - planted["null_mean"]) / (1 - planted["null_mean"])
    assert planted["calibrated"] == pytest.approx(expected)
    none = alignment(db, "eye", "tongue", metric="mutual-knn", permutations=0, kept=False)
    assert none["p"].null_count() == len(none)
