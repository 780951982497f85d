"""Exemplar averaging on captions that are what an image shows plus noise, where averaging has a closed form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch
from polars.testing import assert_frame_equal

from analyses.exemplar_avg import curves as exemplar_curves
from analyses.exemplar_avg import exemplar_avg
from analyses.exemplar_avg.cell import Question, choose
from analyses.exemplar_avg.exemplars import gather
from analyses.metrics import METRICS, cells, choose_metric
from analyses.metrics.cells import score_cells
from vdb.errors import InputError, NotFoundError, VdbError

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database

N, PER, WIDTH, NOISE = 240, 4, 6, 1.5
KS = (1, 2, 4)
FIXED: dict[str, Any] = {"vision_layer": -1, "language_layer": "blocks.1", "k": KS, "draws": 3}


def _world(seed: int = 3) -> dict[str, Any]:
    """Layer 0 of both sides is noise; in layer 1 a caption is its image's latent, rotated, plus noise."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((WIDTH, WIDTH)))[0]
    eye, tongue, pairs, concepts = {}, {}, [], {}
    for i in range(N):
        image, latent = f"img-{i:03d}", rng.standard_normal(WIDTH)
        eye[image] = [rng.standard_normal(3), latent]
        concepts[image] = f"concept-{i // 4:02d}"
        for j in range(PER):
            caption = f"cap-{i:03d}-{j}"
            noisy = latent + NOISE * rng.standard_normal(WIDTH)
            tongue[caption] = [rng.standard_normal(3), noisy @ rotation]
            pairs.append((image, caption))
    return {"eye": eye, "tongue": tongue, "pairs": pairs, "concepts": concepts}


WORLD = _world()


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    return make_store(tmp_path_factory.mktemp("exemplars") / "s", **WORLD)


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    return exemplar_avg(db, "eye", "tongue", **FIXED, kept=False)


def _curve(frame: pl.DataFrame, control: str, direction: str) -> list[float]:
    chosen = (pl.col("control") == control) & (pl.col("direction") == direction)
    return frame.filter(chosen).sort("k")["score"].to_list()


def _held_out(r: float) -> float:
    """Lower a correlation by the error of a least-squares fit: WIDTH weights on four fifths of the rows."""
    error = WIDTH * (1 - r**2) / (0.8 * N)
    return float(r * np.sqrt(r**2 / (r**2 + error)))


@pytest.mark.parametrize("direction", ["vision->language", "language->vision"])
def test_the_curve_is_the_closed_form(frame: pl.DataFrame, direction: str) -> None:
    """With unit signal and noise s, k captions correlate 1 / sqrt(1 + s^2 / k) with their image."""
    expected = [_held_out(1 / np.sqrt(1 + NOISE**2 / k)) for k in KS]
    assert _curve(frame, "none", direction) == pytest.approx(expected, abs=0.04)
    # One own caption among k: signal 1 / k, total variance (1 + s^2) / k.
    diluted = [_held_out(1 / np.sqrt(k * (1 + NOISE**2))) for k in KS]
    assert _curve(frame, "diluted", direction) == pytest.approx(diluted, abs=0.06)
    assert _curve(frame, "mismatched", direction) == pytest.approx([0, 0, 0], abs=0.1)


def test_intervals_hold_their_scores(frame: pl.DataFrame) -> None:
    for row in frame.iter_rows(named=True):
        assert row["low"] < row["score"] < row["high"]
        assert row["high"] - row["low"] < 0.2


def test_every_row_says_what_it_is_of(db: Database, frame: pl.DataFrame) -> None:
    assert len(frame) == 3 * 2 * len(KS)
    assert set(frame["n"]) == {N}
    assert set(frame["left_out"]) == {0}
    assert set(frame["cell_rule"]) == {"given"}
    assert set(frame["vision_layer"]) == set(frame["language_layer"]) == {1}
    assert set(frame["vision_layer_name"]) == {"blocks.1"}
    assert set(frame["language_fingerprint"]) == {db.space("tongue").recipe.fingerprint}


