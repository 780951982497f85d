"""Many pairs at once: the same rows for all, a null beside each map, and answers that are found again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses.alignment import alignment, maps
from analyses.matching import mean_rows
from vdb.recipe import Layer, Recipe
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from vdb.database import Database
    from vdb.space import Space

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


def test_a_grid_reads_each_vision_space_once(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    layers = (Layer("only", 3, 1.0),)
    told = ("speech", "transformers", "toy/speech", "0123abc", "pretrained", "text", "mean")
    with SpaceWriter(
        db.create_space("speech", Recipe(*told, "float32", "float32", layers))
    ) as writer:
        rows = [Row(f"c{i:02d}", None, "original") for i in range(N)]
        writer.write(rows, np.random.default_rng(1).standard_normal((N, 3)).astype(np.float32))
        writer.flush()
    read: list[str] = []

    def counted(space: Space, *arguments: Any) -> list[NDArray[np.float32]]:
        read.append(space.name)
        return mean_rows(space, *arguments)

    monkeypatch.setattr(maps, "mean_rows", counted)
    grid = alignment(db, ["eye", "glance"], ["tongue", "speech"], metric="mutual-knn", kept=False)
    assert read == ["eye", "glance"]
    assert grid["vision"].unique(maintain_order=True).to_list() == ["eye", "glance"]
    of_glance = grid.filter(pl.col("vision") == "glance", pl.col("language") != "tongue")
    alone = alignment(db, "glance", "speech", metric="mutual-knn", kept=False)
    order = ["control", "language", "language_layer"]
    assert_frame_equal(of_glance.sort(order), alone.sort(order))
