"""Self-alignment of spaces whose variants have a closed form."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from polars.testing import assert_frame_equal

from analyses.pictures import render
from analyses.pictures.self_alignment import self_profile
from analyses.self_alignment import self_alignment
from analyses.self_alignment.items import item_cosines, items
from vdb.errors import InputError, NotFoundError, VdbError
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from vdb.database import Database

N, WIDTH, OFFSET = 300, 40, 5.0


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    """Layer 0 is the same for all; layer 1 is noise of unit variance around a point far from the origin.

    ``shifted`` adds noise of unit variance, ``unrelated`` draws everything anew, ``some`` is of a third of the images.
    Captions 0 and 1 belong to image 0, and so on.
    """
    rng = np.random.default_rng(2)
    names = [f"img-{i:03d}" for i in range(N)]
    noise = {one: rng.standard_normal(WIDTH) for one in names}
    eye = {one: [np.ones(3), x + OFFSET] for one, x in noise.items()}
    tongue = {f"cap-{i:03d}": [rng.standard_normal(3)] for i in range(20)}
    pairs = [(f"img-{i // 2:03d}", one) for i, one in enumerate(tongue)]
    place = tmp_path_factory.mktemp("self") / "s"
    db = make_store(place, eye=eye, tongue=tongue, pairs=pairs)
    altered = {
        "equal": noise,
        "shifted": {one: x + rng.standard_normal(WIDTH) for one, x in noise.items()},
        "unrelated": {one: rng.standard_normal(WIDTH) for one in names},
        "some": {one: noise[one] for one in names[:100]},
    }
    for variant, vectors in altered.items():
        block = np.stack([np.r_[np.ones(3), x + OFFSET] for x in vectors.values()])
        with SpaceWriter(db.space("eye")) as writer:
            writer.write([Row(one, None, variant) for one in vectors], block.astype(np.float32))
    with SpaceWriter(db.space("tongue")) as writer:
        block = np.stack([x[0] for x in tongue.values()]).astype(np.float32)
        writer.write([Row(one, None, "again") for one in tongue], block)
    return db


@pytest.fixture(scope="module")
def frame(db: Database) -> pl.DataFrame:
    return self_alignment(db, "eye", kept=False)


def row(frame: pl.DataFrame, variant: str, metric: str, control: str = "none") -> dict[str, Any]:
    return frame.filter(variant=variant, metric=metric, control=control, layer=1).row(0, named=True)


def test_a_cosine_says_nothing_without_the_cosine_of_unrelated_items(frame: pl.DataFrame) -> None:
    """Around a point at distance OFFSET a unit, unrelated vectors have OFFSET^2 / (OFFSET^2 + 1) in common."""
    common = OFFSET**2 / (OFFSET**2 + 1)
    assert row(frame, "unrelated", "cosine")["score"] == pytest.approx(common, abs=0.01)
    mismatched = row(frame, "equal", "cosine", "mismatched")
    assert mismatched["score"] == pytest.approx(common, abs=0.01)
    centred = row(frame, "unrelated", "cosine-centred")
    assert centred["score"] == pytest.approx(0, abs=0.04)
    assert centred["low"] < 0.03
    assert row(frame, "equal", "cosine-centred", "mismatched")["score"] == pytest.approx(
        0, abs=0.04
    )


def test_the_closed_form_of_added_noise(frame: pl.DataFrame) -> None:
    """Of x and x + e, of equal variance: 1 / sqrt(2)."""
    found = row(frame, "shifted", "cosine-centred")
    assert found["score"] == pytest.approx(1 / np.sqrt(2), abs=0.02)
    assert found["low"] < found["score"] < found["high"] < found["low"] + 0.05


def test_what_did_not_change_is_one(frame: pl.DataFrame) -> None:
    for metric in ("cosine", "cosine-centred", "mutual-knn"):
        assert row(frame, "equal", metric)["score"] == pytest.approx(1, abs=1e-12)
    chance = row(frame, "equal", "mutual-knn", "mismatched")
    assert chance["score"] == pytest.approx(10 / (N - 1), abs=0.02)


def test_a_layer_that_is_the_same_for_all_has_a_cosine_and_no_centred_one(
    frame: pl.DataFrame,
) -> None:
    at = frame.filter(layer=0, control="none", variant="equal")
    scores = dict(at.select("metric", "score").iter_rows())
    assert scores["cosine"] == pytest.approx(1)
    assert scores["cosine-centred"] is None


def test_linear_predictivity_has_two_directions(db: Database) -> None:
    found = self_alignment(
        db, "eye", variants=["shifted"], metric="linear-predictivity", kept=False
    )
    at = found.filter(layer=1, metric="linear-predictivity", control="none")
    scores = dict(at.select("direction", "score").iter_rows())
    assert set(scores) == {"variant->original", "original->variant"}
    # Unrelated units of one layer: each is predicted by its own noisy copy, and by nothing else.
    for score in scores.values():
        assert score == pytest.approx(1 / np.sqrt(2), abs=0.06)
    still = found.filter(layer=0, metric="linear-predictivity")
    assert set(still["score"]) == {None}


def test_left_out_items_are_counted(frame: pl.DataFrame) -> None:
    told = frame.select("variant", "n", "left_out").unique()
    assert {one[0]: one[1:] for one in told.iter_rows()} == {
        "some": (100, 200),
        **dict.fromkeys(["equal", "shifted", "unrelated"], (N, 0)),
    }


def test_items_of_one_partner_share_a_group(db: Database) -> None:
    found = items(db, db.space("tongue"), "again")
    assert found.groups[:4] == ["cap-000", "cap-000", "cap-002", "cap-002"]
    assert len(set(items(db, db.space("eye"), "equal").groups)) == N


def test_a_vector_without_a_direction_has_no_cosine() -> None:
    import torch  # noqa: PLC0415

    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    y = x.clone()
    assert item_cosines(x, y, centred=False) == pytest.approx(np.ones(4))
    y[2] = 0
    assert item_cosines(x, y, centred=False) is None


def test_the_answer_is_found_again(db: Database) -> None:
    first = self_alignment(db, "eye", variants=["shifted", "some"])
    assert_frame_equal(self_alignment(db, "eye", variants=["shifted", "some"]), first)
    assert len(db.runs().collect()) == 1
    assert_frame_equal(self_alignment(db, "eye", variants=["shifted", "some"], force=True), first)
    assert len(db.runs().collect()) == 2


def test_the_picture_has_a_panel_a_metric(frame: pl.DataFrame) -> None:
    chart = self_profile(frame).to_dict()
    titles = [panel["title"]["text"] for panel in chart["concat"]]
    assert titles == ["cosine", "cosine, mean taken away", "Mutual k-NN"]
    assert "shifted" in render(self_profile(frame)).description
    with pytest.raises(VdbError, match="has no column depth"):
        self_profile(frame.drop("depth"))
    with pytest.raises(VdbError, match="has no score"):
        self_profile(frame.clear())


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"space": "eey"}, NotFoundError, "did you mean eye"),
        ({"variants": ["shifte"]}, NotFoundError, "in space 'eye'; did you mean shifted"),
        ({"variants": ["original"]}, InputError, "every other variant is compared with it"),
        ({"variants": ["some"], "folds": 101}, InputError, "101 folds of 100 items"),
        ({"metric": "mutual"}, NotFoundError, "no metric 'mutual'"),
        ({"datasets": ["toys"]}, NotFoundError, "did you mean toy"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    db: Database, wrong: dict[str, Any], kind: type[VdbError], message: str
) -> None:
    with pytest.raises(kind, match=message) as caught:
        self_alignment(db, **{"space": "eye", "kept": False, **wrong})
    assert "\n" not in str(caught.value)
