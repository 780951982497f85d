"""What there is: sampling scenes and concepts, before any pixel or word."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingest.demo.dice import Dice

if TYPE_CHECKING:
    from collections.abc import Iterator

CANVAS: Final = 64
"""Side of an image in pixels."""

CATEGORY_TABLE: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "categories.toml").read_text(encoding="utf-8")
)
CATEGORIES: Final = tuple(CATEGORY_TABLE)
BACKGROUNDS: Final = ("grass", "sand", "brick", "wood", "snow", "water", "night", "road")
SIZES: Final = {"small": 16, "large": 26}
"""Side of a thing in pixels."""

TEXTURES: Final = ("plain", "striped", "dotted")
COLOURS: Final = ("red", "green", "blue", "yellow", "purple", "orange", "pink", "white")

_COUNTS: Final = {1: 0.1, 2: 0.45, 3: 0.35, 4: 0.1}
_AT_HOME: Final = 10.0  # how much likelier a category is on a background that is its home
_MARGIN: Final = 1  # pixels between a thing and the edge of the canvas
_TRIES: Final = 15  # places tried for a thing before the whole scene is laid out again

_SCENES, _CONCEPTS, _EXEMPLARS = range(3)  # independent streams of one seed


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a scene; ``top`` and ``left`` are pixels."""

    category: str
    size: str
    texture: str
    colour: str
    top: int
    left: int

    @property
    def pixels(self) -> int:
        """Side of its square in pixels."""
        return SIZES[self.size]

    @property
    def centre(self) -> tuple[float, float]:
        """(y, x) of its middle, in pixels."""
        return self.top + self.pixels / 2, self.left + self.pixels / 2

    def touches(self, other: Thing) -> bool:
        """Tell whether the two squares overlap or share an edge."""
        return (
            self.top <= other.top + other.pixels
            and other.top <= self.top + self.pixels
            and self.left <= other.left + other.pixels
            and other.left <= self.left + self.pixels
        )


@dataclass(frozen=True, slots=True)
class Scene:
    """A background and one to four things that do not touch; ``look`` seeds everything nobody names."""

    background: str
    things: tuple[Thing, ...]
    look: int


@dataclass(frozen=True, slots=True)
class Concept:
    """What exemplars share: two categories, how the first stands to the second, and the background."""

    number: int
    first: str
    second: str
    relation: str
    background: str

    @property
    def name(self) -> str:
        """The concept in English."""
        return f"{self.first} {self.relation} {self.second} on {self.background}"


def relation(a: Thing, b: Thing) -> str:
    """Say how ``a`` stands to ``b``, along the axis on which their centres are further apart."""
    (ya, xa), (yb, xb) = a.centre, b.centre
    if abs(xa - xb) >= abs(ya - yb):
        return "left of" if xa < xb else "right of"
    return "above" if ya < yb else "below"


def side(thing: Thing) -> str:
    """Say on which side of the canvas a thing is, along the axis on which it is further from the middle."""
    y, x = (c - CANVAS / 2 for c in thing.centre)
    if abs(x) >= abs(y):
        return "on the left" if x < 0 else "on the right"
    return "at the top" if y < 0 else "at the bottom"


def sample_scene(seed: int, index: int) -> Scene:
    """Sample scene ``index`` of the world ``seed``; it does not depend on how many there are."""
    dice = Dice(seed, _SCENES, index)
    background = dice.choose(BACKGROUNDS)
    count = dice.weighted(tuple(_COUNTS), tuple(_COUNTS.values()))
    return _lay_out(dice, background, _categories(dice, background, count))


def sample_exemplar(concept: Concept, seed: int, index: int) -> Scene:
    """Sample exemplar ``index`` of a concept of the world ``seed``: its two things alone, all else free.

    The things of the scene are in the order of the concept.
    """
    dice = Dice(seed, _EXEMPLARS, concept.number, index)
    while True:
        scene = _lay_out(dice, concept.background, (concept.first, concept.second))
        if relation(*scene.things) == concept.relation:
            return scene


def concepts(seed: int) -> Iterator[Concept]:
    """Yield the concepts of the world ``seed``, no two alike, without end."""
    names: set[str] = set()
    dice = Dice(seed, _CONCEPTS)
    while True:
        background = dice.choose(BACKGROUNDS)
        first, second = _categories(dice, background, 2)
        # "left of" and "above" are enough: the pair is ordered, so the other two would say the same again.
        how = dice.choose(("left of", "above"))
        concept = Concept(len(names), first, second, how, background)
        if concept.name not in names:
            names.add(concept.name)
            yield concept


def _categories(dice: Dice, background: str, count: int) -> tuple[str, ...]:
    left = {
        name: _AT_HOME if background in row["home"] else 1.0 for name, row in CATEGORY_TABLE.items()
    }
    chosen = []
    for _ in range(count):
        chosen.append(dice.weighted(tuple(left), tuple(left.values())))
        del left[chosen[-1]]
    return tuple(chosen)


def _lay_out(dice: Dice, background: str, categories: tuple[str, ...]) -> Scene:
    while True:
        things: list[Thing] = []
        for category in categories:
            thing = _place(dice, category, things)
            if thing is None:
                break
            things.append(thing)
        else:
            return Scene(background, tuple(things), dice.below(2**31))


def _place(dice: Dice, category: str, others: list[Thing]) -> Thing | None:
    size, texture, colour = dice.choose(tuple(SIZES)), dice.choose(TEXTURES), dice.choose(COLOURS)
    room = CANVAS - SIZES[size] - 2 * _MARGIN + 1
    for _ in range(_TRIES):
        top, left = _MARGIN + dice.below(room), _MARGIN + dice.below(room)
        thing = Thing(category, size, texture, colour, top, left)
        if not any(thing.touches(other) for other in others):
            return thing
    return None
