"""The report of a store: the newest answer to each question, twins known by recipe, images that can be shown."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

import vdb
from analyses.report import newest, random_twins, report_of
from vdb import books
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from pathlib import Path

    from vdb.database import Database

HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>'


def ask(db: Database, score: float, *, language: str = "tongue") -> None:
    """Keep an alignment map in which every cell has one score."""
    cells = [
        {
            "vision": "eye",
            "language": language,
            "control": "none",
            "metric": "linear-predictivity",
            "direction": direction,
            "vision_layer": i,
            "language_layer": j,
            "vision_layer_name": f"blocks.{i}",
            "language_layer_name": f"h.{j}",
            "vision_depth": (i + 1) / 2,
            "language_depth": j / 2,
            "score": score,
            "fold_scores": [score] * 5,
            "alphas": [1.0] * 5,
            "n": 50,
            "groups": 50,
            "unmatched": 0,
            "folds": 5,
            "seed": 0,
            "vision_fingerprint": "e" * 16,
            "language_fingerprint": "t" * 16,
            "captions": "one",
        }
        for direction in ("vision->language", "language->vision")
        for i in range(2)
        for j in range(3)
    ]
    with books.run(db, f"vdb analyze alignment --seed {score}", {}, 0) as run_id:
        db.keep_result("alignment", pl.DataFrame(cells), run_id)


def test_the_newest_answer_to_each_question_is_shown(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    assert newest(db, "alignment") is None
    ask(db, 0.25)
    ask(db, 0.125, language="other")
    ask(db, 0.5)
    rows = newest(db, "alignment")
    assert rows is not None
    scores = dict(rows.select("language", "score").unique().iter_rows())
    assert scores == {"tongue": 0.5, "other": 0.125}
    commands = rows.filter(pl.col("language") == "tongue")["command"].unique().to_list()
    assert commands == ["vdb analyze alignment --seed 0.5"]


def test_a_twin_differs_in_its_weights_alone(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    recipe = Recipe(
        model="m",
        library="timm",
        source="repo",
        revision="abc",
        weights="pretrained",
        modality="image",
        pooling="cls",
        dtype="float32",
        stored_dtype="float16",
        layers=(Layer("blocks.0", 4, 1.0),),
    )
    twin = replace(recipe, weights="random-init:seed=0", revision="")
    db.create_space("m", recipe)
    db.create_space("m-random", twin)
    db.create_space("other-pooling-random", replace(twin, pooling="mean"))
    db.create_space("other-model-random", replace(twin, source="elsewhere"))
    assert random_twins(db) == {"m": "m-random"}


def test_nothing_asked_is_said_in_one_line(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    with pytest.raises(vdb.NotFoundError, match=r"nothing was asked of .*`vdb analyze alignment`"):
        report_of(db, tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


class Elements(HTMLParser):
    """Collects what a page is made of."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[str] = []
        self.scripts = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag == "img":
            self.images.append(str(found.get("src")))
            assert "onerror" not in found
        if tag == "script" and found.get("type") in (None, "text/javascript"):
            self.scripts += 1


def test_captions_stay_text_and_unreadable_images_are_left_out(tmp_path: Path) -> None:
    from PIL import Image  # noqa: PLC0415

    from vdb.items import add  # noqa: PLC0415

    db = vdb.open(tmp_path / "study", create=True)
    pixels = np.arange(300, dtype=np.uint8).reshape(10, 10, 3)
    Image.fromarray(pixels).save(tmp_path / "good.png")
    (tmp_path / "bad.png").write_bytes(b"<html>")
    of_all = {"dataset": ["d", "d"], "source": ["here", "here"]}
    names = ["good", "bad"]
    add(
        db,
        {
            "images": pl.DataFrame(
                {
                    "image_id": names,
                    "concept_id": pl.Series([None, None], dtype=pl.String),
                    "uri": [str(tmp_path / f"{name}.png") for name in names],
                    "sha256": names,
                    **of_all,
                }
            ),
            "captions": pl.DataFrame(
                {
                    "caption_id": names,
                    "concept_id": pl.Series([None, None], dtype=pl.String),
                    "text": [HOSTILE, HOSTILE],
                    "gloss": pl.Series([HOSTILE, None], dtype=pl.String),
                    **of_all,
                }
            ),
            "pairs": pl.DataFrame({"image_id": names, "caption_id": names, **of_all}),
        },
    )
    ask(db, 0.5)
    report_of(db, tmp_path / "report.html", notes=[HOSTILE])
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    parsed = Elements()
    parsed.feed(page)
    assert all(source.startswith("data:") for source in parsed.images)
    assert sum(source.startswith("data:image/png") for source in parsed.images) == 1
    assert parsed.scripts == 2
    assert "alert(2)" in page
    versions = json.loads(db.runs().select("versions").collect()["versions"][0])
    assert versions["polars"] in page
