"""Alignment on a store whose alignment is planted: strongest between vision layer 2 and language layer 1."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from analyses.alignment import alignment, analysis, maps, peaks
from analyses.controls import bag_of_words, latent_words
from analyses.intervals import of_folds
from analyses.metrics import METRICS
from vdb.errors import InputError, NotFoundError, VdbError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from analyses.metrics import MetricMap
    from vdb.database import Database

N = 120
STRENGTHS = {"eye": (0.1, 0.4, 2.0, 0.6), "tongue": (0.3, 2.0, 0.5)}
PEAK = (2, 1)
WIDTHS = {"eye": 9, "tongue": 14}


def _world() -> dict[str, Any]:
    """Images with two captions each; the captions of images 0 and 1 are shared by both."""
    rng = np.random.default_rng(7)
    latent = rng.standard_normal((N, 5))

    def layers(side: str, seen: NDArray[np.floating]) -> list[list[NDArray[np.floating]]]:
        made = []
        for strength in STRENGTHS[side]:
            mixing = rng.standard_normal((5, WIDTHS[side]))
            own = rng.standard_normal((len(seen), WIDTHS[side]))
            made.append(list((strength * seen @ mixing + own).astype(np.float32)))
        return [list(one) for one in zip(*made, strict=True)]

    images = [f"img-{i:03d}" for i in range(N)]
    captions = [f"cap-{i:03d}-{j}" for i in range(N) for j in range(2)]
    pairs = [(images[i // 2], caption) for i, caption in enumerate(captions)]
    pairs += [(images[1], captions[0]), (images[0], captions[2])]
    said = list(product(["red", "green", "dog", "cat", "house"], repeat=4))
    chosen = rng.choice(len(said), len(captions), replace=False)  # no two captions say the same
    return {
        "eye": dict(zip(images, layers("eye", latent), strict=True)),
        "tongue": dict(zip(captions, layers("tongue", np.repeat(latent, 2, axis=0)), strict=True)),
        "pairs": pairs,
        "texts": {one: " ".join(said[i]) for one, i in zip(captions, chosen, strict=True)},
    }


WORLD = _world()


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    """All of the world, and three pairs of which a side has no vector."""
    lacking = [("img-000", "unread"), ("unseen", "cap-000-0"), ("unseen", "unread")]
    return make_store(
        tmp_path_factory.mktemp("alignment") / "s",
        **{**WORLD, "pairs": WORLD["pairs"] + lacking},
    )


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    return alignment(db, "eye", "tongue", kept=False)


def _arrays(side: str, rows: list[list[str]]) -> list[torch.Tensor]:
    """Match by hand: the mean of each row's vectors, layer by layer."""
    return [
        torch.from_numpy(
            np.array([np.mean([WORLD[side][i][layer] for i in row], axis=0) for row in rows])
        )
        for layer in range(len(STRENGTHS[side]))
    ]


def _captions_of(image: str) -> list[str]:
    return sorted(caption for one, caption in WORLD["pairs"] if one == image)


def _rows(captions: str) -> tuple[list[str], list[list[str]], list[str]]:
    """Choose rows by hand; images 0 and 1 share captions, so they share a group."""
    images = sorted(WORLD["eye"])
    if captions == "one":
        chosen = [(image, _captions_of(image)[:1]) for image in images]
    elif captions == "mean":
        chosen = [(image, _captions_of(image)) for image in images]
    else:
        chosen = [(image, [caption]) for image in images for caption in _captions_of(image)]
    names = [image for image, _ in chosen]
    groups = ["img-000" if image == "img-001" else image for image in names]
    return names, [texts for _, texts in chosen], groups


def _assert_cells(cells: pl.DataFrame, expected: MetricMap) -> None:
    for row in cells.iter_rows(named=True):
        at = row["vision_layer"], row["language_layer"]
        assert row["score"] == pytest.approx(expected.scores[at], abs=1e-6)
        if expected.alphas is None:
            assert row["alphas"] is None
        else:
            assert row["alphas"] == expected.alphas[at].tolist()
        assert expected.fold_scores is not None
        assert row["fold_scores"] == pytest.approx(expected.fold_scores[at].tolist(), abs=1e-6)


