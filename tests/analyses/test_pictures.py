"""The pictures, drawn of synthetic frames: every number here is invented."""

from __future__ import annotations

import json
import math
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analyses.pictures import Picture, curve, heatmap, profile, render
from analyses.pictures.frames import checked, dashes, peak, score_domain
from analyses.pictures.theme import GREYS, RAMP, Mode, config
from vdb.errors import VdbError

HOSTILE = [
    "<script>alert(1)</script>",
    "a.b[0]",
    "it's \"quoted\" & 'odd'",
    "datum.score + 1",
    "back\\slash",
    "</svg>",
    "naïve 模型",
]


def alignment(
    score: Any = lambda v, w, _: v + 2 * w,
    *,
    vision: str = "vit",
    language: str = "gpt",
    control: str = "none",
    directions: tuple[str, ...] = ("vision->language", "language->vision"),
    shape: tuple[int, int] = (4, 3),
    metric: str = "linear-predictivity",
) -> pl.DataFrame:
    """Make a synthetic alignment frame with ``score(vision layer, language layer, direction)`` in its cells."""
    bag = control == "bag-of-words"
    return pl.DataFrame(
        [
            {
                "vision": vision,
                "language": "bag-of-words" if bag else language,
                "control": control,
                "metric": metric,
                "direction": direction,
                "vision_layer": v,
                "language_layer": w,
                "vision_layer_name": f"blocks.{v}",
                "language_layer_name": f"h[{w}].out",
                "vision_depth": v / max(shape[0] - 1, 1),
                "language_depth": w / max(shape[1] - 1, 1),
                "score": float(score(v, w, direction)),
            }
            for direction in directions
            for v in range(shape[0])
            for w in range(1 if bag else shape[1])
        ]
    )


def exemplars(scores: dict[int, float], *, control: str = "none", **columns: str) -> pl.DataFrame:
    """Make a synthetic exemplar frame with these scores by k."""
    return pl.DataFrame(
        [
            {
                "vision": "vit",
                "language": "gpt",
                "control": control,
                "average": "captions",
                "group": "concept",
                "metric": "linear-predictivity",
                "direction": "vision->language",
                "vision_layer": 3,
                "language_layer": 2,
                "k": k,
                "score": score,
                "low": score - 0.05,
                "high": score + 0.05,
                **columns,
            }
            for k, score in scores.items()
        ]
    )


def values(spec: Any) -> list[dict[str, Any]]:
    """Collect all rows that a specification draws."""
    return [row for rows in spec.get("datasets", {}).values() for row in rows]


def texts(svg: bytes) -> list[str]:
    """Collect what a picture says."""
    root = ET.fromstring(svg)  # noqa: S314 - made here
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def rectangles(svg: bytes, stroke: str) -> int:
    return len(re.findall(rf'<path [^>]*stroke="{stroke}"', svg.decode()))


def test_heatmap_draws_every_cell_and_marks_the_best_of_each_direction() -> None:
    frame = alignment(lambda v, w, d: -abs(v - 1) - abs(w - (2 if d[0] == "v" else 0)))
    picture = render(heatmap(frame))
    spec = json.loads(picture.spec)
    cells = values(spec)
    assert len(cells) == 4 * 3 * 2
    best = {(c["vision"], c["language"]) for c in cells if c["best"]}
    assert best == {(1, 2), (1, 0)}
    assert rectangles(picture.svg, config()["style"]["best"]["color"]) == 2
    assert "best 0.00 at vision 1, language 2" in texts(picture.svg)


def test_heatmap_puts_controls_on_the_same_scale_only_when_asked() -> None:
    frame = pl.concat(
        [
            alignment(lambda v, w, _: 0.1 * v * w),
            alignment(lambda v, *_: 0.9 * v, control="bag-of-words"),
            alignment(lambda *_: -0.2, control="mismatched"),
        ]
    )
    alone, beside = (json.loads(render(heatmap(frame, controls=c)).spec) for c in (False, True))
    assert len(alone["concat"]) == 2
    assert len(beside["concat"]) == 6
    domains = {
        tuple(layer["encoding"]["color"]["scale"]["domain"])
        for panel in beside["concat"]
        for layer in panel["layer"]
        if "color" in layer["encoding"]
    }
    assert len(domains) == 1
    assert domains.pop() == pytest.approx((-0.2, 2.7))


def test_heatmap_describes_itself_for_those_who_do_not_see_it() -> None:
    picture = render(heatmap(alignment(directions=("symmetric",), metric="mutual-knn")))
    assert "4 vision layers by 3 language layers" in picture.description
    assert "best at vision layer 3 and language layer 2" in picture.description
    assert "Mutual k-NN" in texts(picture.svg)


