"""Exemplar curves of captions that are signal plus noise: nothing is above what noise averaging predicts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses.exemplar_avg import exemplar_avg

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database

N, PER, WIDTH, NOISE = 300, 6, 4, 1.5
KS = (1, 2, 4)
FIXED: dict[str, Any] = {
    "vision_layer": -1,
    "language_layer": -1,
    "k": KS,
    "draws": 3,
    "controls": (),
    "kept": False,
}


def _world() -> dict[str, Any]:
    """Captions of an image, rotated, with independent noise of their own."""
    rng = np.random.default_rng(3)
    rotation = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
    eye, tongue, pairs = {}, {}, []
    for i in range(N):
        image, latent = f"img-{i:03d}", rng.standard_normal(WIDTH)
        eye[image] = [latent]
        noises = NOISE * rng.standard_normal((PER, WIDTH))
        for j, noise in enumerate(noises):
            caption = f"cap-{i:03d}-{j}"
            tongue[caption] = [(latent + noise) @ rotation]
            pairs.append((image, caption))
    return {"eye": eye, "tongue": tongue, "pairs": pairs}


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    return make_store(tmp_path_factory.mktemp("noise") / "s", **_world())


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    return exemplar_avg(db, "eye", "tongue", **{**FIXED, "controls": ("mismatched",)})


def _of(frame: pl.DataFrame, direction: str) -> pl.DataFrame:
    chosen = (pl.col("control") == "none") & (pl.col("direction") == direction)
    return frame.filter(chosen).sort("k")


@pytest.mark.parametrize("direction", ["vision->language", "language->vision"])
def test_independent_noise_leaves_nothing_above(frame: pl.DataFrame, direction: str) -> None:
    rows = _of(frame, direction)
    expected = [1 / np.sqrt(1 + NOISE**2 / k) for k in KS]
    assert rows["predicted"].to_list() == pytest.approx(expected, abs=0.05)
    for row in rows.filter(pl.col("k") > 1).iter_rows(named=True):
        assert row["above_low"] < 0 < row["above_high"]
        assert row["above_p"] > 0.05
        assert row["score"] - row["predicted"] == pytest.approx(row["above"])
        # Paired with the first point, what is above is known better than the score is.
        assert row["above_high"] - row["above_low"] < row["high"] - row["low"] + 0.02
    first = rows.row(0, named=True)
    assert first["predicted"] == first["score"]
    assert (first["above"], first["above_low"], first["above_high"]) == (0, 0, 0)
    assert set(rows["fit"]) == {"noise averaging"}


def test_reliability_is_that_of_the_world_however_it_is_measured(frame: pl.DataFrame) -> None:
    rows = _of(frame, "vision->language")
    shares = [1 / (1 + NOISE**2 / k) for k in KS]
    assert rows["reliability"].to_list() == pytest.approx(shares, abs=0.05)
    assert rows["split_half"].to_list() == pytest.approx(shares, abs=0.05)
    assert rows["effective_k"].to_list() == list(KS)


def test_controls_are_not_predicted(frame: pl.DataFrame) -> None:
    rows = frame.filter(pl.col("control") == "mismatched")
    for column in ("predicted", "above", "above_low", "above_high", "reliability", "fit"):
        assert rows[column].null_count() == len(rows)


def test_drawn_with_replacement_a_centroid_is_worth_less(db: Database, frame: pl.DataFrame) -> None:
    found = exemplar_avg(db, "eye", "tongue", **{**FIXED, "k": (1, 4, 24)}, replacement=True)
    assert set(found["left_out"]) == {0}
    assert set(found["replacement"]) == {True}
    rows = _of(found, "vision->language")
    worth = [1.0, 1 / (1 / 6 + 5 / 6 / 4), 1 / (1 / 6 + 5 / 6 / 24)]
    assert rows["effective_k"].to_list() == pytest.approx(worth)
    expected = [1 / np.sqrt(1 + NOISE**2 / k) for k in worth]
    assert rows["score"].to_list() == pytest.approx(expected, abs=0.05)
    assert rows["predicted"].to_list() == pytest.approx(expected, abs=0.05)
    assert rows["score"][1] < _of(frame, "vision->language")["score"][2]


def test_single_exemplars_have_no_reliability(db: Database) -> None:
    """The image side has one exemplar a group: nothing tells its noise, and nothing is made up."""
    ones = exemplar_avg(
        db, "eye", "tongue", group="caption", average="images", **{**FIXED, "k": (1,)}
    )
    for column in ("predicted", "above", "reliability", "split_half"):
        assert ones[column].null_count() == len(ones)


def test_other_metrics_are_fitted_by_a_curve_and_nothing_is_above(db: Database) -> None:
    asked = {**FIXED, "k": (1, 2, 3, 6), "metric": "mutual-knn:k=5", "draws": 2}
    found = exemplar_avg(db, "eye", "tongue", **asked)
    assert set(found["metric"]) == {"mutual-knn:k=5"}
    assert set(found["fit"]) == {"a + b k / (k + c)"}
    assert found["above"].null_count() == len(found)
    assert found["predicted"].to_list() == pytest.approx(found["score"].to_list(), abs=0.02)
    few = exemplar_avg(db, "eye", "tongue", **{**asked, "k": KS})
    assert few["predicted"].null_count() == len(few)


def test_any_metric_has_a_curve_with_an_interval(db: Database) -> None:
    found = exemplar_avg(db, "eye", "tongue", **FIXED, metric="procrustes")
    scores = found.sort("direction", "k")["score"].to_list()
    assert scores[: len(KS)] == sorted(scores[: len(KS)])
    assert (found["low"] < found["score"]).all()
    assert (found["score"] < found["high"]).all()


def test_an_answer_is_found_again_and_computed_again_by_force(
    tmp_path: Any, make_store: Callable[..., Database]
) -> None:
    db = make_store(tmp_path / "s", **_world())
    asked = {**FIXED, "kept": True, "controls": ("mismatched",), "draws": 2}
    first = exemplar_avg(db, "eye", "tongue", **asked)
    assert_frame_equal(exemplar_avg(db, "eye", "tongue", **asked), first)
    assert len(db.runs().collect()) == 1
    assert_frame_equal(exemplar_avg(db, "eye", "tongue", **asked, force=True), first)
    assert len(db.runs().collect()) == 2
    exemplar_avg(db, "eye", "tongue", **asked, replacement=True)
    assert len(db.runs().collect()) == 3
