"""The words of the invented language, and what each name means."""

from __future__ import annotations

import tomllib
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from ingest.demo.dice import Dice
from ingest.demo.scenes import BACKGROUNDS, CATEGORIES

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLE: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "words.toml").read_text(encoding="utf-8")
)
_LANGUAGE: Final = 12  # the seed that deals the roots out; another one is another language


def _synonyms(table: Mapping[str, str | list[str]]) -> dict[str, tuple[str, ...]]:
    return {
        meaning: tuple(words.split() if isinstance(words, str) else words)
        for meaning, words in table.items()
    }


SYNONYMS: Final = {
    kind: _synonyms(_TABLE[kind])
    for kind in ("size", "texture", "colour", "relation", "side", "setting", "opening")
}
"""Kind of word -> its plain English -> the ways to say it."""

DOES: Final = {category: _synonyms(verbs) for category, verbs in _TABLE["does"].items()}
"""Category -> size -> what such a thing does."""

ENDINGS: Final = _synonyms(_TABLE["ending"])
"""``neutral``, ``small``, ``large`` -> endings of a name."""

_FIRST: Final = tuple(_TABLE["root"]["first"].split())
_SECOND: Final = tuple(_TABLE["root"]["second"].split())


def _deal() -> dict[str, tuple[str, ...]]:
    """Deal two-word roots out to categories and backgrounds, none twice."""
    roots = Dice(_LANGUAGE).shuffled(f"{first} {second}" for first in _FIRST for second in _SECOND)
    sizes = dict.fromkeys(CATEGORIES, _TABLE["root"]["per_category"])
    sizes |= dict.fromkeys(BACKGROUNDS, _TABLE["root"]["per_background"])
    return {meaning: tuple(roots.pop() for _ in range(size)) for meaning, size in sizes.items()}


ROOTS: Final = _deal()
"""Category or background -> its roots, such as ``sea bell``."""


class Meaning(NamedTuple):
    """What a name says.

    Attributes
    ----------
    kind : {"category", "background"}
    word : str
        The category or background in English.
    size : str, optional
        The size, when the ending tells it.
    """

    kind: Literal["category", "background"]
    word: str
    size: str | None


def _names() -> dict[str, Meaning]:
    names: dict[str, Meaning] = {}
    for word, roots in ROOTS.items():
        thing = word in CATEGORIES
        for tells in ENDINGS if thing else ("neutral",):
            meaning = Meaning(
                "category" if thing else "background", word, None if tells == "neutral" else tells
            )
            names |= {root + ending: meaning for root in roots for ending in ENDINGS[tells]}
    return names


NAMES: Final = _names()
"""Every name of the language, such as ``sea bellkin``, and its meaning."""


def read_names(text: str) -> list[Meaning]:
    """Read the names of a text, in order."""
    words = text.split()
    pairs = (f"{first} {second}" for first, second in pairwise(words))
    return [NAMES[pair] for pair in pairs if pair in NAMES]


def pieces() -> tuple[list[str], list[str], list[str]]:
    """List the word pieces that spell every text.

    Returns
    -------
    whole words, beginnings of a name's second word, endings
    """
    words = {".", ","} | set(_FIRST)
    words |= {"a", "the", "is", "it", "all", "and", "of", "kind"}
    for table in (*SYNONYMS.values(), *DOES.values()):
        words |= {
            word for phrases in table.values() for phrase in phrases for word in phrase.split()
        }
    endings = [ending for group in ENDINGS.values() for ending in group]
    return sorted(words), list(_SECOND), endings
