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
from analyses.report import newest, random_twins, report_of, untrained_spaces
from analyses.report.store import widest
from vdb import books
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from vdb.database import Database

HOSTILE = '"><img src=x onerror=alert(1)></script><script>alert(2)</script>'


def average(db: Database, scores: dict[int, float], *, layer: int = 0) -> None:
    """Keep a curve with these scores by k, of layers that were given."""
    rows = [
        {
            "vision": "eye",
            "language": "tongue",
            "control": "none",
            "average": "both",
            "group": "concept",
            "metric": "linear-predictivity",
            "direction": "vision->language",
            "vision_layer": layer,
            "language_layer": 0,
            "vision_layer_name": f"blocks.{layer}",
            "language_layer_name": "h.0",
            "cell_rule": "given",
            "k": k,
            "score": score,
            "low": score - 0.05,
            "high": score + 0.05,
            "n": 50,
            "left_out": 0,
            "draws": 3,
            "folds": 5,
            "seed": 0,
            "vision_fingerprint": "e" * 16,
            "language_fingerprint": "t" * 16,
        }
        for k, score in scores.items()
    ]
    with books.run(db, "vdb analyze exemplar-avg", {"datasets": []}, 0) as run_id:
        db.keep_result("exemplar-avg", pl.DataFrame(rows), run_id)


def ask(
    db: Database,
    score: float,
    *,
    language: str = "tongue",
    n: int = 50,
    seed: int = 0,
    datasets: Sequence[str] = (),
    first: float | None = 0.0,
) -> None:
    """Keep an alignment map in which every cell has one score, and where ``first`` is None the first layer has none."""
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
            "score": None if first is None and i == 0 else score,
            "fold_scores": None if first is None and i == 0 else [score] * 5,
            "alphas": [1.0] * 5,
            "n": n,
            "groups": 50,
            "unmatched": 0,
            "folds": 5,
            "seed": seed,
            "vision_fingerprint": "e" * 16,
            "language_fingerprint": "t" * 16,
            "captions": "one",
        }
        for direction in ("vision->language", "language->vision")
        for i in range(2)
        for j in range(3)
    ]
    with books.run(
        db, f"vdb analyze alignment --seed {score}", {"datasets": list(datasets)}, 0
    ) as run_id:
        db.keep_result("alignment", pl.DataFrame(cells, infer_schema_length=None), run_id)


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
    db.create_space("m-seed-1", replace(twin, weights="random-init:seed=1"))
    assert random_twins(db) == {"m": ["m-random", "m-seed-1"]}
    assert untrained_spaces(db) == {
        "m-random",
        "m-seed-1",
        "other-pooling-random",
        "other-model-random",
    }


def test_a_run_on_other_items_or_settings_replaces_nothing(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    ask(db, 0.25)
    ask(db, 0.5, n=10)
    ask(db, 0.75, seed=1)
    ask(db, 0.375, datasets=["other"])
    rows = newest(db, "alignment")
    assert rows is not None
    kept = rows.select("n", "seed", "datasets", "score").unique().sort("score").rows()
    assert kept == [
        (50, 0, "all", 0.25),
        (50, 0, "other", 0.375),
        (10, 0, "all", 0.5),
        (50, 1, "all", 0.75),
    ]
    ask(db, 0.125)
    again = newest(db, "alignment")
    assert again is not None
    assert 0.25 not in again["score"]
    assert again["score"].n_unique() == 4


def test_each_setting_has_a_picture_and_a_finding_of_its_own(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    ask(db, 0.25)
    ask(db, 0.5, n=10)
    page = report_of(db, tmp_path / "report.html").read_text(encoding="utf-8")
    for told in (
        "linear-predictivity (n 50)",
        "linear-predictivity (n 10)",
        "predictivity (r), n 10",
    ):
        assert told in page


def test_the_rows_of_two_curves_are_never_mixed(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    average(db, {1: 0.1, 8: 0.2})
    average(db, {1: 0.3, 2: 0.4})
    average(db, {1: 0.5, 8: 0.6})
    rows = newest(db, "exemplar-avg")
    assert rows is not None
    found = {
        ks: dict(part.select("k", "score").iter_rows()) for (ks,), part in rows.group_by(["ks"])
    }
    assert found == {"1, 2": {1: 0.3, 2: 0.4}, "1, 8": {1: 0.5, 8: 0.6}}
    report_of(db, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert page.count("(k 1, 8)</h2>") == page.count("(k 1, 2)</h2>") == 1


def test_layers_that_were_given_are_another_question_each(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    average(db, {1: 0.1, 8: 0.2}, layer=1)
    average(db, {1: 0.3, 8: 0.4}, layer=2)
    rows = newest(db, "exemplar-avg")
    assert rows is not None
    assert set(rows["cell"]) == {"given: 1 and 0", "given: 2 and 0"}


def test_a_cell_without_a_score_does_not_keep_the_report_from_being_written(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    ask(db, 0.25, first=None)
    page = report_of(db, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "every layer against every layer" in page


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


def alter(
    db: Database, delta: float, variants: Sequence[str] | None, altered: int = 1, **also: object
) -> None:
    """Keep a perturbation of so many alterations, all of one delta."""
    told = {"vision": "eye", "language": "tongue", "datasets": [], "variants": variants, **also}
    row = {
        "scope": "cell",
        "level": "variant",
        "vision": "eye",
        "language": "tongue",
        "control": "none",
        "altered": "images",
        "kind": "semantic",
        "fit": "refit",
        "metric": "mutual-knn",
        "direction": "symmetric",
        "vision_layer": also.get("vision_layer", 1),
        "language_layer": 0,
        "cell_rule": "given",
        "captions": "one",
        "folds": 5,
        "seed": 0,
        "delta": delta,
        "low": delta - 0.01,
        "high": delta + 0.01,
        "variants": 1,
        "n": 50,
    }
    rows = [{**row, "variant": f"change-{i}"} for i in range(altered)]
    marks = {"question": f"mark of {delta}", "columns": list(row)}
    with books.run(db, f"vdb analyze perturbation {delta}", {**told, **marks}, 0) as run_id:
        db.keep_result("perturbation", pl.DataFrame(rows), run_id)


def test_a_narrower_run_replaces_nothing_and_claims_read_the_widest(tmp_path: Path) -> None:
    db = vdb.open(tmp_path / "study", create=True)
    alter(db, -0.1, None, 3)
    alter(db, -0.2, None, 3)
    alter(db, -0.3, ["change-0"])
    alter(db, -0.4, None, 2, vision_layer=2)
    rows = newest(db, "perturbation")
    assert rows is not None
    assert rows["delta"].unique().sort().to_list() == [-0.4, -0.3, -0.2]
    read = widest(rows, "perturbation")
    assert read.group_by("delta").len().sort("delta").rows() == [(-0.4, 2), (-0.2, 3)]
    page = report_of(db, tmp_path / "report.html").read_text(encoding="utf-8")
    assert "what alterations cost, mutual-knn (variants change-0, vision layer not given)" in page
    assert "mutual-knn (variants not given, vision layer 2)" in page
