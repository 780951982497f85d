from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.alignment import alignment
from analyses.matching import match, mean_rows, pair_groups, stored_pairs
from analyses.metrics.folds import assign_folds
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from vdb.database import Database

PAIRS = [
    ("b", "b2"),
    ("b", "b1"),
    ("a", "a1"),
    ("c", "c1"),
    ("c", "b1"),  # shares a caption with b
    ("d", "d1"),
    ("e", "e1"),  # e has no vector
    ("f", "f1"),  # f1 has no vector
    ("f", "f2"),
]
EYE = {one: [np.array([ord(one), 1.0]), np.array([-ord(one)])] for one in "fdcba"}
TONGUE = {
    one: [np.array([ord(one[0]), int(one[1]), 1.0])]
    for one in ("f2", "e1", "d1", "c1", "b2", "b1", "a1")
}


@pytest.fixture
def db(tmp_path: Path, make_store: Callable[..., Database]) -> Database:
    return make_store(
        tmp_path / "s", eye=EYE, tongue=TONGUE, pairs=PAIRS, datasets={"d": "other", "d1": "other"}
    )


def test_the_first_caption_by_id_of_every_image(db: Database) -> None:
    rows = match(db, db.space("eye"), db.space("tongue"), "one")
    assert rows.image_ids == ["a", "b", "c", "d", "f"]
    assert rows.caption_ids == [["a1"], ["b1"], ["b1"], ["d1"], ["f2"]]
    assert rows.groups == ["a", "b", "b", "d", "f"]
    assert rows.unmatched == 2  # (e, e1) and (f, f1)


def test_all_captions_of_every_image_for_their_mean(db: Database) -> None:
    rows = match(db, db.space("eye"), db.space("tongue"), "mean")
    assert rows.image_ids == ["a", "b", "c", "d", "f"]
    assert rows.caption_ids == [["a1"], ["b1", "b2"], ["b1", "c1"], ["d1"], ["f2"]]
    assert rows.groups == ["a", "b", "b", "d", "f"]


def test_a_row_for_each_caption(db: Database) -> None:
    rows = match(db, db.space("eye"), db.space("tongue"), "all")
    assert list(zip(rows.image_ids, rows.caption_ids, strict=True)) == [
        ("a", ["a1"]),
        ("b", ["b1"]),
        ("b", ["b2"]),
        ("c", ["b1"]),
        ("c", ["c1"]),
        ("d", ["d1"]),
        ("f", ["f2"]),
    ]
    assert rows.groups == ["a", "b", "b", "b", "b", "d", "f"]


def test_what_shares_a_caption_shares_a_fold(db: Database) -> None:
    rows = match(db, db.space("eye"), db.space("tongue"), "all")
    for seed in range(20):
        folds = assign_folds(rows.groups, 3, seed)
        assert len({folds[i] for i, one in enumerate(rows.image_ids) if one in "bc"}) == 1


def test_only_pairs_of_a_data_set(db: Database) -> None:
    rows = match(db, db.space("eye"), db.space("tongue"), "one", ["other"])
    assert (rows.image_ids, rows.caption_ids, rows.unmatched) == (["d"], [["d1"]], 0)


def test_a_mistyped_data_set_is_told_from_an_empty_one(db: Database) -> None:
    with pytest.raises(NotFoundError, match="no data set 'othr'; did you mean other"):
        match(db, db.space("eye"), db.space("tongue"), "one", ["othr"])


def test_an_unknown_choice_of_captions_is_refused(db: Database) -> None:
    with pytest.raises(NotFoundError, match="choice of captions 'first'"):
        match(db, db.space("eye"), db.space("tongue"), "first")  # type: ignore[arg-type]


def test_sides_of_the_wrong_modality_are_refused(db: Database) -> None:
    eye, tongue = db.space("eye"), db.space("tongue")
    with pytest.raises(InputError, match="--vision tongue: that space holds vectors of texts"):
        stored_pairs(db, tongue, tongue)
    with pytest.raises(InputError, match="--language eye: that space holds vectors of images"):
        stored_pairs(db, eye, eye)