def test_no_line_of_a_tooltip_hides_another() -> None:
    frames = pl.concat([alignment(), alignment(control="bag-of-words")])
    for chart in (
        heatmap(frames, controls=True),
        profile(frames),
        curve(exemplars({1: 0.1, 2: 0.2})),
    ):
        panels = json.loads(render(chart).spec)["concat"]
        tips = [
            layer["encoding"].get("tooltip", []) for panel in panels for layer in panel["layer"]
        ]
        assert any(tips)
        for tip in tips:
            titles = [line.get("title", line["field"]) for line in tip]
            assert len(titles) == len(set(titles))


def test_profile_cuts_the_map_through_its_peak() -> None:
    frame = alignment(
        lambda v, w, _: 10 * (v == 2) * (w == 1) + v + 0.1 * w, directions=("vision->language",)
    )
    drawn = values(json.loads(render(profile(frame)).spec))
    over_vision = [r for r in drawn if r.get("other") == 1]
    assert [(r["layer"], r["score"]) for r in over_vision] == [
        (v, pytest.approx(10 * (v == 2) + v + 0.1)) for v in range(4)
    ]
    over_language = [r for r in drawn if r.get("other") == 2]
    assert [r["layer"] for r in over_language] == [0, 1, 2]
    assert [r["depth"] for r in over_language] == [0, 0.5, 1]


def test_profile_draws_twins_and_controls_grey_and_dashed() -> None:
    frame = pl.concat(
        [
            alignment(),
            alignment(language="gpt-random"),
            alignment(control="mismatched"),
            alignment(control="bag-of-words"),
        ]
    )
    spec = json.loads(render(profile(frame, untrained=["gpt-random"])).spec)
    encodings = [layer["encoding"] for panel in spec["concat"] for layer in panel["layer"]]
    coloured = {tuple(e["color"]["scale"]["domain"]) for e in encodings if "color" in e}
    dashed = {tuple(e["strokeDash"]["scale"]["domain"]) for e in encodings if "strokeDash" in e}
    assert coloured == {("vit × gpt",)}  # noqa: RUF001 - as it is drawn
    assert [len(names) for names in dashed] == [3]


def test_untrained_controls_are_told_apart_by_shade_and_dash() -> None:
    untrained = ["gpt-random", "vit-random"]
    frame = pl.concat(
        [
            alignment(),
            alignment(language="gpt-random"),
            alignment(vision="vit-random"),
            alignment(vision="vit-random", language="gpt-random"),
        ]
    )
    picture = render(profile(frame, untrained=untrained))
    looks = {
        (stroke, dash)
        for line in re.findall(r"<path [^>]*>", picture.svg.decode())
        for stroke in re.findall(r'stroke="(#\w+)"', line)
        for dash in re.findall(r'stroke-dasharray="([^"]+)"', line)
    }
    assert len({dash for _, dash in looks}) == 3
    assert {stroke for stroke, _ in looks} == set(GREYS["light"])


@pytest.mark.parametrize(
    ("directions", "columns"),
    [(("symmetric",), 3), (("vision->language", "language->vision"), 2)],
)
def test_a_map_and_its_controls_stand_in_a_regular_grid(
    directions: tuple[str, ...], columns: int
) -> None:
    frame = pl.concat(
        [
            alignment(directions=directions),
            alignment(control="bag-of-words", directions=directions),
            alignment(control="mismatched", directions=directions),
        ]
    )
    spec = json.loads(render(heatmap(frame, controls=True)).spec)
    assert spec["columns"] == columns
    assert len(spec["concat"]) % columns == 0


def test_a_map_of_a_bag_of_words_names_the_bag_that_is_best() -> None:
    frame = alignment(control="bag-of-words", directions=("symmetric",))
    told = " ".join(texts(render(heatmap(frame, controls=True)).svg))
    assert "best 3.00 at vision 3, h[0].out" in told


def test_the_best_of_a_bag_of_words_is_drawn_across() -> None:
    frame = alignment(lambda v, *_: v, control="bag-of-words", directions=("vision->language",))
    weaker = frame.with_columns(score=pl.col("score") - 1)
    both = pl.concat([weaker, frame.with_columns(language_layer=pl.lit(1, pl.Int64))])
    across = [r for r in values(json.loads(render(profile(both)).spec)) if r.get("other") == 3]
    assert [(r["depth"], r["score"]) for r in across] == [(0, 3), (1, 3)]


def test_profile_draws_the_bag_of_words_straight_across_the_language_depths() -> None:
    frame = alignment(lambda v, *_: v, control="bag-of-words", directions=("vision->language",))
    spec = json.loads(render(profile(frame)).spec)
    across = [r for r in values(spec) if r.get("other") == 3]
    assert [(r["depth"], r["score"]) for r in across] == [(0, 3), (1, 3)]


