"""Forced choices in worlds where the right answer is known, and where only a leak would give it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses.forced_choice import forced_choice
from analyses.pictures import render
from analyses.pictures.forced_choice import pictures_of
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database

    Make = Callable[..., Any]

WIDTH, FITTED, ASKED = 5, 60, 120
LAST: dict[str, Any] = {"vision_layer": -1, "language_layer": -1}


def _world(path: Any, make: Make, add_trials: Make) -> Database:
    """Layer 1 of a caption is its image's, rotated; layer 0 is noise; layer 2 of images is the same for all."""
    rng = np.random.default_rng(5)
    rotation = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
    eye, tongue, pairs = {}, {}, []
    for i in range(FITTED + 2 * ASKED):
        latent = rng.standard_normal(WIDTH)
        eye[f"i{i:03d}"] = [rng.standard_normal(4), np.ones(3), latent]
        tongue[f"c{i:03d}"] = [rng.standard_normal(4), latent @ rotation + 1]
        if i < FITTED:
            pairs.append((f"i{i:03d}", f"c{i:03d}"))
    db = make(path, eye=eye, tongue=tongue, pairs=pairs)
    for direction, q, c in (("text-to-image", "c", "i"), ("image-to-text", "i", "c")):
        rows = []
        for t in range(ASKED):
            own, other = FITTED + 2 * t, FITTED + 2 * t + 1
            first, second = (own, other) if t % 3 else (other, own)
            gap = 0.5 + t % 4
            judged = [[gap + 1, 1.0], [1.0, 1.0]]
            rows.append(
                {
                    "query_id": f"{q}{own:03d}",
                    "candidate_0": f"{c}{first:03d}",
                    "candidate_1": f"{c}{second:03d}",
                    "label": float(first == own),
                    "weight": 1.0 + t % 2,
                    "gap": gap,
                    "scores_0": judged[0 if first == own else 1],
                    "scores_1": judged[1 if first == own else 0],
                }
            )
        rows[0]["label"] = 0.5
        add_trials(db, rows, direction)
    return db


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Make, add_trials: Make) -> Database:
    return _world(tmp_path_factory.mktemp("choice") / "s", make_store, add_trials)


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    return forced_choice(db, "eye", "tongue", kept=False, strengths=[2.0])


def test_what_is_a_linear_map_is_chosen_always_and_noise_half_of_the_time(
    frame: pl.DataFrame,
) -> None:
    maps = frame.filter(level="trial", scope="map", control="none")
    assert len(maps) == 2 * 2 * 3 * 2
    known = maps.filter(vision_layer=2, language_layer=1)
    assert known["score"].to_list() == [1.0] * 4
    assert (known["p_max"] < 0.002).all()
    noise = maps.filter(vision_layer=0, language_layer=0)
    assert (noise["low"] <= 0.5).all()
    assert (noise["high"] >= 0.5).all()
    assert (noise["p"] > 0.01).all()
    same = maps.filter(vision_layer=1)
    assert set(same["score"]) == {0.5}
    assert same["ties"].to_list() == same["n"].to_list()
    assert set(maps["n"]) == {ASKED - 1}
    assert set(maps["human_ties"]) == {1}