def test_no_pair_with_vectors_on_both_sides(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    db = make_store(tmp_path / "s", eye=EYE, tongue=TONGUE, pairs=[("e", "e1"), ("f", "f1")])
    with pytest.raises(InputError, match="none of the store's 2 pairs"):
        match(db, db.space("eye"), db.space("tongue"))


def test_rows_are_read_by_id_and_averaged(db: Database) -> None:
    [tongue] = mean_rows(db.space("tongue"), [["b1", "b2"], ["a1"], ["b1", "c1"], ["f2"]])
    assert tongue.dtype == np.float32
    assert tongue.tolist() == [[98, 1.5, 1], [97, 1, 1], [98.5, 1, 1], [102, 2, 1]]
    eye = mean_rows(db.space("eye"), [["d"], ["a"], ["d"]])
    assert [layer.tolist() for layer in eye] == [
        [[100, 1], [97, 1], [100, 1]],
        [[-100], [-97], [-100]],
    ]
    [second] = mean_rows(db.space("eye"), [["c"]], layers=[1])
    assert second.tolist() == [[-99]]


def _components(pairs: list[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """Grow each image's component until nothing is added: the slow way."""
    found = {}
    for image, _ in pairs:
        inside = {image}
        while True:
            texts = {t for i, t in pairs if i in inside}
            grown = {i for i, t in pairs if t in texts}
            if grown == inside:
                break
            inside = grown
        found[image] = frozenset(inside)
    return found


@given(
    st.sets(
        st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["s", "t", "u", "v", "w", "a"])),
        min_size=1,
    )
)
def test_groups_are_the_connected_components(chosen: set[tuple[str, str]]) -> None:
    pairs = sorted(chosen)
    groups = pair_groups(pl.DataFrame(pairs, schema=["image_id", "caption_id"], orient="row"))
    component = _components(pairs)
    assert groups == [min(component[image]) for image, _ in pairs]


def test_one_photo_and_one_sentence_under_two_ids_are_one_group(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    """Photos a and c are the same file; images b and d have captions that say the same."""
    db = make_store(
        tmp_path / "s",
        eye={one: EYE[one] for one in "abcd"},
        tongue=TONGUE,
        pairs=[("a", "a1"), ("b", "b1"), ("c", "c1"), ("d", "d1")],
        texts={"b1": "a man riding a wave", "d1": "a man riding a wave"},
        digests={"a": "same", "c": "same"},
    )
    rows = match(db, db.space("eye"), db.space("tongue"))
    assert rows.image_ids == ["a", "b", "c", "d"]
    assert rows.groups == ["a", "b", "a", "b"]


def test_nulls_connect_nothing() -> None:
    rows = pl.DataFrame({"name": ["c", "b", "a"], "x": [None, "1", None], "y": ["2", None, "2"]})
    assert pair_groups(rows) == ["a", "b", "a"]


def _noise(
    width: int, seed: int, ids: list[str], alike: int
) -> dict[str, list[NDArray[np.float64]]]:
    """Draw noise that each ``alike`` successive ids have in common."""
    drawn = np.random.default_rng(seed).standard_normal((len(ids), width))
    return {one: [drawn[i // alike]] for i, one in enumerate(ids)}


def test_duplicates_do_not_leak_between_folds(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    """Noise that is all there twice aligns with itself if a fit may see the other copy of what it predicts."""
    images, captions = ([f"{kind}{i:03d}" for i in range(240)] for kind in "ic")
    db = make_store(
        tmp_path / "s",
        eye=_noise(60, 1, images, 2),
        tongue=_noise(60, 2, captions, 2),
        pairs=list(zip(images, captions, strict=True)),
        texts={one: f"text {i // 2}" for i, one in enumerate(captions)},
        digests={one: f"file {i // 2}" for i, one in enumerate(images)},
    )
    found = alignment(db, "eye", "tongue", controls=(), kept=False)
    assert set(found["groups"]) == {120}
    assert np.abs(found["score"].to_numpy()).max() < 0.15  # r has a standard error of 1 / sqrt(120)


def test_mismatched_rows_of_all_captions_are_of_other_images(
    tmp_path: Path, make_store: Callable[..., Database]
) -> None:
    """An image's four captions are its vector: whatever is moved within an image stays aligned."""
    images = [f"i{i:03d}" for i in range(60)]
    captions = [f"{one}-{j}" for one in images for j in range(4)]
    db = make_store(
        tmp_path / "s",
        eye=_noise(4, 1, images, 1),
        tongue=_noise(4, 1, captions, 4),
        pairs=[(one.split("-")[0], one) for one in captions],
    )
    found = alignment(db, "eye", "tongue", captions="all", controls=["mismatched"], kept=False)
    assert set(found["n"]) == {240}
    own, wrong = (
        found.filter(pl.col("control") == one)["score"].to_numpy() for one in ("none", "mismatched")
    )
    assert own.min() > 0.99
    assert np.abs(wrong).max() < 0.35  # three in four captions in place would give .75
