"""The demo as a newcomer runs it, at a smaller size: a world, four models, four questions, a report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

import vdb
from analyses.alignment import peaks
from analyses.report import newest, random_twins
from cli.demo_questions import VARIANTS

SIZE = ["--scenes", "120", "--concepts", "30"]
CELLS = 6 * 7
TRIALS = 240


def run_vdb(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("vdb")), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=400)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    output = tmp_path_factory.mktemp("demo") / "made"
    done = run_vdb("demo", "--output", str(output), *SIZE)
    assert done.returncode == 0, done.stderr
    return output


@pytest.mark.slow
def test_every_item_is_stored_under_every_model(demo: Path) -> None:
    db = vdb.open(demo / "study")
    images, captions = 120 + 30 * 8 + 2 * TRIALS, 2 * 120 + 30 * 8 + 2 * TRIALS
    assert db.images().collect().height == images
    assert db.captions().collect().height == captions
    altered = {
        space: dict.fromkeys(names, of)
        for (space, names), of in zip(VARIANTS.items(), (120, 120, 240), strict=True)
    }
    assert db.space("demo-vision").counts() == {"original": images, **altered["demo-vision"]}
    assert db.space("demo-language").counts() == {"original": captions, **altered["demo-language"]}
    twin = db.space("demo-vision-random").counts()
    assert twin == {"original": images, **altered["demo-vision-random"]}
    assert db.space("demo-language-random").counts() == {"original": captions}
    assert db.failures().collect().is_empty()
    assert db.segments().filter(pl.col("is_thing")).collect().height > 360


@pytest.mark.slow
def test_the_twins_are_known_by_their_recipes(demo: Path) -> None:
    twins = random_twins(vdb.open(demo / "study"))
    assert twins == {
        "demo-vision": ["demo-vision-random"],
        "demo-language": ["demo-language-random"],
    }


@pytest.mark.slow
def test_trained_models_align_above_every_control(demo: Path) -> None:
    maps = newest(vdb.open(demo / "study"), "alignment")
    assert maps is not None
    assert maps.filter(pl.col("control") == "none").height == CELLS * 3 * 4
    found = peaks(maps.filter(pl.col("metric") == "linear-predictivity"))
    forward = found.filter(pl.col("direction") == "vision->language").sort("score", descending=True)
    trained = forward.row(0, named=True)
    assert (trained["vision"], trained["language"], trained["control"]) == (
        "demo-vision",
        "demo-language",
        "none",
    )
    assert trained["held_out"] > forward["held_out"][1:].max()


@pytest.mark.slow
def test_what_is_shown_matters_and_its_colour_does_not(demo: Path) -> None:
    rows = vdb.open(demo / "study").result("perturbation").filter(scope="cell").collect()
    asked = rows.select("vision", "language").unique()
    assert len(asked) == 3  # the twin of one side at a time
    images = rows.filter(
        pl.col("altered") == "images",
        pl.col("vision") == "demo-vision",
        pl.col("language") == "demo-language",
    )
    differences = images.filter(pl.col("level") == "difference")
    assert len(differences) == 2 * 2  # fits, directions
    assert (differences["high"] < 0).all()
    colour = images.filter(pl.col("variant").is_in(["grayscale", "hue"]))
    assert (colour["delta"].abs() < 0.1 * colour["score_original"]).all()


@pytest.mark.slow
def test_the_right_image_is_chosen_more_often_than_by_any_control(demo: Path) -> None:
    rows = vdb.open(demo / "study").result("forced-choice").filter(scope="cell").collect()
    usual = rows.filter(direction="text-to-image", fit="language->vision")
    own = usual.filter(vision="demo-vision", language="demo-language", control="none")
    assert own["low"].item() > 0.5
    others = usual.join(own, on=["vision", "language", "control"], how="anti")
    assert len(others) == 4  # two twins, a bag of words, mismatched pairs
    assert own["score"].item() > max(others["score"].to_list())


@pytest.mark.slow
def test_the_report_stands_alone_and_names_what_is_not_shown(demo: Path) -> None:
    page = (demo / "report.html").read_text(encoding="utf-8")
    assert len(page) < 3_500_000
    for told in ("bag of words", "random-init", "mismatched", "What it does not show", "invented"):
        assert told in page
    gloss = vdb.open(demo / "study").captions().select("gloss").collect()["gloss"]
    assert gloss.null_count() == 0
    assert any(text in page for text in gloss)


@pytest.mark.slow
def test_the_same_command_again_runs_no_model_and_asks_nothing_twice(demo: Path) -> None:
    asked = _asked(demo)
    assert asked == 2 * 4 + 4 + 3 + 3  # maps by two metrics, curves, alterations, choices
    again = run_vdb("demo", "--output", str(demo), *SIZE)
    assert again.returncode == 0, again.stderr
    assert "to do" not in "".join(
        line for line in again.stderr.splitlines() if line.startswith("demo-") and " x " not in line
    )
    assert _asked(demo) == asked


def _asked(demo: Path) -> int:
    runs = vdb.open(demo / "study").runs().filter(pl.col("command").str.contains("analyze"))
    return runs.collect().height


def test_a_directory_that_holds_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    refused = run_vdb("demo", "--output", str(tmp_path), "--force")
    assert refused.returncode == 1
    assert "no demo" in refused.stderr
    assert (tmp_path / "thesis.tex").read_text() == "years of work"


def test_the_shipped_models_answer_to_their_names() -> None:
    from ingest.encoders import EncoderOptions, load_encoder  # noqa: PLC0415

    vision = load_encoder("demo:vision", EncoderOptions(device="cpu"))
    assert vision.recipe.model == "demo-vision"
    assert [layer.width for layer in vision.recipe.layers] == [128] * 6
    with pytest.raises(vdb.NotFoundError, match="did you mean vision"):
        load_encoder("demo:visoin", EncoderOptions(device="cpu"))