@pytest.mark.parametrize("metric", sorted(METRICS))
@pytest.mark.parametrize("captions", ["one", "mean", "all"])
def test_the_frame_is_what_the_metric_gives_on_arrays_matched_by_hand(
    db: Database, metric: str, captions: Any
) -> None:
    frame = alignment(db, "eye", "tongue", metric=metric, captions=captions, folds=4, kept=False)
    images, texts, groups = _rows(captions)
    seen, said = _arrays("eye", [[image] for image in images]), _arrays("tongue", texts)
    counts = bag_of_words([[WORLD["texts"][t] for t in row] for row in texts])
    bags = [torch.from_numpy(counts), torch.from_numpy(latent_words(counts))]
    compute = METRICS[metric].compute
    for control, language in (("none", said), ("bag-of-words", bags)):
        expected = compute(seen, language, groups=groups, folds=4, seed=0)
        mine = frame.filter(pl.col("control") == control)
        assert set(mine["direction"]) == set(expected)
        assert len(mine) == len(expected) * len(seen) * len(language)
        for direction, cells in expected.items():
            _assert_cells(mine.filter(pl.col("direction") == direction), cells)
    assert set(frame["n"]) == {len(images)}
    assert set(frame["groups"]) == {N - 1}
    assert set(frame["unmatched"]) == {3}
    assert set(frame["captions"]) == {captions}


def test_the_peak_is_where_it_was_planted(frame: pl.DataFrame) -> None:
    best = peaks(frame).filter(pl.col("control") == "none")
    assert len(best) == 2
    for row in best.iter_rows(named=True):
        assert (row["vision_layer"], row["language_layer"]) == PEAK
        assert row["low"] <= row["held_out"] <= row["high"]
        assert row["held_out"] > 0.6


def test_controls_are_at_chance(db: Database, frame: pl.DataFrame) -> None:
    assert set(frame["control"]) == {"none", "bag-of-words", "mismatched"}
    # 120 rows of five latent directions: a map of unrelated rows varies by about 0.04 around 0, their mean by 0.015.
    words = frame.filter(pl.col("control") == "bag-of-words")
    assert abs(words["score"].mean()) < 0.12  # type: ignore[operator]
    wrong = [
        alignment(db, "eye", "tongue", controls=["mismatched"], seed=seed, kept=False)
        for seed in range(8)
    ]
    scores = pl.concat(wrong).filter(pl.col("control") == "mismatched")["score"]
    assert abs(scores.mean()) < 0.05  # type: ignore[operator]


def test_every_row_says_what_it_is_of(db: Database, frame: pl.DataFrame) -> None:
    eye, tongue = db.space("eye"), db.space("tongue")
    assert set(frame["vision_fingerprint"]) == {eye.recipe.fingerprint}
    for row in frame.iter_rows(named=True):
        bag = row["control"] == "bag-of-words"
        assert row["language"] == ("bag-of-words" if bag else "tongue")
        assert row["language_fingerprint"] == ("" if bag else tongue.recipe.fingerprint)
        assert row["vision_layer_name"] == eye.layers[row["vision_layer"]].name
        assert row["vision_depth"] == eye.layers[row["vision_layer"]].depth
        if not bag:
            assert row["language_layer_name"] == tongue.layers[row["language_layer"]].name
            assert row["language_depth"] == tongue.layers[row["language_layer"]].depth
        assert len(row["fold_scores"]) == len(row["alphas"]) == row["folds"] == 5
        assert row["score"] == pytest.approx(np.mean(row["fold_scores"]))


