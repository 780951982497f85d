"""Spaces that memory would not hold, and groups that nothing exchanges: what is left out is said, or refused."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses import streamed
from analyses.alignment import alignment
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from vdb.database import Database

N = 150
BY_GCV = {"metric": "linear-predictivity:select=gcv"}


class Heard:
    """Keeps the notices, and how far each task came."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.done: list[int] = []

    @contextmanager
    def task(self, *_: object, **__: object) -> Iterator[Heard]:
        self.done.append(0)
        yield self

    def advance(self, steps: int = 1) -> None:
        self.done[-1] += steps

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory, make_store: Callable[..., Database]) -> Database:
    """Images with two captions each, so that averaging and groups count."""
    rng = np.random.default_rng(11)
    eye, tongue, pairs = {}, {}, []
    for i in range(N):
        latent = rng.standard_normal(5)
        eye[f"i{i:03d}"] = [rng.standard_normal(7), np.append(latent, 1.0)]
        for j in range(2):
            tongue[f"c{i:03d}-{j}"] = [latent + rng.standard_normal(5), rng.standard_normal(8)]
            pairs.append((f"i{i:03d}", f"c{i:03d}-{j}"))
    return make_store(tmp_path_factory.mktemp("large") / "s", eye=eye, tongue=tongue, pairs=pairs)


@pytest.mark.parametrize("captions", ["one", "mean", "all"])
def test_streamed_is_whole(db: Database, monkeypatch: pytest.MonkeyPatch, captions: Any) -> None:
    given: dict[str, Any] = {**BY_GCV, "captions": captions, "kept": False}
    whole = alignment(db, "eye", "tongue", **given)
    monkeypatch.setattr(streamed, "IN_MEMORY", 0)
    heard = Heard()
    large = alignment(db, "eye", "tongue", **given, progress=heard)  # type: ignore[arg-type]
    assert_frame_equal(large, whole.filter(pl.col("control") != "bag-of-words"), abs_tol=1e-6)
    assert set(large["control"]) == {"none", "mismatched"}
    assert sum("bag-of-words" in one for one in heard.said) == 1
    assert heard.done == [100, 100]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"controls": ["bag-of-words"]}, "leave it out"),
        ({"permutations": 9}, "--permutations 0"),
        ({"metric": "rsa", "permutations": 0}, "use linear-predictivity"),
    ],
)
def test_what_cannot_be_streamed_is_refused_where_it_was_asked_for(
    db: Database, monkeypatch: pytest.MonkeyPatch, asked: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(streamed, "IN_MEMORY", 0)
    with pytest.raises(InputError, match=words) as caught:
        alignment(db, "eye", "tongue", **{**BY_GCV, "controls": (), **asked}, kept=False)
    assert "\n" not in str(caught.value)


def test_an_answer_that_lacks_a_control_is_none_to_who_names_it(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streamed, "IN_MEMORY", 0)
    alignment(db, "eye", "tongue", **BY_GCV)
    with pytest.raises(InputError, match="'bag-of-words' cannot be"):
        alignment(db, "eye", "tongue", **BY_GCV, controls=["bag-of-words", "mismatched"])


def test_groups_that_nothing_exchanges_have_no_null_unless_it_is_asked_for(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    """Five images of one to five captions: no two groups are of one size."""
    rng = np.random.default_rng(0)
    pairs = [(f"i{i}", f"c{i}{j}") for i in range(5) for j in range(i + 1)]
    eye = {f"i{i}": [rng.standard_normal(3)] for i in range(5)}
    tongue = {caption: [rng.standard_normal(3)] for _, caption in pairs}
    db = make_store(tmp_path / "s", eye=eye, tongue=tongue, pairs=pairs)
    given: dict[str, Any] = {"metric": "mutual-knn:k=2", "captions": "all", "controls": ()}
    given |= {"folds": 2, "kept": False}
    heard = Heard()
    frame = alignment(db, "eye", "tongue", **given, progress=heard)  # type: ignore[arg-type]
    assert frame["p"].null_count() == len(frame)
    assert [one.startswith("no null: ") for one in heard.said] == [True]
    with pytest.raises(InputError, match="--permutations 0"):
        alignment(db, "eye", "tongue", **given, permutations=9)


def test_rows_that_no_permutation_moves_are_said(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    """One image of three captions among six of one."""
    rng = np.random.default_rng(0)
    pairs = [(f"i{i}", f"c{i}{j}") for i in range(7) for j in range(3 if i == 6 else 1)]
    eye = {f"i{i}": [rng.standard_normal(3)] for i in range(7)}
    tongue = {caption: [rng.standard_normal(3)] for _, caption in pairs}
    db = make_store(tmp_path / "s", eye=eye, tongue=tongue, pairs=pairs)
    given: dict[str, Any] = {"metric": "mutual-knn:k=2", "captions": "all", "controls": ()}
    heard = Heard()
    asked = {**given, "folds": 2, "kept": False, "permutations": 9}
    frame = alignment(db, "eye", "tongue", **asked, progress=heard)  # type: ignore[arg-type]
    assert frame["p"].null_count() == 0
    assert [one for one in heard.said if "3 of 9 rows stay in every permutation" in one]
