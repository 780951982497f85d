"""``vdb analyze forced-choice`` and ``vdb analyze retrieval``: what they print, draw and refuse."""

from __future__ import annotations

import io
import shlex
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from polars.testing import assert_frame_equal

from analyses.forced_choice import forced_choice
from analyses.retrieval import retrieval

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Command = Callable[..., Any]

SIDES = ("--vision", "eye", "--language", "tongue")
N, WIDTH = 40, 4
MANY = (
    "--direction text-to-image --level trial --similarity distance --control none --folds 4 --seed 2 "
    "--vision-layer 1 --language-layer 0 --strengths 1.5 --captions mean --most 30"
)


@pytest.fixture(scope="module")
def chosen_db(
    tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]
) -> Database:
    """Forty pairs in which a caption is its image, turned."""
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
    eye, tongue = {}, {}
    for i in range(N):
        latent = rng.standard_normal(WIDTH)
        eye[f"i{i:02d}"] = [rng.standard_normal(3), latent]
        tongue[f"c{i:02d}"] = [latent @ rotation]
    pairs = [(f"i{i:02d}", f"c{i:02d}") for i in range(N)]
    path = tmp_path_factory.mktemp("chosen") / "study"
    return make_store(path, eye=eye, tongue=tongue, pairs=pairs)


@pytest.fixture
def asks(vdb_command: Command, chosen_db: Database, tmp_path: Path) -> Command:
    """Run a command on the store, with trials added the way anybody adds them."""
    if chosen_db.trials().collect().is_empty():
        file = tmp_path / "choices.csv"
        lines = [f"c{i:02d},i{i:02d},i{(i + 1) % N:02d},0,{1 + i % 2}" for i in range(0, N, 2)]
        file.write_text("query_id,candidate_0_id,candidate_1_id,preferred,gap\n" + "\n".join(lines))
        options = ("--direction", "text-to-image", "--db", chosen_db.uri)
        assert vdb_command("add", "trials", file, *options).code == 0
    return lambda *arguments: vdb_command(*arguments, "--db", chosen_db.uri)


@pytest.mark.parametrize(
    ("options", "given"),
    [
        ("", {}),
        (
            MANY,
            {
                "direction": "text-to-image",
                "level": "trial",
                "similarity": "distance",
                "controls": (),
                "folds": 4,
                "seed": 2,
                "vision_layer": 1,
                "language_layer": 0,
                "strengths": [1.5],
                "captions": "mean",
                "most": 30,
            },
        ),
        ("--level set --metric mutual-knn:k=3", {"level": "set", "metric": "mutual-knn:k=3"}),
    ],
)
def test_options_reach_the_function(
    options: str, given: dict[str, Any], asks: Command, chosen_db: Database
) -> None:
    answer = asks("analyze", "forced-choice", *SIDES, "--format", "parquet", *shlex.split(options))
    assert answer.code == 0
    expected = forced_choice(chosen_db, "eye", "tongue", **given, kept=False, force=True)
    assert_frame_equal(pl.read_parquet(io.BytesIO(answer.content)), expected, rel_tol=1e-12)


def test_people_read_the_cell_and_are_told_of_an_answer_given_before(
    asks: Command, tmp_path: Path
) -> None:
    command = ("analyze", "forced-choice", *SIDES, "--level", "trial", "--seed", "1")
    picture = tmp_path / "bars.png"
    answer = asks(*command, "--picture", picture)
    assert answer.code == 0
    assert "text-to-image" in answer.out
    assert "language->vision" in answer.out
    assert "1.000" in answer.out
    with Image.open(picture) as drawn:
        assert drawn.width > 500
    again = asks(*command)
    assert again.out == answer.out
    assert "answered before" in again.err
    assert "answered before" not in asks(*command, "--force").err


def test_retrieval_prints_and_draws(asks: Command, chosen_db: Database, tmp_path: Path) -> None:
    picture = tmp_path / "bars.svg"
    command = ("analyze", "retrieval", *SIDES, "--vision-layer", "1", "--language-layer", "0")
    answer = asks(*command, "--picture", picture)
    assert answer.code == 0
    assert "median rank" in answer.out
    assert picture.read_bytes().startswith(b"<svg")
    whole = asks(*command, "--format", "parquet", "--control", "none", "--captions", "all")
    expected = retrieval(
        chosen_db,
        "eye",
        "tongue",
        vision_layer=1,
        language_layer=0,
        controls=(),
        captions="all",
        kept=False,
        force=True,
    )
    assert_frame_equal(pl.read_parquet(io.BytesIO(whole.content)), expected, rel_tol=1e-12)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("--direction image-to-text", "none is image-to-text"),
        ("--fit-dataset toi", "toy"),
        ("--control bag-of-word", "bag-of-words"),
        ("--vision-layer 1", "name both"),
        ("--dataset asked", "data set with trials"),
    ],
)
def test_mistakes_are_one_line(options: str, told: str, asks: Command) -> None:
    answer = asks("analyze", "forced-choice", *SIDES, *shlex.split(options))
    assert answer.code != 0
    assert told in answer.error


def test_strengths_are_numbers(asks: Command) -> None:
    answer = asks("analyze", "forced-choice", *SIDES, "--strengths", "1,strong")
    assert answer.code == 2
    assert "is not numbers with commas between" in answer.err
