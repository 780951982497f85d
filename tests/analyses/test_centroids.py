"""Centroids as a space of their own, read like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from analyses.alignment import alignment
from analyses.exemplar_avg import exemplar_avg
from vdb import overview
from vdb.errors import InputError, RecipeMismatchError
from vdb.recipe import CENTROIDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

N, PER = 40, 3
ASKED: dict[str, Any] = {
    "k": (1, 2),
    "draws": 1,
    "controls": (),
    "kept": False,
    "vision_layer": -1,
    "language_layer": -1,
}


def _world(*, shared: bool = False) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    eye, tongue, pairs, concepts = {}, {}, [], {}
    for i in range(N):
        image = f"img-{i:02d}"
        eye[image] = [rng.standard_normal(3), rng.standard_normal(4)]
        concepts[image] = f"concept-{i // 4}"
        for j in range(PER):
            caption = f"cap-{i:02d}-{j}"
            tongue[caption] = [
                eye[image][0] + rng.standard_normal(3),
                eye[image][1] + rng.standard_normal(4),
            ]
            concepts[caption] = concepts[image]
            pairs.append((image, caption))
    if shared:  # the captions of the first image are all said of the second too
        pairs += [("img-01", f"cap-00-{j}") for j in range(PER)]
    return {"eye": eye, "tongue": tongue, "pairs": pairs, "concepts": concepts}


WORLD = _world()


@pytest.fixture
def db(tmp_path: Path, make_store: Callable[..., Database]) -> Database:
    return make_store(tmp_path / "s", **WORLD)


def _mean(ids: list[str], layer: int, side: str = "tongue") -> np.ndarray:
    return np.mean([np.float32(WORLD[side][one][layer]) for one in ids], axis=0)


def test_an_image_s_captions_stand_under_the_first_of_them(db: Database) -> None:
    exemplar_avg(db, "eye", "tongue", **ASKED, save="said")
    space = db.space("said")
    assert space.ids() == [f"cap-{i:02d}-0" for i in range(N)]
    for layer in (0, 1):
        ids, values = space.matrix(layer)
        for i, one in enumerate(ids):
            own = [f"{one[:-1]}{j}" for j in range(PER)]
            assert values[i] == pytest.approx(_mean(own, layer), abs=1e-6)
    rows = db.scan("said", layers=[]).collect()
    assert dict(zip(rows["caption_id"], rows["concept_id"], strict=True))["cap-05-0"] == "concept-1"
    told = space.recipe.preprocessing[CENTROIDS]
    assert told["of"] == db.space("tongue").recipe.fingerprint
    assert (told["group"], told["groups"], told["fewest"], told["most"]) == ("image", N, PER, PER)


def test_the_space_is_asked_like_any_other(db: Database) -> None:
    exemplar_avg(db, "eye", "tongue", **ASKED, save="said")
    near = db.neighbours("said", layer=-1, of="cap-03-0", k=3)
    assert len(near) == 3
    found = alignment(db, "eye", "said", controls=(), kept=False)
    means = alignment(db, "eye", "tongue", captions="mean", controls=(), kept=False)
    assert set(found["n"]) == {N}
    assert found["score"].to_list() == pytest.approx(means["score"].to_list(), abs=1e-5)
    # A centroid of an image's captions is one exemplar of its concept.
    again = exemplar_avg(db, "eye", "said", group="concept", **ASKED)
    assert set(again["n"]) == {N // 4}
    with pytest.raises(InputError, match="no image has 2 exemplars to average; the most is 1"):
        exemplar_avg(db, "eye", "said", **ASKED)
    grid = overview.overview(db).filter(space="said")
    assert (grid["expected"].item(), grid["stored"].item(), grid["remaining"].item()) == (N, N, 0)


def test_concepts_of_both_sides_are_two_spaces_that_pair(db: Database) -> None:
    exemplar_avg(db, "eye", "tongue", group="concept", average="both", **ASKED, save="mean")
    images, captions = db.space("mean-images"), db.space("mean-captions")
    assert images.ids() == [f"img-{i:02d}" for i in range(0, N, 4)]
    assert captions.ids() == [f"cap-{i:02d}-0" for i in range(0, N, 4)]
    own = [f"img-{i:02d}" for i in range(4)]
    assert images.matrix(1, ids=["img-00"]).values[0] == pytest.approx(
        _mean(own, 1, "eye"), abs=1e-6
    )
    rows = db.scan("mean-captions", layers=[]).collect()
    assert sorted(rows["concept_id"]) == sorted(f"concept-{i}" for i in range(N // 4))
    found = alignment(db, "mean-images", "mean-captions", controls=(), folds=2, kept=False)
    assert set(found["n"]) == {N // 4}


def test_saving_again_adds_nothing_and_finishes_what_was_cut_short(db: Database) -> None:
    exemplar_avg(db, "eye", "tongue", **ASKED, save="said")
    before = db.space("said").matrix(1)
    exemplar_avg(db, "eye", "tongue", **ASKED, save="said")
    assert db.space("said").counts() == {"original": N}
    db.space("said").table.delete("caption_id = 'cap-07-0'")
    exemplar_avg(db, "eye", "tongue", **ASKED, save="said")
    after = db.space("said").matrix(1)
    assert after.ids == before.ids
    assert np.array_equal(after.values, before.values)


def test_other_centroids_under_the_name_are_refused_before_any_work(db: Database) -> None:
    exemplar_avg(db, "eye", "tongue", **ASKED, save="said")
    with pytest.raises(RecipeMismatchError, match=r"space 'said' holds another recipe: .*concept"):
        exemplar_avg(db, "eye", "tongue", group="concept", **ASKED, save="said")
    with pytest.raises(RecipeMismatchError, match="space 'tongue' holds another recipe"):
        exemplar_avg(db, "eye", "tongue", **ASKED, save="tongue")
    with pytest.raises(InputError):
        exemplar_avg(db, "eye", "tongue", **ASKED, save="no/name")
    assert len(db.spaces().collect()) == 3


def test_a_group_without_an_exemplar_of_its_own_is_refused(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    db = make_store(tmp_path / "t", **_world(shared=True))
    with pytest.raises(InputError, match=r"1 of 40 images share all their captions.*'img-00'"):
        exemplar_avg(db, "eye", "tongue", **ASKED, save="said")
    assert len(db.spaces().collect()) == 2
