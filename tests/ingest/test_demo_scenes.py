"""The demo world's scenes and pixels: pure functions of seed and index, with masks that are exact."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.demo.corpus import PATCH, UNLABELLED, labelled_images
from ingest.demo.dice import Dice
from ingest.demo.render import BACKGROUND, contact_sheet, render
from ingest.demo.scenes import (
    BACKGROUNDS,
    CANVAS,
    CATEGORIES,
    SIZES,
    TEXTURES,
    Scene,
    Thing,
    concepts,
    relation,
    sample_exemplar,
    sample_scene,
    side,
)

numbers = st.integers(0, 2**31 - 1)


@given(seed=numbers, index=numbers)
@settings(max_examples=60, deadline=None)
def test_a_scene_is_a_pure_function_and_its_things_lie_apart_on_the_canvas(
    seed: int, index: int
) -> None:
    scene = sample_scene(seed, index)
    assert scene == sample_scene(seed, index)
    assert scene.background in BACKGROUNDS
    assert 1 <= len(scene.things) <= 4
    assert len({thing.category for thing in scene.things}) == len(scene.things)
    for thing in scene.things:
        assert 0 < thing.top < CANVAS - thing.pixels
        assert 0 < thing.left < CANVAS - thing.pixels
    for a, b in combinations(scene.things, 2):
        rows = set(range(a.top, a.top + a.pixels)) & set(range(b.top, b.top + b.pixels))
        columns = set(range(a.left, a.left + a.pixels)) & set(range(b.left, b.left + b.pixels))
        assert not (rows and columns)


def test_seeds_and_indices_are_different_worlds_and_scenes() -> None:
    scenes = [sample_scene(seed, index) for seed in range(5) for index in range(40)]
    assert len(set(scenes)) == len(scenes)


def test_categories_prefer_their_home() -> None:
    counts = {
        background: sum("boat" in [t.category for t in s.things] for s in scenes)
        for background, scenes in _by_background(2000).items()
    }
    assert max(counts, key=lambda b: counts[b]) == "water"
    assert sum(counts.values()) > counts["water"] > 0


def _by_background(count: int) -> dict[str, list[Scene]]:
    scenes = [sample_scene(3, index) for index in range(count)]
    return {b: [s for s in scenes if s.background == b] for b in BACKGROUNDS}


@pytest.mark.parametrize(
    ("down", "right", "expected_relation", "expected_side"),
    [
        (0, 20, "right of", "on the right"),
        (0, -20, "left of", "on the left"),
        (20, 5, "below", "at the bottom"),
        (-20, 5, "above", "at the top"),
    ],
)
def test_relations_and_sides_follow_the_longer_axis(
    down: int, right: int, expected_relation: str, expected_side: str
) -> None:
    middle = (CANVAS - SIZES["small"]) // 2
    at_the_middle = Thing("ball", "small", "plain", "red", middle, middle)
    moved = replace(at_the_middle, top=middle + down, left=middle + right)
    assert relation(moved, at_the_middle) == expected_relation
    assert side(moved) == expected_side


def test_concepts_are_distinct_and_a_longer_list_begins_with_the_shorter() -> None:
    many = list(islice(concepts(7), 400))
    assert list(islice(concepts(7), 50)) == many[:50]
    assert len({concept.name for concept in many}) == len(many)
    assert [concept.number for concept in many] == list(range(400))
    for concept in many:
        assert concept.first != concept.second


def test_exemplars_hold_their_concept_and_differ_in_all_else() -> None:
    for concept in islice(concepts(1), 25):
        scenes = [sample_exemplar(concept, 1, index) for index in range(6)]
        for scene in scenes:
            first, second = scene.things
            assert (first.category, second.category) == (concept.first, concept.second)
            assert relation(first, second) == concept.relation
            assert scene.background == concept.background
        assert len(set(scenes)) == len(scenes)


@given(seed=numbers, index=numbers)
@settings(max_examples=25, deadline=None)
def test_a_mask_is_exactly_what_changes_when_its_thing_is_removed(seed: int, index: int) -> None:
    scene = sample_scene(seed, index)
    image, labels = render(scene)
    assert set(np.unique(labels)) == {BACKGROUND, *range(len(scene.things))}
    for i, thing in enumerate(scene.things):
        emptied, remaining = render(scene, without={i})
        changed = (emptied != image).any(axis=2)
        mask = labels == i
        assert not changed[~mask].any()
        # A pixel of the thing may happen to have the very colour of the ground behind it; few do.
        assert changed[mask].mean() > 0.95
        assert (remaining[mask] == BACKGROUND).all()
        rows, columns = np.nonzero(mask)
        assert thing.top <= rows.min() <= rows.max() < thing.top + thing.pixels
        assert thing.left <= columns.min() <= columns.max() < thing.left + thing.pixels


def test_an_image_is_the_same_every_time_and_another_look_is_another_image() -> None:
    scene = sample_scene(0, 0)
    image, labels = render(scene)
    again, labels_again = render(scene)
    assert (image == again).all()
    assert (labels == labels_again).all()
    other, other_labels = render(replace(scene, look=scene.look + 1))
    assert (image != other).mean() > 0.5
    assert (labels == other_labels).all()


def test_categories_do_not_share_a_silhouette() -> None:
    shapes = []
    for category in CATEGORIES:
        thing = Thing(category, "large", "plain", "red", 10, 10)
        shapes.append(render(Scene("sand", (thing,), 0)).labels == 0)
    for a, b in combinations(shapes, 2):
        assert (a & b).sum() / (a | b).sum() < 0.9


def test_textures_and_sizes_can_be_seen() -> None:
    box = Thing("box", "large", "plain", "white", 10, 10)
    images = {t: render(Scene("night", (replace(box, texture=t),), 5)).image for t in TEXTURES}
    for a, b in combinations(TEXTURES, 2):
        assert (images[a] != images[b]).any(axis=2).sum() > 50
    small = render(Scene("night", (replace(box, size="small"),), 5)).labels
    assert (small == 0).sum() < (render(Scene("night", (box,), 5)).labels == 0).sum() / 2


def test_labels_of_the_training_images_are_those_of_the_scenes() -> None:
    data = labelled_images(4, 10, 40)
    assert (labelled_images(4, 20, 30).images == data.images[10:20]).all()
    for i in range(30):
        scene = sample_scene(4, 10 + i)
        image, labels = render(scene)
        assert (data.images[i] == image).all()
        assert BACKGROUNDS[data.background[i]] == scene.background
        assert {CATEGORIES[c] for c in np.flatnonzero(data.present[i])} == {
            thing.category for thing in scene.things
        }
        for thing in scene.things:
            large, texture, y, x = data.attributes[i, CATEGORIES.index(thing.category)]
            assert (large == 1) == (thing.size == "large")
            assert TEXTURES[int(texture)] == thing.texture
            assert np.allclose((y + 0.5, x + 0.5), np.array(thing.centre) / CANVAS)
        for patch, (category, size, texture) in enumerate(data.patches[i]):
            top, left = np.array(divmod(patch, CANVAS // PATCH)) * PATCH
            inside = labels[top : top + PATCH, left : left + PATCH]
            covered = [(inside == k).sum() for k in range(len(scene.things))]
            if category == UNLABELLED:
                assert max(covered) < PATCH * PATCH / 4
            else:
                thing = scene.things[int(np.argmax(covered))]
                assert max(covered) >= PATCH * PATCH / 4
                assert (CATEGORIES[category], list(SIZES)[size], TEXTURES[texture]) == (
                    thing.category,
                    thing.size,
                    thing.texture,
                )


def test_a_contact_sheet_shows_each_image_in_its_place() -> None:
    images = [render(sample_scene(0, index)).image for index in range(5)]
    sheet = np.asarray(contact_sheet(images, columns=3))
    step = CANVAS + 2
    for i, image in enumerate(images):
        top, left = divmod(i, 3)[0] * step, divmod(i, 3)[1] * step
        assert (sheet[top : top + CANVAS, left : left + CANVAS] == image).all()


def test_dice_choose_as_they_promise() -> None:
    dice = Dice(1, 2)
    assert [Dice(1, 2).uniform() for _ in range(3)] == [Dice(1, 2).uniform()] * 3
    assert sorted(dice.shuffled("abcdef")) == list("abcdef")
    rolls = [dice.below(6) for _ in range(6000)]
    assert set(rolls) == set(range(6))
    shares = [dice.weighted("ab", (3.0, 1.0)) for _ in range(8000)]
    # Five standard errors of a binomial of 8,000 draws at 0.75.
    assert abs(shares.count("a") / 8000 - 0.75) < 5 * (0.75 * 0.25 / 8000) ** 0.5