def test_curve_has_a_log2_axis_with_a_tick_at_each_k_and_its_interval() -> None:
    frame = pl.concat(
        [exemplars({1: 0.2, 2: 0.4, 8: 0.6}), exemplars({1: 0.0, 8: 0.0}, control="mismatched")]
    )
    picture = render(curve(frame))
    spec = json.loads(picture.spec)
    x = next(
        layer["encoding"]["x"] for layer in spec["concat"][0]["layer"] if "x" in layer["encoding"]
    )
    assert x["scale"]["type"] == "log"
    assert x["scale"]["base"] == 2
    assert x["axis"]["values"] == [1, 2, 8]
    drawn = {
        (r["k"], r["low"], r["high"]) for r in values(spec) if r.get("series", "").endswith("gpt")
    }
    assert drawn == {(1, 0.15, 0.25), (2, 0.35, 0.45), (8, 0.55, 0.65)}
    assert "captions averaged" in texts(picture.svg)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_drawn_as_they_are(name: str) -> None:
    frame = alignment(vision=name, language=name).with_columns(vision_layer_name=pl.lit(name))
    for picture in (
        render(heatmap(frame)),
        render(profile(frame)),
        render(curve(exemplars({1: 0.1, 2: 0.2}, vision=name, language=name))),
    ):
        assert any(name in text for text in texts(picture.svg)), texts(picture.svg)
        assert b"<script" not in picture.svg
        assert picture.png.startswith(b"\x89PNG")
    plain = render(heatmap(alignment()))
    hostile = render(heatmap(frame))
    assert hostile.svg.count(b"<path") == plain.svg.count(b"<path"), "a cell went missing"


def test_the_same_chart_gives_the_same_bytes() -> None:
    assert render(heatmap(alignment())) == render(heatmap(alignment()))
    assert isinstance(render(heatmap(alignment())), Picture)


def test_pictures_refer_to_nothing_outside() -> None:
    for picture in (render(heatmap(alignment())), render(profile(alignment()))):
        assert not re.search(rb'(?:href|src)="', picture.svg)
        assert b"url(http" not in picture.svg
        assert '"url"' not in picture.spec


def test_what_cannot_be_drawn_is_refused_by_name() -> None:
    with pytest.raises(VdbError, match="no rows"):
        heatmap(alignment().clear())
    with pytest.raises(VdbError, match="no column vision_depth"):
        profile(alignment().drop("vision_depth"))
    with pytest.raises(VdbError, match=r"1 scores are not finite.*vit x gpt, layers 2 and 1"):
        heatmap(
            alignment(
                lambda v, w, _: math.nan if (v, w) == (2, 1) else 0, directions=("symmetric",)
            )
        )
    with pytest.raises(VdbError, match="linear-predictivity, mutual-knn cannot share"):
        heatmap(pl.concat([alignment(), alignment(metric="mutual-knn")]))
    with pytest.raises(VdbError, match="average of captions, average of images"):
        curve(pl.concat([exemplars({1: 0.1}), exemplars({1: 0.1}, average="images")]))


def test_a_missing_score_is_refused_like_one_that_is_not_a_number() -> None:
    frame = alignment().with_columns(score=pl.when(pl.col("vision_layer") > 0).then("score"))
    with pytest.raises(VdbError, match="not finite"):
        checked(frame, ["score"], "heatmap")


@given(st.lists(st.floats(-1, 1), min_size=1, max_size=12))
def test_the_scale_spans_the_scores_and_zero(scores: list[float]) -> None:
    low, high = score_domain(pl.Series(scores))
    assert low <= 0 <= high
    assert low < high
    assert low <= min(scores)
    assert max(scores) <= high


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=6, max_size=6), st.randoms())
def test_the_peak_does_not_depend_on_the_order_of_rows(scores: list[float], random: Any) -> None:
    frame = alignment(lambda v, w, _: scores[3 * v + w], shape=(2, 3), directions=("symmetric",))
    order = list(range(6))
    random.shuffle(order)
    best = peak(frame[order])
    assert best["score"] == max(scores)
    assert 3 * best["vision_layer"] + best["language_layer"] == scores.index(max(scores))


def _lab(colour: str) -> tuple[float, float, float]:
    """CIELAB of an sRGB colour under D65, as IEC 61966-2-1 and CIE 15 define them."""
    r, g, b = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    x = (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.95047
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    z = (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.08883
    fx, fy, fz = (
        v ** (1 / 3) if v > (6 / 29) ** 3 else v / (3 * (6 / 29) ** 2) + 4 / 29 for v in (x, y, z)
    )
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_the_colour_map_is_perceptually_uniform(mode: Mode) -> None:
    points = [_lab(colour) for colour in RAMP[mode]]
    steps = [math.dist(p, q) for p, q in pairwise(points)]
    assert max(steps) / min(steps) < 1.1
    lightness = [p[0] for p in points]
    assert lightness == sorted(lightness, reverse=mode == "light")


def test_no_two_of_the_first_dashes_are_alike() -> None:
    assert len({tuple(dash) for dash in dashes(6)}) == 6
    assert len(dashes(9)) == 9
