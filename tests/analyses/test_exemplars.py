from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analyses.exemplar_avg.exemplars import Group, draw, enough, from_other_groups, gather, usual_ks
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

PAIRS = [
    ("i1", "c1"),
    ("i1", "c2"),
    ("i2", "c2"),
    ("i2", "c3"),
    ("i3", "c4"),
    ("i4", "unread"),
    ("unseen", "c4"),
]
CONCEPTS = {"i1": "dog", "i2": "dog", "i3": "cat", "i4": "cat", "unseen": "cat"}


def _vectors(*names: str) -> dict[str, list[np.ndarray[Any, Any]]]:
    return {name: [np.array([float(ord(name[0])), float(ord(name[1]))])] for name in names}


@pytest.fixture
def store(tmp_path: Path, make_store: Callable[..., Database]) -> Callable[..., Database]:
    def make(**given: Any) -> Database:
        sides = {
            "eye": _vectors("i4", "i3", "i2", "i1"),
            "tongue": _vectors("c4", "c3", "c2", "c1"),
        }
        return make_store(tmp_path / "s", **{**sides, "pairs": PAIRS, **given})

    return make


def _gather(db: Database, by: Any, **options: Any) -> list[Group]:
    return gather(db, db.space("eye"), db.space("tongue"), by, **options)


def test_an_image_with_each_of_its_captions(store: Callable[..., Database]) -> None:
    assert _gather(store(), "image") == [
        Group("i1", "i1", ("i1",), (("c1", "c2"),)),
        Group("i2", "i1", ("i2",), (("c2", "c3"),)),  # shares c2 with i1, so it shares its fold
        Group("i3", "i3", ("i3",), (("c4",),)),
    ]


def test_a_caption_with_each_of_its_images(store: Callable[..., Database]) -> None:
    assert _gather(store(), "caption") == [
        Group("c1", "i1", ("i1",), (("c1",),), paired=True),
        Group("c2", "i1", ("i1", "i2"), (("c2",), ("c2",)), paired=True),
        Group("c3", "i1", ("i2",), (("c3",),), paired=True),
        Group("c4", "i3", ("i3",), (("c4",),), paired=True),
    ]


def test_a_concept_with_each_of_its_images_and_their_captions(
    store: Callable[..., Database],
) -> None:
    assert _gather(store(concepts=CONCEPTS), "concept") == [
        Group("cat", "cat", ("i3", "i4"), (("c4",), ()), paired=True),  # nothing was said of i4
        Group("dog", "dog", ("i1", "i2"), (("c1", "c2"), ("c2", "c3")), paired=True),
    ]


def test_concepts_that_share_a_caption_share_a_fold(store: Callable[..., Database]) -> None:
    db = store(concepts=CONCEPTS, pairs=[*PAIRS, ("i3", "c3")])
    assert [(one.name, one.fold_group) for one in _gather(db, "concept")] == [
        ("cat", "cat"),
        ("dog", "cat"),
    ]


def test_a_concept_whose_captions_belong_to_no_image(store: Callable[..., Database]) -> None:
    said = {"c1": "dog", "c2": "dog", "c3": "cat", "c4": "bird"}
    db = store(pairs=[], concepts={**CONCEPTS, **said})
    assert _gather(db, "concept") == [
        Group("bird", "bird", (), (("c4",),)),  # for enough() to leave out
        Group("cat", "cat", ("i3", "i4"), (("c3",),)),
        Group("dog", "dog", ("i1", "i2"), (("c1", "c2"),)),
    ]


def test_each_concept_is_paired_or_not_by_itself(store: Callable[..., Database]) -> None:
    """A pair of one concept takes nothing from another that has captions of its own, or has none."""
    db = store(
        pairs=[("i1", "c1")],
        concepts={"i1": "dog", "i2": "dog", "i3": "cat", "c3": "cat", "c4": "cat", "i4": "bird"},
    )
    groups = _gather(db, "concept")
    assert groups == [
        Group("bird", "bird", ("i4",), ((),)),
        Group("cat", "cat", ("i3",), (("c3", "c4"),)),
        Group("dog", "dog", ("i1", "i2"), (("c1",), ()), paired=True),
    ]
    assert [one.name for one in enough(groups, 1, "concept", "captions")] == ["cat", "dog"]
    assert [one.name for one in enough(groups, 2, "concept", "captions")] == ["cat"]
    assert [one.name for one in enough(groups, 2, "concept", "images")] == ["dog"]