def test_the_cell_is_chosen_on_other_trials(frame: pl.DataFrame) -> None:
    cells = frame.filter(level="trial", scope="cell", control="none")
    assert set(cells["vision_layer"]) == {2}
    assert set(cells["language_layer"]) == {1}
    whole = cells.filter(pl.col("gap_low").is_null())
    assert set(whole["n"]) == {ASKED - 1 - (ASKED - 1) // 2}
    assert set(whole["cell_rule"]) == {"best on the 59 trials of 59 other clusters"}
    bins = cells.filter(pl.col("gap_low").is_not_null())
    assert set(bins.select("gap_low", "gap_high").iter_rows()) == {(0.5, 1.5), (2.5, 3.5)}
    for _, rows in cells.group_by("direction", "fit"):
        assert rows["n"].to_list()[0] == sum(rows["n"].to_list()[1:])


def test_directions_that_are_asked_together_answer_as_each_alone(
    db: Database, frame: pl.DataFrame
) -> None:
    """They share their factorisations; word counts are left out, of which the captions asked are a part."""
    apart = [
        forced_choice(
            db,
            "eye",
            "tongue",
            direction=one,
            level="trial",
            controls=["mismatched"],
            kept=False,
            strengths=[2.0],
        )
        for one in ("text-to-image", "image-to-text")
    ]
    together = frame.filter(pl.col("level") == "trial", pl.col("control") != "bag-of-words")
    assert_frame_equal(pl.concat(apart), together)


def test_people_are_held_against_each_other(frame: pl.DataFrame) -> None:
    """One judge prefers and the other does not: half, and nothing to hold the first against."""
    cells = frame.filter(level="trial", scope="cell")
    assert set(cells["human"]) == {0.5}
    assert set(cells["attainable"]) == {1.0}


def test_a_map_fitted_on_wrong_pairs_knows_nothing(frame: pl.DataFrame) -> None:
    wrong = frame.filter(level="trial", control="mismatched").filter(pl.col("gap_low").is_null())
    assert wrong["scope"].to_list() == ["cell"] * 4
    assert wrong["ties"].null_count() == 4  # a mean over draws that is a half is no tie
    assert ((wrong["score"] - 0.5).abs() < 0.25).all()  # ten maps of five units lean by chance


@pytest.mark.parametrize("kind", ["correlation", "distance"])
def test_other_similarities_choose_as_well(db: Database, kind: Any) -> None:
    found = forced_choice(
        db, "eye", "tongue", similarity=kind, level="trial", controls=(), kept=False, **LAST
    )
    score = found.filter(pl.col("scope") == "cell", pl.col("gap_low").is_null())["score"]
    assert min(score) > (0.99 if kind == "distance" else 0.9)  # five units leave r four degrees
    assert set(found["metric"]) == {f"forced-choice:similarity={kind}"}


def test_sets_of_the_preferred_are_aligned_and_of_the_rejected_are_not(
    db: Database, frame: pl.DataFrame
) -> None:
    cells = frame.filter(level="set", scope="cell")
    assert len(cells) == 2 * 2 * 3
    assert set(cells["vision_layer"]) == {2}
    preferred, rejected, apart = (
        cells.filter(pairs=name) for name in ("preferred", "rejected", "difference")
    )
    assert (preferred["score"] > 0.99).all()
    assert (rejected["low"] < 0.1).all()
    assert (apart["low"] > 0.5).all()
    expected = preferred["score"] - rejected["score"]
    np.testing.assert_allclose(apart["score"], expected, atol=1e-9)
    other = forced_choice(
        db, "eye", "tongue", level="set", metric="mutual-knn:k=5", kept=False, **LAST
    )
    apart = other.filter(scope="cell", pairs="difference")
    assert (apart["low"] > 0).all()
    assert set(other["n"]) == {ASKED - 1}


def test_what_was_answered_is_answered_again(db: Database) -> None:
    given: dict[str, Any] = {"level": "trial", "controls": (), "direction": "text-to-image"}
    fresh = forced_choice(db, "eye", "tongue", **given)
    runs = len(db.runs().collect())
    assert_frame_equal(forced_choice(db, "eye", "tongue", **given), fresh)
    assert len(db.runs().collect()) == runs
    assert_frame_equal(forced_choice(db, "eye", "tongue", **given, force=True), fresh)
    assert len(db.runs().collect()) == runs + 1
    assert set(db.pictures().collect()["name"]) == {"bars", "map", "strength"}


def test_pictures_say_what_they_show(frame: pl.DataFrame) -> None:
    drawn = {name: render(draw(frame)) for name, draw in pictures_of(frame).items()}
    assert set(drawn) == {"bars", "map", "strength"}
    assert "a caption, two images: language → vision, tongue: 1.00" in drawn["bars"].description
    sets = frame.filter(pl.col("level") == "set")
    assert set(pictures_of(sets)) == {"bars", "map"}
    assert "difference" in render(pictures_of(sets)["bars"](sets)).description


def test_the_order_of_candidates_gives_nothing_away(db: Database, frame: pl.DataFrame) -> None:
    trials = db.trials().collect()
    assert 0.2 < (trials["label"] == 1).mean() < 0.8
    assert frame.filter(level="trial", scope="map")["fitted_on"].min() == FITTED


def test_refusals_are_one_line(
    db: Database, tmp_path_factory: pytest.TempPathFactory, make_store: Make
) -> None:
    one = np.ones(3)
    bare = make_store(tmp_path_factory.mktemp("bare") / "s", eye={"i": [one]}, tongue={"c": [one]})
    with pytest.raises(InputError, match="the store has no trials"):
        forced_choice(bare, "eye", "tongue")
    with pytest.raises(NotFoundError, match="cosine"):
        forced_choice(db, "eye", "tongue", similarity="cosin")  # type: ignore[arg-type]
    with pytest.raises(NotFoundError, match="data set with trials"):
        forced_choice(db, "eye", "tongue", datasets=["toy"])