def test_one_direction_is_computed_alone(
    db: Database, frame: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    metric = METRICS["linear-predictivity"]
    asked: list[object] = []

    def spy(*layers: Any, **options: Any) -> dict[str, MetricMap]:
        maps = metric.compute(*layers, **options)
        asked.append((options["directions"], list(maps)))
        return maps

    monkeypatch.setitem(METRICS, metric.name, replace(metric, compute=spy))
    for direction in ("vision->language", "language->vision"):
        alone = alignment(db, "eye", "tongue", direction=direction, kept=False)
        assert asked.pop() == ((direction,), [direction])
        assert_frame_equal(alone, frame.filter(pl.col("direction") == direction))
    assert not asked


def test_controls_apart_are_the_controls_together(
    db: Database, frame: pl.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maps, "TOGETHER_BYTES", 0)
    assert_frame_equal(alignment(db, "eye", "tongue", kept=False), frame, abs_tol=1e-9)


def test_controls_can_be_left_out(db: Database, frame: pl.DataFrame) -> None:
    bare = alignment(db, "eye", "tongue", controls=(), kept=False)
    assert_frame_equal(bare, frame.filter(pl.col("control") == "none"))


def test_the_seed_decides(db: Database, frame: pl.DataFrame) -> None:
    assert_frame_equal(alignment(db, "eye", "tongue", kept=False), frame)
    other = alignment(db, "eye", "tongue", seed=1, kept=False)
    assert other["score"].to_list() != frame["score"].to_list()


def test_rows_run_and_pictures_are_kept(
    tmp_path: Any, make_store: Callable[..., Database], frame: pl.DataFrame
) -> None:
    db = make_store(tmp_path / "s", **WORLD)
    alignment(db, "eye", "tongue", kept=False)
    assert (db.results(), len(db.runs().collect()), len(db.pictures().collect())) == ([], 0, 0)
    first = alignment(db, "eye", "tongue", seed=0, command="vdb analyze alignment ...")
    alignment(db, "eye", "tongue", metric="mutual-knn", seed=5)
    runs = db.runs().sort("started_at").collect()
    assert runs["outcome"].to_list() == ["finished"] * 2
    assert runs["seed"].to_list() == [0, 5]
    assert runs["command"].to_list() == ["vdb analyze alignment ...", "vdb analyze alignment"]
    assert json.loads(runs["parameters"][1])["metric"] == "mutual-knn"
    kept = db.result("alignment").filter(pl.col("run_id") == runs["run_id"][0]).collect()
    assert_frame_equal(kept.drop("run_id"), first, check_row_order=False)
    assert first.drop("unmatched").equals(frame.drop("unmatched"))
    drawn = db.pictures().collect()
    assert sorted(drawn.select("run_id", "name").rows()) == sorted(
        (run, name) for run in runs["run_id"] for name in ("map", "profile")
    )
    for row in drawn.iter_rows(named=True):
        assert row["svg"].startswith(b"<svg")
        assert row["png"].startswith(b"\x89PNG")


def test_what_cannot_be_asked_is_no_run(tmp_path: Any, make_store: Callable[..., Database]) -> None:
    db = make_store(tmp_path / "s", **WORLD)
    with pytest.raises(InputError, match="200 folds of 120 items in 119 groups"):
        alignment(db, "eye", "tongue", folds=200)
    assert db.runs().collect().is_empty()
    assert db.results() == []


def test_what_cannot_be_drawn_is_not_kept(
    tmp_path: Any, make_store: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    db = make_store(tmp_path / "s", **WORLD)

    def refuse(frame: pl.DataFrame) -> object:
        raise VdbError(f"{len(frame)} rows and no picture")

    monkeypatch.setattr(analysis, "profile", refuse)
    with pytest.raises(VdbError, match="no picture"):
        alignment(db, "eye", "tongue")
    assert db.results() == []
    assert db.pictures().collect().is_empty()


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"vision": "eyes"}, NotFoundError, "no space 'eyes'; did you mean eye?"),
        ({"vision": "tongue"}, InputError, "--vision tongue: that space holds vectors of texts"),
        ({"language": "eye"}, InputError, "--language eye: that space holds vectors of images"),
        ({"metric": "mutual-nn"}, NotFoundError, "no metric 'mutual-nn'; did you mean mutual-knn"),
        ({"direction": "vision>language"}, NotFoundError, "no direction 'vision>language'"),
        ({"captions": "first"}, NotFoundError, "no choice of captions 'first'; there are"),
        ({"controls": ["mismatch"]}, NotFoundError, "no control 'mismatch'; did you mean"),
        ({"datasets": ["tyo"]}, NotFoundError, "no data set 'tyo'; did you mean toy"),
        ({"metric": "mutual-knn", "direction": "vision->language"}, InputError, "no direction"),
    ],
)
def test_what_is_not_there_is_said_in_one_line(
    db: Database, wrong: dict[str, Any], kind: type[VdbError], message: str
) -> None:
    with pytest.raises(kind, match=message.replace("?", r"\?").replace(">", ".")) as caught:
        alignment(db, **{"vision": "eye", "language": "tongue", **wrong}, kept=False)
    assert "\n" not in str(caught.value)


