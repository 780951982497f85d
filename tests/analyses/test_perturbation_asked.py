"""What can be asked of a perturbation: both sides, other metrics, a chosen cell, an answer found again; what not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from polars.testing import assert_frame_equal

from analyses.metrics import METRICS
from analyses.perturbation import perturbation
from vdb.errors import InputError, NotFoundError, VdbError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import polars as pl

    from vdb.database import Database

N = 240
GIVEN: dict[str, Any] = {"vision_layer": 1, "language_layer": 1, "kept": False}


@pytest.fixture
def db(perturbed: Database) -> Database:
    return perturbed


def cell(frame: pl.DataFrame, variant: str, fit: str, **also: Any) -> pl.DataFrame:
    return frame.filter(scope="cell", variant=variant, fit=fit, **also)


def test_both_sides_at_once(db: Database) -> None:
    asked = ["noise+babble", "little+said-so", "same"]
    found = perturbation(db, "eye", "tongue", variants=asked, **GIVEN)
    single = perturbation(db, "eye", "tongue", variants=["little"], **GIVEN)
    told = found.filter(level="variant", scope="cell").select("variant", "altered").unique()
    assert dict(told.iter_rows()) == {
        "noise+babble": "both",
        "little+said-so": "both",
        "same": "images",
    }
    for fit in ("transfer", "refit"):
        ours = cell(found, "little+said-so", fit)["delta"].to_list()
        assert ours == pytest.approx(cell(single, "little", fit)["delta"].to_list(), abs=1e-6)
        assert (cell(found, "noise+babble", fit)["high"] < -0.4).all()


def test_a_metric_that_fits_no_map_is_recomputed(db: Database) -> None:
    found = perturbation(
        db, "eye", "tongue", metric="mutual-knn", variants=["same", "turned", "noise"], **GIVEN
    )
    assert set(found["fit"]) == {"recomputed"}
    assert set(found["direction"]) == {"symmetric"}
    rows = found.filter(scope="cell", level="variant")
    deltas = dict(rows.select("variant", "delta").iter_rows())
    assert deltas["same"] == 0
    assert deltas["turned"] == pytest.approx(0, abs=1e-6)  # k-NN does not see a rotation
    assert deltas["noise"] < -0.1
    with pytest.raises(InputError, match=r"transfer is defined for .* alone; ask for --fit refit"):
        perturbation(db, "eye", "tongue", metric="mutual-knn", fit="transfer", **GIVEN)


def test_the_cell_is_chosen_on_originals_that_are_not_scored(db: Database) -> None:
    found = perturbation(db, "eye", "tongue", variants=["noise", "some"], fit="refit", kept=False)
    rows = found.filter(scope="cell")
    assert set(rows["vision_layer"]) == set(rows["language_layer"]) == {1}
    assert set(rows["cell_rule"]) == {"best of the originals on 120 other groups"}
    assert set(rows["vision_layer_name"]) == {"blocks.1"}
    noise = rows.filter(variant="noise")
    assert set(noise["n"]) == {120}
    some = rows.filter(variant="some").row(0, named=True)
    assert some["n"] + some["left_out"] == 120
    assert set(found.filter(scope="map", variant="noise")["n"]) == {N}


def test_the_answer_is_found_again_as_it_was(
    tmp_path: Path, make_perturbed: Callable[[Path], Database]
) -> None:
    db = make_perturbed(tmp_path / "s")
    asked: dict[str, Any] = {**GIVEN, "kept": True, "variants": ["little", "noise"]}
    first = perturbation(db, "eye", "tongue", **asked)
    assert set(db.pictures().collect()["name"]) == {"deltas", "maps"}
    again = perturbation(db, "eye", "tongue", **asked)
    assert_frame_equal(first, again)
    assert len(db.runs().collect()) == 1
    assert_frame_equal(first, perturbation(db, "eye", "tongue", **asked, force=True))
    perturbation(db, "eye", "tongue", **{**asked, "seed": 1})
    assert len(db.runs().collect()) == 3


class Listener(Silent):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def say(self, message: str) -> None:
        self.told.append(message)


def test_what_was_left_out_is_said_again_with_the_answer(
    tmp_path: Path, make_perturbed: Callable[[Path], Database]
) -> None:
    db = make_perturbed(tmp_path / "s")
    asked: dict[str, Any] = {**GIVEN, "kept": True, "maps": False, "fit": "refit", "folds": 100}
    first, again = Listener(), Listener()
    perturbation(db, "eye", "tongue", **asked, progress=first)
    assert any(one.startswith("left out, some: 100 folds of 160") for one in first.told)
    perturbation(db, "eye", "tongue", **asked, progress=again)
    assert "answered before" in again.told[0]
    assert again.told[1:] == first.told


def test_without_maps_there_is_the_cell_alone(db: Database) -> None:
    asked: dict[str, Any] = {**GIVEN, "variants": ["little", "some"]}
    whole = perturbation(db, "eye", "tongue", **asked)
    alone = perturbation(db, "eye", "tongue", maps=False, **asked)
    assert_frame_equal(alone, whole.filter(scope="cell"))


@pytest.mark.parametrize("captions", ["mean", "all"])
def test_with_a_caption_each_all_choices_of_captions_are_one(db: Database, captions: Any) -> None:
    asked: dict[str, Any] = {**GIVEN, "variants": ["little", "babble", "some"]}
    one = perturbation(db, "eye", "tongue", **asked).drop("captions")
    found = perturbation(db, "eye", "tongue", captions=captions, **asked)
    assert set(found["captions"]) == {captions}
    assert_frame_equal(found.drop("captions"), one, abs_tol=1e-6)


@pytest.mark.slow  # what is fitted on a hundred halves is
@pytest.mark.parametrize("metric", sorted(METRICS))
def test_every_metric_tells_what_is_equal_from_noise(db: Database, metric: str) -> None:
    found = perturbation(db, "eye", "tongue", metric=metric, variants=["same", "noise"], **GIVEN)
    at = found.filter(scope="cell", level="variant")
    same, noise = at.filter(variant="same"), at.filter(variant="noise")
    assert same["delta"].to_list() == pytest.approx([0] * len(same), abs=1e-6)
    assert (noise["high"] < same["low"] - 0.05).all()
    assert (noise["retained"] < 0.2).all()


@pytest.mark.parametrize(
    ("wrong", "kind", "message"),
    [
        ({"variants": ["nois"]}, NotFoundError, "no variant 'nois' in space 'eye' or 'tongue'"),
        (
            {"variants": ["noise+babbel"]},
            NotFoundError,
            "'babbel' in space 'tongue'; did you mean babble",
        ),
        ({"variants": ["original"]}, InputError, "every other variant is compared with it"),
        (
            {"variants": ["babble"], "altered": "images"},
            NotFoundError,
            "no variant 'babble' in space 'eye'",
        ),
        ({"variants": ["noise+babble"], "altered": "images"}, InputError, "alters both sides"),
        ({"altered": "both"}, InputError, "no variant of both sides at once is stored"),
        ({"altered": "image"}, NotFoundError, "did you mean images"),
        ({"fit": "transfers"}, NotFoundError, "did you mean transfer"),
        ({"language_layer": None}, InputError, "name both"),
        ({"vision": "tongue"}, InputError, "--vision tongue"),
        ({"variants": ["some"], "folds": 100}, InputError, "some: 100 folds of 160 items"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    db: Database, wrong: dict[str, Any], kind: type[VdbError], message: str
) -> None:
    asked = {"vision": "eye", "language": "tongue", **GIVEN, **wrong}
    with pytest.raises(kind, match=message) as caught:
        perturbation(db, **asked)
    assert "\n" not in str(caught.value)
