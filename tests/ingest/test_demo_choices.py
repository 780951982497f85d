"""The demo world's forced choices: one of two is right, by what the caption names, and nothing tells which."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from ingest.add import add_dataset
from ingest.demo.choices import DIFFERS, choices
from ingest.demo.lexicon import read_names
from ingest.demo.world import CHOICES, make_world

if TYPE_CHECKING:
    from pathlib import Path

    from ingest.demo.language import Phrase
    from ingest.demo.scenes import Scene

SEED = 4
MADE = list(choices(80, SEED))


def _named(said: Phrase) -> set[str]:
    return {name.word for name in read_names(said.text)}


def _shown(scene: Scene) -> set[str]:
    return {scene.background} | {thing.category for thing in scene.things}


def test_a_caption_is_true_of_its_own_scene_alone() -> None:
    for choice in MADE:
        assert _named(choice.said) <= _shown(choice.scene)
        assert not _named(choice.said) <= _shown(choice.other)
        assert _named(choice.said_of_other) <= _shown(choice.other)


def test_two_scenes_differ_in_the_one_way_that_is_said() -> None:
    assert [choice.differs for choice in MADE[:8]] == [*DIFFERS, *DIFFERS]
    for choice in MADE:
        mine, other = choice.scene, choice.other
        looks = [
            [(t.size, t.texture, t.colour, t.top, t.left) for t in s.things] for s in (mine, other)
        ]
        categories = [[t.category for t in s.things] for s in (mine, other)]
        if choice.differs == "everything":
            assert not _shown(mine) & _shown(other)
            continue
        assert (mine.background == other.background) == (choice.differs != "background")
        if choice.differs == "missing":
            assert len(other.things) == len(mine.things) - 1
            assert set(other.things) < set(mine.things)
            continue
        assert looks[0] == looks[1]
        changed = sum(a != b for a, b in zip(*categories, strict=True))
        assert changed == (choice.differs == "category")


def test_a_longer_run_begins_with_a_shorter_one() -> None:
    assert list(choices(5, SEED)) == MADE[:5]
    assert list(choices(5, SEED + 1)) != MADE[:5]


def test_trials_are_stored_with_their_items_and_belong_to_no_pair(tmp_path: Path) -> None:
    world = make_world(
        tmp_path / "i", scenes=2, exemplar_concepts=1, exemplars=2, trials=8, seed=SEED
    )
    db, _ = add_dataset(str(tmp_path / "s"), iter([world]), [].append)
    trials = db.trials().collect()
    assert trials["direction"].value_counts().sort("direction")["count"].to_list() == [8, 8]
    ours = pl.col("dataset") == CHOICES
    assert db.images().filter(ours).collect().height == 16
    assert db.captions().filter(ours).collect().height == 16
    paired = db.pairs().collect()
    assert not set(paired["image_id"]) & set(db.images().filter(ours).collect()["image_id"])
    for trial in trials.iter_rows(named=True):
        right = trial["candidate_0"] if trial["label"] == 1.0 else trial["candidate_1"]
        assert right == trial["query_id"]  # an image and its caption have one name


@pytest.mark.parametrize("direction", ["text-to-image", "image-to-text"])
def test_the_right_one_comes_first_as_often_as_last(tmp_path: Path, direction: str) -> None:
    world = make_world(tmp_path, scenes=0, exemplar_concepts=0, trials=200, seed=SEED)
    labels = world.trials.filter(pl.col("direction") == direction)["label"]
    assert 70 <= labels.sum() <= 130  # 4 standard deviations