@pytest.mark.parametrize("pairs", [PAIRS, []])
@pytest.mark.parametrize(
    "alike", [{"digests": {"i1": "x", "i3": "x"}}, {"texts": {"c1": "a", "c4": "a"}}]
)
def test_concepts_that_share_content_share_a_fold(
    store: Callable[..., Database], pairs: Any, alike: dict[str, Any]
) -> None:
    said = {"c1": "dog", "c4": "cat"}
    groups = _gather(store(pairs=pairs, concepts={**CONCEPTS, **said}, **alike), "concept")
    assert [(one.name, one.fold_group) for one in groups] == [("cat", "cat"), ("dog", "cat")]


def test_no_concepts(store: Callable[..., Database]) -> None:
    with pytest.raises(InputError, match="no image of the store has both a concept and a vector"):
        _gather(store(), "concept")


def test_concepts_without_captions(store: Callable[..., Database]) -> None:
    with pytest.raises(InputError, match="no caption in 'tongue' belongs to a concept"):
        _gather(store(pairs=[], concepts=CONCEPTS), "concept")


def test_the_wrong_sides_and_data_sets_are_refused(store: Callable[..., Database]) -> None:
    db = store(concepts=CONCEPTS)
    with pytest.raises(InputError, match="--vision tongue"):
        gather(db, db.space("tongue"), db.space("eye"), "concept")
    with pytest.raises(NotFoundError, match="no data set 'tyo'; did you mean toy"):
        _gather(db, "concept", datasets=["tyo"])


IMAGE = Group("i", "i", ("i",), (("c1", "c2", "c3"),))
CAPTION = Group("c", "c", ("i1", "i2"), (("c",), ("c",)), paired=True)
PAIRED = Group("p", "p", ("i1", "i2", "i3"), (("a", "b"), ("c",), ("d",)), paired=True)
PARTLY = Group("r", "r", ("i1", "i2", "i3"), ((), ("c", "d"), ("e",)), paired=True)
APART = Group("q", "q", ("i1", "i2"), (("a", "b", "c"),))
SINGLE = Group("s", "s", ("i1",), (("a", "b", "c", "d"),))
UNSAID = Group("t", "t", ("i1", "i2"), ((),))
UNSEEN = Group("u", "u", (), (("a", "b"),))


@pytest.mark.parametrize(
    ("group", "by", "averaged", "most"),
    [
        (IMAGE, "image", "captions", 3),
        (CAPTION, "caption", "images", 2),
        (PAIRED, "concept", "images", 3),
        (PAIRED, "concept", "captions", 3),  # a caption comes with its image
        (PAIRED, "concept", "both", 3),
        (APART, "concept", "images", 2),
        (APART, "concept", "captions", 3),
        (APART, "concept", "both", 2),
        (PARTLY, "concept", "images", 3),
        (PARTLY, "concept", "captions", 2),
        (PARTLY, "concept", "both", 2),
        (
            SINGLE,
            "concept",
            "captions",
            4,
        ),  # of the concept, though there are as many entries as images
        (SINGLE, "concept", "both", 1),
    ],
)
def test_groups_with_too_few_exemplars_are_left_out(
    group: Group, by: Any, averaged: Any, most: int
) -> None:
    assert enough([group], most, by, averaged) == [group]
    message = f"no {by} has {most + 1} exemplars to average; the most is {most}: ask for a smaller"
    with pytest.raises(InputError, match=message):
        enough([group], most + 1, by, averaged)


@pytest.mark.parametrize("averaged", ["images", "captions", "both"])
@pytest.mark.parametrize("group", [UNSAID, UNSEEN])
def test_a_concept_of_one_side_only_has_no_exemplars(group: Group, averaged: Any) -> None:
    assert enough([group, APART], 1, "concept", averaged) == [APART]


@pytest.mark.parametrize(
    ("by", "averaged"),
    [("image", "images"), ("image", "both"), ("caption", "captions"), ("caption", "both")],
)
def test_what_cannot_be_averaged_is_refused(by: Any, averaged: Any) -> None:
    with pytest.raises(InputError, match=f"--group {by} averages .* not {averaged}"):
        enough([IMAGE], 1, by, averaged)