def _cells(*folds: list[float]) -> pl.DataFrame:
    head = {"vision": "v", "language": "l", "control": "none", "direction": "d"} | {
        "language_layer": 0,
        "language_layer_name": "words",
        "language_depth": 0.0,
        "n": 10,
    }
    return pl.DataFrame(
        [
            {
                **head,
                "vision_layer": i,
                "vision_layer_name": f"blocks.{i}",
                "vision_depth": i / 2,
                "score": float(np.mean(scores)),
                "fold_scores": scores,
            }
            for i, scores in enumerate(folds)
        ]
    )


def test_the_luck_of_the_best_cell_is_taken_out() -> None:
    """Cell 0 leads by fold 2 alone, so it is chosen on the others only where fold 2 is one of them."""
    [row] = peaks(_cells([0.4, 0.3, 0.9], [0.5, 0.5, 0.5], [0.0, 0.1, 0.0])).to_dicts()
    assert (row["vision_layer"], row["score"]) == (0, pytest.approx(1.6 / 3))
    # fold 0 and fold 1: cell 0 leads on the others (1.2 and 1.3 to 1.0); fold 2: cell 1 does (0.7 to 1.0).
    expected = of_folds([0.4, 0.3, 0.5], 0.4)
    assert row["held_out"] == pytest.approx(0.4)
    assert (row["low"], row["high"]) == pytest.approx((expected.low, expected.high))


def test_of_equal_cells_the_earliest_is_the_peak() -> None:
    [row] = peaks(_cells([0.1, 0.1], [0.5, 0.5], [0.5, 0.5])).to_dicts()
    assert (row["vision_layer"], row["vision_layer_name"], row["vision_depth"]) == (
        1,
        "blocks.1",
        0.5,
    )
    assert (row["language_layer_name"], row["language_depth"]) == ("words", 0.0)


def test_a_layer_that_is_the_same_for_every_item_has_no_score_and_spoils_nothing(
    make_store: Any, tmp_path: Path
) -> None:
    generator = np.random.default_rng(5)
    names = [f"{i:02d}" for i in range(40)]
    seen = {f"i{name}": [generator.normal(size=4), generator.normal(size=6)] for name in names}
    said = {f"c{name}": [np.ones(5), seen[f"i{name}"][1][:3]] for name in names}
    pairs = [(f"i{name}", f"c{name}") for name in names]
    db = make_store(tmp_path / "study", eye=seen, tongue=said, pairs=pairs)
    frame = alignment(db, "eye", "tongue", controls=())
    forward = frame.filter(pl.col("direction") == "vision->language")
    assert forward.filter(pl.col("language_layer") == 0)["score"].null_count() == 2
    back = frame.filter(pl.col("direction") == "language->vision", pl.col("language_layer") == 0)
    assert back["score"].to_list() == [0.0, 0.0]  # it predicts nothing
    for row in peaks(frame).iter_rows(named=True):
        assert (row["vision_layer"], row["language_layer"]) == (1, 1)
        assert row["held_out"] > 0.3
    assert db.result("alignment").collect().height == len(frame)
    assert db.pictures().collect().height == 2