def test_one_of_none_diluted_is_one(frame: pl.DataFrame) -> None:
    columns = ("direction", "score", "low", "high")
    single = frame.filter(pl.col("k") == 1)
    assert_frame_equal(
        single.filter(pl.col("control") == "none").select(columns),
        single.filter(pl.col("control") == "diluted").select(columns),
    )


def test_mutual_knn_rises_too(db: Database) -> None:
    found = exemplar_avg(db, "eye", "tongue", metric="mutual-knn", **FIXED, kept=False)
    assert set(found["direction"]) == {"symmetric"}
    rising = _curve(found, "none", "symmetric")
    assert rising == sorted(rising)
    chance = 10 / (N - 1)
    assert _curve(found, "mismatched", "symmetric") == pytest.approx([chance] * 3, abs=0.02)
    assert rising[-1] > rising[0] > chance + 0.03


@pytest.mark.parametrize("averaged", ["images", "captions", "both"])
def test_concepts_average_any_side(db: Database, averaged: Any) -> None:
    """Images of a concept share nothing here, so only what stays paired aligns."""
    found = exemplar_avg(
        db, "eye", "tongue", average=averaged, group="concept", **FIXED, kept=False
    )
    assert set(found["n"]) == {N // 4}
    curve = _curve(found, "none", "vision->language")
    if averaged == "both":  # k pairs averaged: signal and noise fall alike
        assert curve == pytest.approx([1 / np.sqrt(1 + NOISE**2)] * 3, abs=0.15)
    else:
        assert curve[-1] < curve[0]
    assert abs(np.mean(_curve(found, "mismatched", "vision->language"))) < 0.15


def test_a_caption_averages_its_images(tmp_path: Any, make_store: Callable[..., Database]) -> None:
    """The world turned round: several noisy images of one caption."""
    rng = np.random.default_rng(0)
    tongue = {f"c{i:03d}": [rng.standard_normal(3)] for i in range(60)}
    eye = {
        f"{caption}-{j}": [vector[0] + rng.standard_normal(3)]
        for caption, vector in tongue.items()
        for j in range(3)
    }
    pairs = [(image, image.split("-")[0]) for image in eye]
    db = make_store(tmp_path / "s", eye=eye, tongue=tongue, pairs=pairs)
    found = exemplar_avg(
        db, "eye", "tongue", average="images", group="caption", k=(1, 3), draws=3, kept=False
    )
    assert set(found["cell_rule"]) == {
        "last layers: 60 groups are too few to choose on half of them"
    }
    for direction in ("vision->language", "language->vision"):
        expected = [1 / np.sqrt(1 + 1 / k) for k in (1, 3)]
        assert _curve(found, "none", direction) == pytest.approx(expected, abs=0.1)


def test_the_cell_is_chosen_on_groups_that_are_not_scored(db: Database) -> None:
    sides = db.space("eye"), db.space("tongue")
    groups = gather(db, *sides, "image")
    question = Question(choose_metric("linear-predictivity"), "captions", KS, 2, 5, 0, "cpu")
    cell, scored = choose(sides, groups, question, None, None)
    assert (cell.vision, cell.language) == (1, 1)
    assert cell.rule == f"best of single exemplars on {N // 2} other groups"
    assert len(scored) == N // 2
    # Noise in the place of what is scored does not change the choice.
    other, _ = choose(sides, groups, Question(*_but_seed(question, 1)), None, None)
    assert other == cell
    assert choose(sides, groups, question, None, None)[1] == scored
    assert choose(sides, groups, Question(*_but_seed(question, 1)), None, None)[1] != scored


def test_a_layer_that_is_the_same_for_every_item_is_not_chosen(
    tmp_path: Any, make_store: Callable[..., Database]
) -> None:
    """As a class token's embedding is: it has no score, and argmax takes what is no number for the most."""
    constant = {one: [np.ones(3), layers[1]] for one, layers in WORLD["eye"].items()}
    db = make_store(tmp_path / "s", **{**WORLD, "eye": constant})
    sides = db.space("eye"), db.space("tongue")
    groups = gather(db, *sides, "image")
    question = Question(choose_metric("linear-predictivity"), "captions", KS, 2, 5, 0, "cpu")
    cell, _ = choose(sides, groups, question, None, None)
    assert (cell.vision, cell.language) == (1, 1)


def test_layers_of_which_none_has_a_score_are_refused(
    tmp_path: Any, make_store: Callable[..., Database]
) -> None:
    constant = {one: [np.ones(3)] for one in WORLD["eye"]}
    db = make_store(tmp_path / "s", **{**WORLD, "eye": constant})
    with pytest.raises(InputError, match="no layers of 'eye' and 'tongue' have a score"):
        exemplar_avg(db, "eye", "tongue", k=KS, draws=2, kept=False)


def test_what_is_unpaired_is_averaged_or_counted(
    tmp_path: Any, make_store: Callable[..., Database]
) -> None:
    """Of 36 concepts 12 have pairs, 12 captions of their own and 12 no captions: the last alone are left out."""
    rng = np.random.default_rng(0)
    images = [f"i{c:02d}-{j}" for c in range(36) for j in range(2)]
    captions = [one.replace("i", "c") for one in images[:48]]
    db = make_store(
        tmp_path / "s",
        eye={one: [rng.standard_normal(3)] for one in images},
        tongue={one: [rng.standard_normal(3)] for one in captions},
        pairs=list(zip(images[:24], captions[:24], strict=True)),
        concepts={one: f"concept-{one[1:3]}" for one in (*images, *captions)},
    )
    for average in ("images", "captions", "both"):
        found = exemplar_avg(
            db, "eye", "tongue", average=average, group="concept", k=(1, 2), draws=1, kept=False
        )
        assert set(found["n"]) == {24}
        assert set(found["left_out"]) == {12}


def _but_seed(question: Question, seed: int) -> tuple[Any, ...]:
    q = question
    return q.metric, q.averaged, q.ks, q.draws, q.folds, seed, q.device


def test_groups_that_share_items_are_never_on_both_halves(
    tmp_path: Any, make_store: Callable[..., Database]
) -> None:
    twins = [(f"img-{i:03d}", f"cap-{i ^ 1:03d}-0") for i in range(N)]
    db = make_store(tmp_path / "s", **{**WORLD, "pairs": WORLD["pairs"] + twins})
    sides = db.space("eye"), db.space("tongue")
    groups = gather(db, *sides, "image")
    question = Question(choose_metric("mutual-knn"), "captions", (1,), 1, 5, 0, "cpu")
    _, scored = choose(sides, groups, question, None, None)
    kept = {one.name for one in scored}
    assert len(kept) == N // 2
    assert all(f"img-{int(one[4:]) ^ 1:03d}" in kept for one in kept)


def test_the_seed_decides(db: Database, frame: pl.DataFrame) -> None:
    assert_frame_equal(exemplar_avg(db, "eye", "tongue", **FIXED, kept=False), frame)
    other = exemplar_avg(db, "eye", "tongue", **FIXED, seed=1, kept=False)
    assert other["score"].to_list() != frame["score"].to_list()


def test_controls_can_be_left_out(db: Database, frame: pl.DataFrame) -> None:
    bare = exemplar_avg(db, "eye", "tongue", **FIXED, controls=(), kept=False)
    expected = frame.filter(pl.col("control") == "none")
    assert_frame_equal(bare, expected, abs_tol=1e-9)


@pytest.mark.parametrize("metric", sorted(METRICS))
def test_conditions_in_chunks_are_the_conditions_together(
    metric: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = torch.Generator().manual_seed(0)
    v, w = (torch.randn(60, 5, generator=rng) for _ in range(2))
    t, u = (x + torch.randn(60, 5, generator=rng) for x in (v, w))
    conditions = [[(v, t), (v, u)], [(w, t), (w, u)], [(v, t)]]
    groups = [str(i // 2) for i in range(60)]

    def scores() -> list[Any]:
        found = score_cells(choose_metric(metric), conditions, groups, folds=3, seed=0)
        return [
            (direction, one.estimate, one.low, one.high)
            for intervals in found
            for direction, one in intervals.items()
        ]

    together = scores()
    monkeypatch.setattr(cells, "_CHUNK_BYTES", 0)
    for ours, theirs in zip(scores(), together, strict=True):
        assert ours[0] == theirs[0]
        assert ours[1:] == pytest.approx(theirs[1:], abs=1e-6)
    # The first draw alone scores what it scores among others: the mean of one.
    maps = METRICS[metric].compute([v], [t], groups=groups, folds=3, seed=0)
    assert together[-1][1] == pytest.approx(maps[together[-1][0]].scores[0, 0], abs=1e-5)


def test_smaller_draws_begin_larger_ones(db: Database) -> None:
    groups = gather(db, db.space("eye"), db.space("tongue"), "image")
    question = Question(choose_metric("mutual-knn"), "captions", (1, 4), 2, 5, 0, "cpu")
    drawn = exemplar_curves._draws(groups, question, "none")
    diluted = exemplar_curves._draws(groups, question, "diluted")
    for (images, texts), (same, mixed) in zip(drawn, diluted, strict=True):
        assert (images == same).all()
        assert (texts[:, 0] == mixed[:, 0]).all()
        assert (texts[:, 1:] != mixed[:, 1:]).all()
        assert all(len(set(row)) == 4 for row in texts)
    assert (drawn[0][1] != drawn[1][1]).any()


def test_rows_run_and_picture_are_kept(tmp_path: Any, make_store: Callable[..., Database]) -> None:
    db = make_store(tmp_path / "s", **WORLD)
    exemplar_avg(db, "eye", "tongue", **FIXED, kept=False)
    assert (db.results(), len(db.runs().collect())) == ([], 0)
    found = exemplar_avg(db, "eye", "tongue", **FIXED, command="vdb analyze exemplar-avg ...")
    [run] = db.runs().collect().to_dicts()
    assert (run["outcome"], run["command"]) == ("finished", "vdb analyze exemplar-avg ...")
    assert json.loads(run["parameters"])["k"] == list(KS)
    kept = db.result("exemplar-avg").collect()
    assert_frame_equal(kept.drop("run_id"), found, check_row_order=False)
    assert db.pictures().collect()["name"].to_list() == ["curve"]


def test_without_k_the_store_says_how_many_and_the_run_keeps_it(
    tmp_path: Any, make_store: Callable[..., Database]
) -> None:
    db = make_store(tmp_path / "s", **WORLD)
    asked = {**FIXED, "k": None, "draws": 1, "controls": ()}
    found = exemplar_avg(db, "eye", "tongue", **asked)
    assert found["k"].unique().sort().to_list() == [1, 2, 4]
    [run] = db.runs().collect().to_dicts()
    assert json.loads(run["parameters"])["k"] == [1, 2, 4]


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"vision": "eyes"}, NotFoundError, "no space 'eyes'; did you mean eye"),
        ({"metric": "mutual-nn"}, NotFoundError, "no metric 'mutual-nn'"),
        ({"average": "caption"}, NotFoundError, "no side to average 'caption'; did you mean"),
        ({"group": "concepts"}, NotFoundError, "no group 'concepts'; did you mean concept"),
        ({"controls": ["dilute"]}, NotFoundError, "no control 'dilute'; did you mean diluted"),
        ({"k": ()}, InputError, "--k wants numbers"),
        ({"k": (0, 2)}, InputError, "--k wants numbers"),
        ({"draws": 0}, InputError, "--draws at least 1"),
        ({"k": (9,)}, InputError, "no image has 9 exemplars to average; the most is 4"),
        ({"average": "images"}, InputError, "an image has one image"),
        ({"language_layer": None}, InputError, "name both --vision-layer and --language-layer"),
        ({"vision_layer": 2}, NotFoundError, "has layers 0 to 1, not 2"),
        ({"vision_layer": "blocks.7"}, NotFoundError, "no layer in space 'eye' 'blocks.7'"),
        ({"folds": 400}, InputError, "400 folds of 240 items: .* at most 120"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    db: Database, wrong: dict[str, Any], kind: type[VdbError], message: str
) -> None:
    asked = {"vision": "eye", "language": "tongue", **FIXED, **wrong}
    with pytest.raises(kind, match=message) as caught:
        exemplar_avg(db, **asked, kept=False)
    assert "\n" not in str(caught.value)