@pytest.mark.parametrize(
    ("counts", "ks"),
    [
        ([5, 5, 5], (1, 2, 4)),
        ([1, 5, 9], (1, 2, 4)),
        ([1, 1, 8], (1,)),
        ([1, 1, 8, 8], (1, 2, 4, 8)),  # half of them have eight
        ([3], (1, 2)),
        ([], (1,)),
    ],
)
def test_the_usual_numbers_are_what_half_of_the_groups_have(
    counts: list[int], ks: tuple[int, ...]
) -> None:
    groups = [
        Group(f"i{i}", f"i{i}", (f"i{i}",), (tuple(f"c{i}-{j}" for j in range(count)),))
        for i, count in enumerate(counts)
    ]
    assert usual_ks(groups, "image", "captions") == ks
    with pytest.raises(InputError, match="--group image averages captions, not images"):
        usual_ks(groups, "image", "images")


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@given(st.integers(0, 2**32 - 1))
def test_draws_are_without_replacement_and_paired(seed: int) -> None:
    images, captions = draw([PAIRED, PAIRED], 3, "both", _rng(seed))
    own = dict(zip(PAIRED.images, PAIRED.captions, strict=True))
    for seen, said in zip(images, captions, strict=True):
        assert sorted(seen) == ["i1", "i2", "i3"]
        assert all(text in own[image] for image, text in zip(seen, said, strict=True))


@given(st.integers(0, 2**32 - 1))
def test_images_without_a_caption_are_drawn_where_images_alone_are_averaged(seed: int) -> None:
    images, captions = draw([PARTLY], 3, "images", _rng(seed))
    assert sorted(images[0]) == ["i1", "i2", "i3"]
    own = dict(zip(PARTLY.images, PARTLY.captions, strict=True))
    first = next(one for one in images[0] if own[one])
    assert captions[0, 0] in own[first]
    images, captions = draw([PARTLY], 2, "both", _rng(seed))
    assert sorted(images[0]) == ["i2", "i3"]
    assert all(text in own[image] for image, text in zip(images[0], captions[0], strict=True))


@given(st.integers(0, 2**32 - 1))
def test_one_image_of_a_concept_still_draws_of_all_its_captions(seed: int) -> None:
    images, captions = draw([SINGLE], 4, "captions", _rng(seed))
    assert images.tolist() == [["i1"]]
    assert sorted(captions[0]) == ["a", "b", "c", "d"]


@given(st.integers(0, 2**32 - 1), st.integers(1, 2))
def test_captions_of_no_image_are_drawn_apart(seed: int, k: int) -> None:
    images, captions = draw([APART], k, "both", _rng(seed))
    assert set(images[0]) <= {"i1", "i2"}
    assert set(captions[0]) <= {"a", "b", "c"}
    assert len(set(images[0])) == len(set(captions[0])) == k


@pytest.mark.parametrize(
    ("group", "averaged", "shapes"),
    [
        (IMAGE, "captions", ((1, 1), (1, 2))),
        (CAPTION, "images", ((1, 2), (1, 1))),
        (PAIRED, "images", ((1, 2), (1, 1))),
        (PAIRED, "captions", ((1, 1), (1, 2))),
        (PAIRED, "both", ((1, 2), (1, 2))),
        (APART, "captions", ((1, 1), (1, 2))),
    ],
)
def test_the_side_that_is_not_averaged_gives_one(group: Group, averaged: Any, shapes: Any) -> None:
    images, captions = draw([group], 2, averaged, _rng(0))
    assert (images.shape, captions.shape) == shapes


def test_every_exemplar_is_drawn_as_often() -> None:
    rng = _rng(0)
    drawn = [draw([IMAGE], 1, "captions", rng)[1][0, 0] for _ in range(3000)]
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == 3
    assert np.abs(counts - 1000).max() < 5 * np.sqrt(3000 * 2 / 9)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_exemplars_of_other_groups(seed: int, first: int) -> None:
    """Groups 0 and 1 share an item: neither may stand for the other."""
    fold_groups = ["0", "0", *map(str, range(2, 12))]
    own = np.array([[f"{group}:{column}" for column in range(4)] for group in range(12)], object)
    mixed = from_other_groups(own, fold_groups, _rng(seed), first)
    assert mixed[:, :first].tolist() == own[:, :first].tolist()
    for group, row in enumerate(mixed):
        sources = [int(one.split(":")[0]) for one in row[first:]]
        assert all(fold_groups[source] != fold_groups[group] for source in sources)
        assert len(set(sources)) == 4 - first
    for column in range(4):  # every exemplar is used once
        assert sorted(mixed[:, column]) == sorted(own[:, column])
