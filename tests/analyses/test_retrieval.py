"""Retrieval where a caption is its image, turned: everything is found; and where nothing can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal
from scipy.stats import rankdata
from sklearn.linear_model import RidgeCV
from sklearn.preprocessing import StandardScaler

from analyses.metrics.folds import assign_folds
from analyses.metrics.ranks_of import MEASURES, above_chance, every_rank
from analyses.metrics.ridge.linear_predictivity import DEFAULT_ALPHAS
from analyses.pictures import render
from analyses.pictures.retrieval import retrieval_bars, retrieval_map
from analyses.retrieval import retrieval
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

N, PER, WIDTH = 150, 2, 6


def _vectors() -> tuple[Any, Any]:
    rng = np.random.default_rng(2)
    rotation = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
    eye, tongue = {}, {}
    for i in range(N):
        latent = rng.standard_normal(WIDTH)
        eye[f"i{i:03d}"] = [rng.standard_normal(4), np.ones(3), latent]
        for j in range(PER):
            noisy = latent + 1.5 * rng.standard_normal(WIDTH)
            tongue[f"c{i:03d}-{j}"] = [rng.standard_normal(4), noisy @ rotation, latent @ rotation]
    return eye, tongue


EYE, TONGUE = _vectors()


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    pairs = [(f"i{i:03d}", f"c{i:03d}-{j}") for i in range(N) for j in range(PER)]
    return make_store(tmp_path_factory.mktemp("found") / "s", eye=EYE, tongue=TONGUE, pairs=pairs)


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    return retrieval(db, "eye", "tongue", kept=False)


def test_what_is_turned_is_found_first_and_noise_where_chance_puts_it(frame: pl.DataFrame) -> None:
    maps = frame.filter(scope="map", control="none")
    assert len(maps) == 2 * 3 * 3 * len(MEASURES)
    turned = maps.filter(vision_layer=2, language_layer=2)
    assert set(turned["score"]) == {1.0}
    noise = maps.filter(vision_layer=0, language_layer=0)
    for row in noise.filter(pl.col("metric").str.starts_with("R@")).iter_rows(named=True):
        spread = (row["chance"] * (1 - row["chance"]) / N) ** 0.5
        assert abs(row["score"] - row["chance"]) < 4 * spread
    same = maps.filter(vision_layer=1, metric="median rank")
    assert set(same["score"]) == {(N / 5 + 1) / 2}  # all alike: the mean of all ranks
    assert set(maps["gallery"]) == {N / 5}
    assert set(maps.filter(metric="R@5")["chance"].round(12)) == {round(5 / (N / 5), 12)}


def test_the_control_finds_nothing_and_the_cell_is_of_other_queries(frame: pl.DataFrame) -> None:
    cells = frame.filter(scope="cell")
    assert set(cells["n"]) == {N - N // 2}
    modelled = cells.filter(pl.col("control") != "bag-of-words")
    assert set(modelled.select("vision_layer", "language_layer").iter_rows()) == {(2, 2)}
    assert set(cells["cell_rule"]) == {f"best R@10 of queries of {N // 2} other groups"}
    assert (cells["low"] <= cells["score"]).all()
    assert (cells["score"] <= cells["high"]).all()
    wrong = cells.filter(control="mismatched", metric="R@1")
    assert (wrong["score"] < 0.2).all()
    assert wrong["p"].null_count() == len(wrong)
    assert set(cells.filter(control="none")["p"].round(9)) == {round(1 / 1001, 9)}  # each beats all


def test_words_that_say_nothing_find_nothing_and_p_says_so(frame: pl.DataFrame) -> None:
    words = frame.filter(control="bag-of-words")
    assert set(words["language_layer_name"]) == {"word counts", "tf-idf components"}
    assert (words.filter(scope="cell")["p"] > 0.01).all()


def test_equal_photos_and_sentences_are_right_for_each_other(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    """Every photo is stored twice, and one of the two has no more than half of the chance to come first."""
    rng = np.random.default_rng(8)
    eye, tongue, pairs, digests, texts = {}, {}, [], {}, {}
    for i in range(60):
        latent = rng.standard_normal(WIDTH)
        for copy in "ab":
            eye[f"i{i:02d}{copy}"] = tongue[f"c{i:02d}{copy}"] = [latent]
            pairs.append((f"i{i:02d}{copy}", f"c{i:02d}{copy}"))
            digests[f"i{i:02d}{copy}"], texts[f"c{i:02d}{copy}"] = f"photo {i}", f"text {i}"
    db = make_store(
        tmp_path / "s", eye=eye, tongue=tongue, pairs=pairs, digests=digests, texts=texts
    )
    found = retrieval(
        db, "eye", "tongue", controls=(), vision_layer=0, language_layer=0, kept=False
    )
    cells = found.filter(scope="cell")
    assert set(cells.filter(metric="R@1")["score"]) == {1.0}
    assert set(cells.filter(metric="R@1")["chance"].round(9)) == {round(2 / 24, 9)}
    assert set(cells["groups"]) == {60}


@pytest.mark.parametrize("group", [1, 2])
def test_p_is_uniform_where_nothing_is_to_be_found(group: int) -> None:
    """Ranks under the true order are one more draw of the null: items by rank, permuted by whole groups."""
    rng = np.random.default_rng(group)
    found = []
    for _ in range(200):
        null = np.repeat(rng.integers(1, 21, (100, 12)), group, axis=1)
        found.append(above_chance(null.astype(float)))
    below = (np.array(found) <= 0.05).mean(axis=0)
    assert (below <= 0.1).all()  # 200 draws of at most 0.05


def test_every_rank_is_that_of_scipy() -> None:
    likeness = np.random.default_rng(0).integers(0, 4, (9, 13)).astype(float)
    expected = rankdata(-likeness, method="average", axis=1)
    np.testing.assert_allclose(every_rank(torch.from_numpy(likeness)), expected)


def test_galleries_of_unequal_folds_are_told(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    rng = np.random.default_rng(8)
    eye = {f"i{i:02d}": [rng.standard_normal(3)] for i in range(53)}
    tongue = {f"c{i:02d}": [rng.standard_normal(3)] for i in range(53)}
    pairs = list(zip(eye, tongue, strict=True))
    db = make_store(tmp_path / "s", eye=eye, tongue=tongue, pairs=pairs)
    found = retrieval(db, "eye", "tongue", controls=(), kept=False)
    assert set(found.select("gallery_low", "gallery_high").iter_rows()) == {(10, 11)}


def test_ranks_are_those_of_scikit_learn_fold_by_fold(db: Database) -> None:
    """Every caption a query, every caption of an image right for it: all written out."""
    found = retrieval(db, "eye", "tongue", captions="all", controls=(), kept=False)
    found = found.filter(scope="map", vision_layer=2, language_layer=1)
    X = np.repeat([EYE[f"i{i:03d}"][2] for i in range(N)], PER, axis=0).astype(np.float32)
    Y = np.array([TONGUE[f"c{i:03d}-{j}"][1] for i in range(N) for j in range(PER)], np.float32)
    X, Y = X.astype(float), Y.astype(float)
    owner = np.repeat(np.arange(N), PER)
    folds = assign_folds([f"i{i:03d}" for i in owner], 5, 0)
    for direction, source, target in (("vision->language", X, Y), ("language->vision", Y, X)):
        ranks = []
        for fold in range(5):
            train, held = folds != fold, np.flatnonzero(folds == fold)
            scaler = StandardScaler().fit(source[train])
            model = RidgeCV(alphas=DEFAULT_ALPHAS).fit(
                scaler.transform(source[train]), target[train]
            )
            centre = target[train].mean(axis=0)
            images = held[::PER]
            queries, gallery = (images, held) if direction[0] == "v" else (held, images)
            predicted = model.predict(scaler.transform(source[queries])) - centre
            truth = target[gallery] - centre
            cosine = (predicted / np.linalg.norm(predicted, axis=1, keepdims=True)) @ (
                truth / np.linalg.norm(truth, axis=1, keepdims=True)
            ).T
            for line, own in zip(cosine, owner[queries], strict=True):
                right = owner[gallery] == own
                ranks.append(1 + int((line[~right] > line[right].max()).sum()))
        rank = np.array(ranks)
        expected = [*((rank <= k).mean() for k in (1, 5, 10)), np.median(rank), (1 / rank).mean()]
        score = found.filter(direction=direction)["score"].to_list()
        np.testing.assert_allclose(score, expected, atol=1e-9)
    assert set(found.filter(direction="vision->language")["gallery"]) == {PER * N / 5}
    assert set(found.filter(direction="language->vision")["n"]) == {PER * N}


def test_what_was_answered_is_answered_again_and_drawn(db: Database) -> None:
    fresh = retrieval(db, "eye", "tongue", controls=())
    runs = len(db.runs().collect())
    assert_frame_equal(retrieval(db, "eye", "tongue", controls=()), fresh)
    assert len(db.runs().collect()) == runs
    assert set(db.pictures().collect()["name"]) == {"bars", "map"}


def test_pictures_say_what_they_show(frame: pl.DataFrame) -> None:
    bars = render(retrieval_bars(frame)).description
    assert "R@10 1.00 of 30, 0.33 in random order" in bars
    assert "best at vision layer 2 and language layer 2" in render(retrieval_map(frame)).description


def test_refusals_are_one_line(db: Database) -> None:
    with pytest.raises(NotFoundError, match="mismatched"):
        retrieval(db, "eye", "tongue", controls=["mismatch"])
    with pytest.raises(InputError, match="folds of 150 items"):
        retrieval(db, "eye", "tongue", folds=100)
    with pytest.raises(InputError, match="name both"):
        retrieval(db, "eye", "tongue", vision_layer=1)
