"""The pictures of a perturbation: what stands where, and what cannot be drawn."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from analyses.pictures import render
from analyses.pictures.perturbation import delta_bars, delta_heatmaps
from vdb.errors import VdbError


@pytest.fixture
def frame(perturbed_frame: pl.DataFrame) -> pl.DataFrame:
    return perturbed_frame


def test_bars_stand_by_kind_the_cheapest_first_and_their_mean_last(frame: pl.DataFrame) -> None:
    chart = delta_bars(frame.filter(altered="images")).to_dict()
    assert [panel["title"]["text"] for panel in chart["concat"]] == [
        "map of the originals",
        "fitted again",
    ] * 2
    order = chart["concat"][0]["layer"][0]["encoding"]["y"]["sort"]
    assert order == [
        *("same", "little", "mean, appearance"),
        *("turned", "noise", "mean, semantic"),
        "some",
    ]


def test_bars_hold_the_frames_numbers(frame: pl.DataFrame) -> None:
    chart = delta_bars(frame).to_dict()
    panel = chart["concat"][0]
    kinds = [layer["mark"]["type"] for layer in panel["layer"]]
    assert kinds == ["bar", "rule", "point", "rule", "rule"]
    drawn = chart["datasets"][panel["layer"][0]["data"]["name"]]
    rows = {row["label"]: row for row in drawn}
    expected = frame.filter(
        scope="cell", variant="noise", fit="transfer", direction="vision->language"
    ).row(0, named=True)
    found = rows["noise (images)"]
    for name in ("delta", "low", "high"):
        assert found[name] == pytest.approx(expected[name], abs=1e-6)
    assert found["kind"] == "semantic"
    at = {"scope": "cell", "fit": "transfer", "direction": "vision->language"}
    floor = frame.filter(level="control", **at)["delta"].item()
    assert panel["layer"][-1]["encoding"]["x"]["datum"] == pytest.approx(floor)


def test_maps_have_no_change_in_the_middle_of_one_scale(frame: pl.DataFrame) -> None:
    chart = delta_heatmaps(frame).to_dict()
    assert len(chart["concat"]) == (6 + 1) * 2
    assert chart["concat"][-1]["title"]["text"] == "mismatched pairs"
    scales = [panel["encoding"]["color"]["scale"] for panel in chart["concat"]]
    furthest = frame.filter(scope="map", fit="transfer")["delta"].abs().max()
    assert all(one["domain"] == pytest.approx([-furthest, furthest]) for one in scales)
    assert {one["domainMid"] for one in scales} == {0}
    few = delta_heatmaps(frame, variants=["little"], fit="refit").to_dict()
    assert {panel["title"]["text"] for panel in few["concat"]} == {"little", "mismatched pairs"}


def test_pictures_say_of_whom_of_what_and_where_they_speak(frame: pl.DataFrame) -> None:
    for draw, where in (
        (delta_bars, ["vision layer 1, language layer 1, n = 160 to 240", "given"]),
        (delta_heatmaps, ["map of the originals, n = 240"]),
    ):
        title = draw(frame).to_dict()["title"]
        assert title["text"] == "eye \u00d7 tongue"
        assert title["subtitle"] == ["change of linear predictivity (r)", *where]


@pytest.mark.parametrize("draw", [delta_bars, delta_heatmaps])
def test_a_hostile_name_stays_a_value(frame: pl.DataFrame, draw: Any) -> None:
    name = "<script>a.b[0]</script>"
    picture = render(draw(frame.with_columns(variant=pl.lit(name), vision=pl.lit(name))))
    assert b"<script" not in picture.svg
    assert name in json.loads(picture.spec)["description"]


@pytest.mark.parametrize("draw", [delta_bars, delta_heatmaps])
def test_what_cannot_be_drawn_is_said(frame: pl.DataFrame, draw: Any) -> None:
    with pytest.raises(VdbError, match="has no column delta"):
        draw(frame.drop("delta"))
    with pytest.raises(VdbError, match="has no rows"):
        draw(frame.clear())
    twice = pl.concat([frame, frame.with_columns(metric=pl.lit("mutual-knn"))])
    with pytest.raises(VdbError, match="cannot share one scale"):
        draw(twice)
