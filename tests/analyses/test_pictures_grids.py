"""Pictures of many pairs of spaces, drawn of synthetic frames: every number here is invented."""

from __future__ import annotations

import json
from itertools import product
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest

from analyses.peaks import peaks
from analyses.pictures import profile, render
from analyses.pictures.peaks import depth_square
from analyses.pictures.size import size
from analyses.report.sections import sections, size_sections
from vdb.errors import VdbError

if TYPE_CHECKING:
    from vdb.database import Database

VISIONS, LANGUAGES = ("v-a", "v-b", "v-c"), ("t-a", "t-b", "t-c")
SIZES = {"v-a": 10**6, "v-b": 10**7, "v-c": 10**8, "t-a": 2 * 10**6, "t-b": 10**9, "t-c": None}


def cells(vision: str, language: str, control: str = "none", best: float = 0.5) -> pl.DataFrame:
    """Make a map of 3 x 2 layers whose best cell is (1, 1)."""
    return pl.DataFrame(
        [
            {
                "vision": vision,
                "language": language,
                "control": control,
                "metric": "cka",
                "direction": "symmetric",
                "vision_layer": v,
                "language_layer": w,
                "vision_layer_name": f"v{v}",
                "language_layer_name": f"w{w}",
                "vision_depth": v / 2,
                "language_depth": float(w),
                "score": best - (v, w).count(0) / 10 - (v == 2) / 10,
                "fold_scores": [best - (v, w).count(0) / 10 - (v == 2) / 10] * 2,
                "n": 20,
            }
            for v in range(3)
            for w in range(2)
        ]
    )


def grid() -> pl.DataFrame:
    pairs = list(product(VISIONS, LANGUAGES))
    return pl.concat(
        [cells(*pair) for pair in pairs]
        + [cells(*pair, control="mismatched", best=-0.2) for pair in pairs]
        + [cells("v-a", f"{name}-random", best=0.1) for name in LANGUAGES]
        + [cells("v-a", "bag-of-words", control="bag-of-words", best=0.2)]
    )


UNTRAINED = [f"{name}-random" for name in LANGUAGES]


def sizes() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "vision": v,
                "language": t,
                "metric": "cka",
                "direction": "symmetric",
                "vision_parameters": SIZES[v],
                "language_parameters": SIZES[t],
                "score": i / 10 + j / 100,
                "vision_rho": 1.0,
                "vision_models": 3,
                "language_rho": None,
                "language_models": 2,
            }
            for (i, v), (j, t) in product(enumerate(VISIONS), enumerate(LANGUAGES))
        ]
    )


def drawn(spec: Any) -> list[dict[str, Any]]:
    return [row for rows in spec["datasets"].values() for row in rows]


def test_a_profile_of_nine_pairs_tells_them_all_apart_and_controls_by_kind() -> None:
    spec = json.loads(render(profile(grid(), untrained=UNTRAINED)).spec)
    encodings = [layer["encoding"] for panel in spec["concat"] for layer in panel["layer"]]
    scales = [e["shape"]["scale"] for e in encodings if "shape" in e]
    names, shapes = scales[0]["domain"], scales[0]["range"]
    looks = {(i % 6, shape) for i, shape in enumerate(shapes)}
    assert len(names) == len(looks) == 9
    told = {tuple(e["strokeDash"]["scale"]["domain"]) for e in encodings if "strokeDash" in e}
    assert [sorted(kinds) for kinds in told] == [
        ["bag of words", "mismatched", "with an untrained model"]
    ]
    # Each control is a line of its own still.
    assert all(e["detail"]["field"] == "series" for e in encodings if "strokeDash" in e)
    assert len({row["series"] for row in drawn(spec) if row.get("kind") == "mismatched"}) == 9


def test_peaks_lie_at_their_depths_and_no_score_is_smallest() -> None:
    picture = render(depth_square(peaks(grid()), "cka", untrained=UNTRAINED))
    spec = json.loads(picture.spec)
    rows = drawn(spec)
    assert len(rows) == 9 + 9 + 3
    assert {(row["vision"], row["language"]) for row in rows} == {(0.5, 1.0)}
    found = {row["series"] for row in rows if not row["grey"]}
    assert found == {f"{v} × {t}" for v, t in product(VISIONS, LANGUAGES)}  # noqa: RUF001 - as drawn
    shown = {row["score"]: row["shown"] for row in rows}
    assert shown == pytest.approx({0.5: 0.5, 0.1: 0.1, -0.2: 0.0})
    sized = spec["concat"][0]["layer"][0]["encoding"]["size"]
    assert sized["scale"]["domain"] == pytest.approx([0, 0.5])
    assert sized["title"] == "CKA, held out"
    assert "0.50 at 0.50 (vision) and 1.00 (language)" in picture.description


def test_peaks_refuse_what_has_no_cell() -> None:
    with pytest.raises(VdbError, match="no column held_out"):
        depth_square(grid(), "cka")
    with pytest.raises(VdbError, match="no best cell"):
        depth_square(peaks(grid()).clear(), "cka")


def test_size_puts_each_model_at_the_mean_over_the_other_side() -> None:
    picture = render(size(sizes()))
    spec = json.loads(picture.spec)
    vision, language = spec["concat"]
    assert vision["title"]["subtitle"] == "Spearman's rho 1.00 over 3 models"
    assert language["title"]["subtitle"] == "2 models"  # of unknown size is no point
    models = {row["model"]: (row["size"], row["score"]) for row in drawn(spec) if "model" in row}
    assert models == {
        "v-a": (10**6, pytest.approx(0.01)),
        "v-b": (10**7, pytest.approx(0.11)),
        "v-c": (10**8, pytest.approx(0.21)),
        "t-a": (2 * 10**6, pytest.approx(0.1)),
        "t-b": (10**9, pytest.approx(0.11)),
    }
    axes = [layer["encoding"]["x"] for layer in vision["layer"] if "x" in layer["encoding"]]
    assert {axis["scale"]["type"] for axis in axes} == {"log"}
    assert "Held-out CKA" in picture.description


def test_size_refuses_what_has_no_size() -> None:
    unknown = sizes().with_columns(vision_parameters=pl.lit(None, pl.Int64))
    with pytest.raises(VdbError, match="no trained vision model whose weights are counted"):
        size(unknown)
    with pytest.raises(VdbError, match="no column score"):
        size(sizes().drop("score"))


def test_a_report_of_several_pairs_sets_them_side_by_side_and_of_one_does_not() -> None:
    run = {"command": "vdb analyze alignment", "started_at": "2026", "datasets": "[]"}
    several, one = (
        frame.with_columns([pl.lit(value).alias(name) for name, value in run.items()])
        for frame in (grid(), pl.concat([cells("v-a", "t-a"), cells("v-a", "t-a-random")]))
    )
    titles = [section.title for section in sections({"alignment": several}, UNTRAINED)]
    assert "Peaks by model, cka" in titles
    titles = [section.title for section in sections({"alignment": one}, UNTRAINED)]
    assert not [title for title in titles if title.startswith("Peaks")]
    spaces = pl.LazyFrame({"space": list(SIZES)})
    store = cast(
        "Database",
        SimpleNamespace(
            spaces=lambda: spaces,
            space=lambda name: SimpleNamespace(
                recipe=SimpleNamespace(weights="pretrained", parameters=SIZES[name])
            ),
        ),
    )
    (section,) = size_sections(store, several)
    assert section.title == "Alignment against model size, cka"
    assert "Not drawn, for nobody counted their weights: t-c." in " ".join(section.text)
    assert not list(size_sections(store, one))
