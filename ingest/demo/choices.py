"""Forced choices in the demo world: a caption and two images, or an image and two captions, of which one is right.

Nobody was asked: right is what the caption was made of, and what was made of the image. The other one differs in one
way, and the caption names something that is only in one of the two. No scene of a choice is in another data set.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from ingest.demo.dice import Dice
from ingest.demo.language import Phrase, caption
from ingest.demo.lexicon import read_names
from ingest.demo.scenes import BACKGROUNDS, CATEGORIES, Scene, sample_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_CHOICES: Final = 103  # a stream of its own, as the captions of scenes have one
_FIRST_SCENE: Final = 1_000_000
"""Scenes of choices are numbered from here on: no data set of scenes comes as far."""


class Choice(NamedTuple):
    """Two scenes and a caption of each.

    Of the two images ``said`` is true of the first alone; of the two captions ``said_of_other`` alone is true of the
    second image. ``differs`` is a key of :data:`DIFFERS`.
    """

    number: int
    differs: str
    scene: Scene
    other: Scene
    said: Phrase
    said_of_other: Phrase


def choices(count: int, seed: int) -> Iterator[Choice]:
    """Yield ``count`` choices of the world ``seed``, each way to differ in turn; a longer run begins with a shorter."""
    ways = list(DIFFERS)
    scene_number = _FIRST_SCENE
    for number in range(count):
        while True:
            made = _choice(number, ways[number % len(ways)], scene_number, seed)
            scene_number += 1
            if made is not None:
                yield made
                break


def _choice(number: int, differs: str, scene_number: int, seed: int) -> Choice | None:
    """Make a choice of a scene; None where it cannot differ so, or its caption is true of the other one too."""
    scene = sample_scene(seed, scene_number)
    dice = Dice(seed, _CHOICES, scene_number)
    other = DIFFERS[differs](scene, dice)
    if other is None:
        return None
    said = caption(scene, Dice(seed, _CHOICES, scene_number, 1))
    of_other = caption(other, Dice(seed, _CHOICES, scene_number, 2))
    if not {name.word for name in read_names(said.text)} - _present(other):
        return None
    return Choice(number, differs, scene, other, said, of_other)


def _present(scene: Scene) -> set[str]:
    return {scene.background, *(thing.category for thing in scene.things)}


def _everything(scene: Scene, dice: Dice) -> Scene | None:
    """Another scene that has nothing in common with this one."""
    other = sample_scene(dice.below(2**31), 0)
    return None if _present(scene) & _present(other) else other


def _category(scene: Scene, dice: Dice) -> Scene:
    """One thing is of another category; its place, size and looks stay."""
    at = dice.below(len(scene.things))
    left = [category for category in CATEGORIES if category not in _present(scene)]
    changed = replace(scene.things[at], category=dice.choose(left))
    return replace(scene, things=(*scene.things[:at], changed, *scene.things[at + 1 :]))


def _background(scene: Scene, dice: Dice) -> Scene:
    left = [background for background in BACKGROUNDS if background != scene.background]
    return replace(scene, background=dice.choose(left))


def _missing(scene: Scene, dice: Dice) -> Scene | None:
    """One thing is not there."""
    if len(scene.things) < 2:  # noqa: PLR2004 - one stays
        return None
    at = dice.below(len(scene.things))
    return replace(scene, things=(*scene.things[:at], *scene.things[at + 1 :]))


DIFFERS: Final[dict[str, Callable[[Scene, Dice], Scene | None]]] = {
    "everything": _everything,
    "category": _category,
    "background": _background,
    "missing": _missing,
}
"""The ways in which two scenes of a choice differ."""
