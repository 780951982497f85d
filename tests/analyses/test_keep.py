"""What was kept is given back as it was computed, and only where it answers the very question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses import keep
from analyses.alignment import alignment
from analyses.exemplar_avg import exemplar_avg
from analyses.forced_choice import forced_choice
from analyses.geometry import geometry
from analyses.matching import match
from analyses.perturbation import perturbation
from analyses.retrieval import retrieval
from analyses.self_alignment import self_alignment
from vdb import items
from vdb.errors import InputError
from vdb.variants import define
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

N = 60
SIDES = ("eye", "tongue")
CHEAP = {"metric": "mutual-knn"}
ASKED: dict[str, Callable[..., pl.DataFrame]] = {
    "alignment": lambda db, **given: alignment(db, *SIDES, **CHEAP, permutations=5, **given),
    "exemplar-avg": lambda db, **given: exemplar_avg(
        db, *SIDES, metric="mutual-knn:k=3", group="concept", draws=2, **given
    ),
    "perturbation": lambda db, **given: perturbation(db, *SIDES, **given),
    "self-alignment": lambda db, **given: self_alignment(db, "eye", **CHEAP, **given),
    "forced-choice": lambda db, **given: forced_choice(db, *SIDES, strengths=[1.0], **given),
    "retrieval": lambda db, **given: retrieval(db, *SIDES, **given),
    "geometry": lambda db, **given: geometry(db, SIDES, **given),
}


def _trials() -> pl.DataFrame:
    """Ask which of two photos a caption is of, of photos that no pair has."""
    extra = range(N, N + 20, 2)
    return pl.DataFrame(
        {
            "trial_id": [f"t{i}" for i in extra],
            "direction": "text-to-image",
            "query_id": [f"c{i:03d}-0" for i in extra],
            "candidate_0": [f"i{i:03d}" for i in extra],
            "candidate_1": [f"i{i + 1:03d}" for i in extra],
            "label": [float(i % 4 == 0) for i in extra],
            "weight": 1.0,
            "gap": pl.Series([None] * len(extra), dtype=pl.Float64),
            "scores_0": pl.Series([None] * len(extra), dtype=pl.List(pl.Float64)),
            "scores_1": pl.Series([None] * len(extra), dtype=pl.List(pl.Float64)),
            "judge": pl.Series([None] * len(extra), dtype=pl.String),
            "dataset": "asked",
            "source": "made for a test",
        }
    )


def _store(path: Path, make_store: Callable[..., Database]) -> Database:
    """Sixty images with two captions each, in concepts of three, one variant of the images, and trials."""
    rng = np.random.default_rng(3)
    eye, tongue, pairs, concepts = {}, {}, [], {}
    for i in range(N + 20):
        latent = rng.standard_normal(4)
        image = f"i{i:03d}"
        eye[image] = [rng.standard_normal(3), latent]
        concepts[image] = f"concept-{i // 3:02d}"
        for j in range(2):
            caption = f"c{i:03d}-{j}"
            tongue[caption] = [latent + rng.standard_normal(4), rng.standard_normal(5)]
            if i < N:
                pairs.append((image, caption))
    db = make_store(path, eye=eye, tongue=tongue, pairs=pairs, concepts=concepts)
    items.add(db, {"trials": _trials()})
    with SpaceWriter(db.space("eye")) as writer:
        block = np.stack([np.concatenate(one) for one in eye.values()])
        noisy = (block + 0.3 * rng.standard_normal(block.shape)).astype(np.float32)
        writer.write([Row(one, None, "blurred") for one in eye], noisy)
    define(db, "blurred", "image", "appearance", {"made": "for a test"}, "print", "a test")
    return db


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    return _store(tmp_path_factory.mktemp("keep") / "s", make_store)


@pytest.mark.parametrize("name", ASKED)
def test_what_is_found_again_is_what_was_computed(db: Database, name: str) -> None:
    """Also where another vdb widened the table: rows, their order, columns, their order and their types."""
    ask = ASKED[name]
    fresh = ask(db)
    runs = db.runs().collect().height
    db.keep_result(name, pl.DataFrame({"told by a later vdb": [1.5]}), "run of a later vdb")
    assert_frame_equal(ask(db), fresh)
    assert db.runs().collect().height == runs
    again = ask(db, force=True)
    assert db.runs().collect().height == runs + 1
    assert_frame_equal(again, fresh)


def _keep(db: Database, mark: str, rows: pl.DataFrame, error: BaseException | None = None) -> None:
    entered = {keep.QUESTION: mark}
    with keep.run(db, "asked", "", entered, 0, kept=True) as book:
        book.keep(rows, {})
        if error is not None:
            raise error


@pytest.mark.parametrize("error", [InputError("no"), ValueError("no"), KeyboardInterrupt()])
def test_a_run_that_did_not_finish_is_no_answer(db: Database, error: BaseException) -> None:
    rows = pl.DataFrame({"score": [0.25, 0.5]})
    mark = f"of {type(error).__name__}"
    with pytest.raises(type(error)):
        _keep(db, mark, rows, error)
    assert len(db.result("asked").collect())  # there they are
    assert keep.answered(db, "asked", mark) is None
    _keep(db, mark, rows)
    found = keep.answered(db, "asked", mark)
    assert found is not None
    assert_frame_equal(found, rows)


def test_rows_come_back_in_their_order_and_not_in_that_of_their_keys(db: Database) -> None:
    rows = pl.DataFrame({"place": list(range(1234))[::-1], "empty": pl.Series([None] * 1234)})
    rows = rows.with_columns(pl.col("empty").cast(pl.Float64))
    _keep(db, "long", rows)
    found = keep.answered(db, "asked", "long")
    assert found is not None
    assert_frame_equal(found, rows)


@pytest.mark.parametrize("change", [{"texts": {"c7": "other words"}}, {"digests": {"i7": "other"}}])
def test_other_content_under_the_same_ids_is_another_question(
    tmp_path: Path, make_store: Callable[..., Database], change: dict[str, Any]
) -> None:
    """As after `vdb remove` and adding the data set again."""
    vectors = np.random.default_rng(0).standard_normal((9, 1, 3))
    eye, tongue = ({f"{kind}{i}": list(vectors[i]) for i in range(9)} for kind in "ic")
    pairs = list(zip(eye, tongue, strict=True))
    stores = [
        make_store(tmp_path / f"s{i}", eye=eye, tongue=tongue, pairs=pairs, **given)
        for i, given in enumerate(({}, {}, change))
    ]
    first, same, other = (match(db, *map(db.space, SIDES)) for db in stores)
    assert (first.image_ids, first.groups) == (other.image_ids, other.groups)
    assert first.digest == same.digest != other.digest
