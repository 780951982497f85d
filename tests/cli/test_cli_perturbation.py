"""``vdb analyze perturbation`` and ``self-alignment``: what they print, keep, draw and refuse."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from PIL import Image
from polars.testing import assert_frame_equal

from analyses.perturbation import perturbation
from analyses.self_alignment import self_alignment
from vdb.variants import define
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Command = Callable[..., Any]

SIDES = ("--vision", "eye", "--language", "tongue")
AT = ("--vision-layer", "1", "--language-layer", "1")
PERTURBATION = ("analyze", "perturbation", *SIDES, *AT)
SELF = ("analyze", "self-alignment", "--space", "eye")


@pytest.fixture(scope="module")
def altered_db(
    tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]
) -> Database:
    """Forty images with a caption each, whose second layer is the image's plus noise; three variants of images."""
    rng = np.random.default_rng(1)
    latent = {f"img-{i:02d}": rng.standard_normal(4) for i in range(40)}
    eye = {one: [rng.standard_normal(3), x] for one, x in latent.items()}
    tongue = {
        one.replace("img", "cap"): [rng.standard_normal(3), x + 0.3 * rng.standard_normal(4)]
        for one, x in latent.items()
    }
    made = tmp_path_factory.mktemp("altered") / "study"
    pairs = list(zip(eye, tongue, strict=True))
    db = make_store(made, eye=eye, tongue=tongue, pairs=pairs)
    for variant, noise in (("grayscale", 0.2), ("patch-shuffle", 1.0), ("object-removed", 2.0)):
        block = np.stack(
            [np.r_[x[0], x[1] + noise * rng.standard_normal(4)] for x in eye.values()]
        ).astype(np.float32)
        with SpaceWriter(db.space("eye")) as writer:
            writer.write([Row(one, None, variant) for one in eye], block)
        kind = "semantic" if variant == "object-removed" else "appearance"
        define(db, variant, "image", kind, {}, f"print of {variant}", "a test")
    return db


@pytest.fixture
def ask(vdb_command: Command, altered_db: Database) -> Command:
    return lambda *arguments: vdb_command(*arguments, "--db", altered_db.uri)


@pytest.mark.parametrize("style", ["json", "parquet"])
def test_machines_get_the_whole_frame(ask: Command, altered_db: Database, style: str) -> None:
    expected = perturbation(
        altered_db, "eye", "tongue", vision_layer=1, language_layer=1, kept=False
    )
    answer = ask(*PERTURBATION, "--format", style)
    assert answer.code == 0
    content = io.BytesIO(answer.content)
    found = (
        pl.read_json(content, schema=expected.schema)
        if style == "json"
        else pl.read_parquet(content)
    )
    assert_frame_equal(found, expected)
    assert set(expected["scope"]) == {"cell", "map"}


def test_people_get_the_cell(ask: Command) -> None:
    answer = ask(*PERTURBATION, "--fit", "refit")
    assert answer.code == 0
    facts, table = answer.out.split("\n\n")
    facts = " ".join(facts.split())
    assert "cell rule given" in facts
    assert "metric linear-predictivity" in facts
    head, _, *lines = table.splitlines()
    assert head.split()[:4] == ["level", "variant", "altered", "kind"]
    levels = [line.split()[0] for line in lines]
    assert {name: levels.count(name) for name in levels} == {
        "variant": 6,
        "group": 4,
        "difference": 2,
        "control": 2,
    }


def test_variants_stand_with_commas_or_again(ask: Command) -> None:
    one = ask(*PERTURBATION, "--variant", "grayscale,patch-shuffle", "--format", "json")
    two = ask(
        *(*PERTURBATION, "--variant", "grayscale", "--variant", "patch-shuffle"),
        *("--format", "json"),
    )
    assert one.content == two.content
    assert "answered before" in two.err
    rows = pl.read_json(io.BytesIO(one.content)).filter(level="variant")
    assert set(rows["variant"]) == {"grayscale", "patch-shuffle"}
    again = ask(*PERTURBATION, "--variant", "grayscale,patch-shuffle", "--force")
    assert "answered before" not in again.err


def test_the_picture_is_drawn(ask: Command, tmp_path: Path) -> None:
    for asked in (PERTURBATION, SELF):
        answer = ask(*asked, "--picture", "drawn.png")
        assert answer.code == 0
        with Image.open(tmp_path / "drawn.png") as drawn:
            assert min(drawn.size) > 300


def test_self_alignment_falls_with_the_noise(ask: Command, altered_db: Database) -> None:
    answer = ask(*SELF, "--format", "json")
    assert answer.code == 0
    expected = self_alignment(altered_db, "eye", kept=False)
    found = pl.read_json(io.BytesIO(answer.content), schema=expected.schema)
    assert_frame_equal(found, expected)
    at = found.filter(layer=1, metric="cosine", control="none")
    scores = dict(at.select("variant", "score").iter_rows())
    assert scores["grayscale"] > scores["patch-shuffle"] > scores["object-removed"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (
            "--variant greyscale",
            "no variant 'greyscale' in space 'eye' or 'tongue'; did you mean grayscale?",
        ),
        ("--variant grayscale,,", "is not names with commas between"),
        ("--altered captions", "no variant is stored in the language space 'tongue'"),
        ("--fit refitted", "refitted"),
        ("--metric mutual-knn --fit transfer", "ask for --fit refit"),
        ("--vision-layer 9", "space 'eye' has layers 0 to 1, not 9"),
        ("--folds 30", "30 folds of 40 items: each fold needs at least 2 rows; use at most 20"),
        ("--picture map.gif", "a picture is written as .svg, .png or .json"),
    ],
)
def test_what_cannot_be_done_is_told(ask: Command, options: str, words: str) -> None:
    answer = ask(*PERTURBATION, *options.split())
    assert answer.code != 0
    assert words in " ".join(answer.err.split())
    assert "Traceback" not in answer.err
    assert not answer.content


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--variant greyscale", "no variant 'greyscale' in space 'eye'; did you mean grayscale?"),
        ("--variant original", "--variant original: every other variant is compared with it"),
        ("--space eey", "no space 'eey'; did you mean eye?"),
        ("--space tongue", "space 'tongue' holds no variant"),
        ("--dataset toys", "no data set 'toys'; did you mean toy?"),
    ],
)
def test_self_alignment_refuses_in_one_line(ask: Command, options: str, words: str) -> None:
    answer = ask(*SELF, *options.split())
    assert answer.code != 0
    assert words in answer.error
