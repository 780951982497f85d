"""Perturbation of a store whose variants are known, by numbers that can be told beforehand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from scipy.stats import false_discovery_control

from analyses.alignment import alignment
from analyses.perturbation import perturbation

if TYPE_CHECKING:
    from vdb.database import Database

N = 240
GIVEN: dict[str, Any] = {"vision_layer": 1, "language_layer": 1, "kept": False}
KINDS = ["same", "little", "turned", "noise"]


@pytest.fixture
def db(perturbed: Database) -> Database:
    return perturbed


@pytest.fixture
def frame(perturbed_frame: pl.DataFrame) -> pl.DataFrame:
    return perturbed_frame


def cell(frame: pl.DataFrame, variant: str, fit: str, **also: Any) -> pl.DataFrame:
    return frame.filter(scope="cell", variant=variant, fit=fit, **also)


@pytest.mark.parametrize("fit", ["transfer", "refit"])
@pytest.mark.parametrize("variant", ["same", "some", "said-so"])
def test_vectors_that_did_not_change_cost_nothing(
    frame: pl.DataFrame, variant: str, fit: str
) -> None:
    rows = cell(frame, variant, fit)
    assert set(rows["direction"]) == {"vision->language", "language->vision"}
    for column in ("delta", "low", "high"):
        assert rows[column].to_list() == pytest.approx([0, 0], abs=1e-6)
    assert rows["retained"].to_list() == pytest.approx([1, 1], abs=1e-5)
    maps = frame.filter(scope="map", variant=variant, fit=fit)
    assert len(maps) == 2 * 2 * 2
    assert maps["delta"].to_list() == pytest.approx([0] * 8, abs=1e-6)


@pytest.mark.parametrize("fit", ["transfer", "refit"])
@pytest.mark.parametrize("variant", ["noise", "babble"])
def test_noise_collapses_to_the_mismatched_floor(
    frame: pl.DataFrame, variant: str, fit: str
) -> None:
    for row in cell(frame, variant, fit).iter_rows(named=True):
        assert row["score_altered"] == pytest.approx(0, abs=0.12)
        assert row["floor"] == pytest.approx(0, abs=0.12)
        assert row["delta"] == row["score_altered"] - row["score_original"]
        assert row["high"] < -0.4
        assert row["p"] == pytest.approx(2 / 1001)
        assert row["retained_low"] < 0.1 < row["score_original"]
        assert row["retained"] == pytest.approx(
            (row["score_altered"] - row["floor"]) / (row["score_original"] - row["floor_original"])
        )


def test_a_turned_space_keeps_all_when_refitted_and_nothing_of_the_old_map(
    frame: pl.DataFrame,
) -> None:
    """Ridge does not see a rotation but for the scaling of units: least squares with 192 rows on 6 units."""
    refit, transfer = (cell(frame, "turned", fit) for fit in ("refit", "transfer"))
    images = refit.filter(direction="vision->language")
    assert images["delta"].item() == pytest.approx(0, abs=0.01)
    assert images["retained"].item() == pytest.approx(1, abs=0.02)
    assert (transfer["high"] < -0.3).all()


def test_the_closed_form_of_added_noise(frame: pl.DataFrame) -> None:
    """Image x, caption (x + 0.7 e) R, altered image x + 0.5 f: r = 1 / sqrt((1 + .49) (1 + .25))."""
    for fit in ("transfer", "refit"):
        for row in cell(frame, "little", fit, direction="vision->language").iter_rows(named=True):
            assert row["score_original"] == pytest.approx(1 / np.sqrt(1.49), abs=0.05)
            assert row["score_altered"] == pytest.approx(1 / np.sqrt(1.49 * 1.25), abs=0.06)
            assert row["low"] < row["delta"] < row["high"] < 0


def test_the_maps_are_those_of_alignment(db: Database, frame: pl.DataFrame) -> None:
    keys = ["direction", "vision_layer", "language_layer"]
    expected = alignment(db, "eye", "tongue", controls=(), kept=False).select(*keys, "score")
    for variant in ("noise", "babble"):
        maps = frame.filter(scope="map", variant=variant)
        joined = maps.join(expected, on=keys, how="left")
        assert len(joined) == 2 * 8
        assert joined["score_original"].to_list() == pytest.approx(
            joined["score"].to_list(), abs=1e-6
        )
    at = pl.col("vision_layer").eq(1) & pl.col("language_layer").eq(1)
    both = ["variant", "fit", "direction"]
    whole = frame.filter((pl.col("scope") == "map") & at).select(*both, map="delta")
    joined = frame.filter(scope="cell", level="variant").join(whole, on=both)
    assert len(joined) == 7 * 2 * 2
    assert joined["delta"].to_list() == pytest.approx(joined["map"].to_list(), abs=1e-6)


def test_left_out_rows_are_counted(frame: pl.DataFrame) -> None:
    told = (
        frame.filter(scope="cell", level="variant")
        .group_by("variant")
        .agg(pl.col("n").unique(), pl.col("left_out").unique())
    )
    counted = {variant: (*n, *left) for variant, n, left in told.iter_rows()}
    assert counted == {
        **dict.fromkeys(["same", "little", "turned", "noise", "said-so", "babble"], (N, 0)),
        "some": (160, N - 160),
    }


def test_kinds_are_compared_on_the_rows_that_all_variants_have(
    db: Database, frame: pl.DataFrame
) -> None:
    images = frame.filter(level="group", altered="images")
    assert set(images["variant"]) == {"appearance", "semantic", "unsaid"}
    assert set(images["n"]) == {160}
    few = perturbation(db, "eye", "tongue", variants=KINDS, **GIVEN)
    at = {"scope": "cell", "direction": "vision->language", "fit": "refit"}
    delta = dict(few.filter(level="variant", **at).select("variant", "delta").iter_rows())
    group = dict(
        few.filter(pl.col("level").is_in(["group", "difference"]), **at)
        .select("variant", "delta")
        .iter_rows()
    )
    appearance = (delta["same"] + delta["little"]) / 2
    semantic = (delta["turned"] + delta["noise"]) / 2
    assert group == pytest.approx(
        {
            "appearance": appearance,
            "semantic": semantic,
            "semantic - appearance": semantic - appearance,
        }
    )
    [difference] = few.filter(level="difference", **at).iter_rows(named=True)
    assert difference["low"] < difference["delta"] < difference["high"] < 0
    assert set(few.filter(level="group")["n"]) == {N}
    assert set(few.filter(level="group")["variants"]) == {2}


def test_rates_are_those_of_the_variants_of_one_fit_and_direction(frame: pl.DataFrame) -> None:
    assert frame.filter(pl.col("level") != "variant")["q"].null_count() > 0
    rows = frame.filter(scope="cell", level="variant")
    families = rows.partition_by("fit", "direction", "target")
    assert len(families) == 8
    for family in families:
        expected = false_discovery_control(family["p"].to_list())
        assert family["q"].to_list() == pytest.approx(expected.tolist())


def test_what_mismatched_pairs_lose_is_all_there_is_to_lose(frame: pl.DataFrame) -> None:
    floor = frame.filter(scope="cell", level="control")
    assert set(floor["control"]) == {"mismatched"}
    assert len(floor.select("fit", "direction").unique()) == len(floor) == 4
    assert floor["score_altered"].to_list() == floor["floor"].to_list()
    assert (floor["high"] < -0.5).all()
    same = frame.filter(scope="cell", variant="same")
    keys = ["fit", "direction"]
    joined = same.join(floor.select(*keys, of_all="floor"), on=keys)
    assert len(joined) == 4
    for name in ("floor", "floor_original"):  # the same rows, unaltered in effect
        assert joined[name].to_list() == pytest.approx(joined["of_all"].to_list(), abs=1e-6)


def test_a_floor_is_that_of_the_altered_rows_by_their_own_fit(frame: pl.DataFrame) -> None:
    noise = cell(frame, "noise", "refit")
    assert (noise["floor"] != noise["floor_original"]).all()
    told = frame.filter(scope="cell", level="variant").group_by("fit", "direction", "altered")
    assert told.agg(pl.col("floor").n_unique())["floor"].min() > 1


def test_the_target_is_what_is_predicted(frame: pl.DataFrame) -> None:
    rows = frame.filter(level="variant")
    told = set(rows.select("altered", "direction", "target").iter_rows())
    assert told == {
        ("images", "vision->language", "original"),
        ("images", "language->vision", "altered"),
        ("captions", "vision->language", "altered"),
        ("captions", "language->vision", "original"),
    }


def test_the_map_of_mismatched_pairs_stands_once_for_each_fit(
    db: Database, frame: pl.DataFrame
) -> None:
    maps = frame.filter(scope="map", level="control")
    assert len(maps) == 2 * 2 * 4
    assert set(maps["n"]) == {N}
    assert maps["score_altered"].abs().max() < 0.15
    at = maps.filter(vision_layer=1, language_layer=1).sort("fit", "direction")
    cells = frame.filter(scope="cell", level="control").sort("fit", "direction")
    assert at["delta"].to_list() == pytest.approx(cells["delta"].to_list(), abs=1e-6)
    few = perturbation(db, "eye", "tongue", variants=["some"], fit="refit", **GIVEN)
    alone = few.filter(scope="map", level="control")
    assert set(alone["n"]) == {N}
    expected = maps.filter(fit="refit")["delta"].to_list()
    assert alone["delta"].to_list() == pytest.approx(expected, abs=1e-6)


def test_a_group_retains_the_mean_of_its_members(db: Database) -> None:
    few = perturbation(db, "eye", "tongue", variants=KINDS, **GIVEN).filter(scope="cell")
    for keys, rows in few.group_by("fit", "direction"):
        share = dict(rows.filter(level="variant").select("variant", "retained").iter_rows())
        found = dict(rows.filter(level="group").select("variant", "retained").iter_rows())
        expected = {
            "appearance": (share["same"] + share["little"]) / 2,
            "semantic": (share["turned"] + share["noise"]) / 2,
        }
        assert found == pytest.approx(expected), keys
    groups = few.filter(level="group")
    assert (groups["retained_low"] < groups["retained"]).all()
    assert (groups["retained"] < groups["retained_high"]).all()
