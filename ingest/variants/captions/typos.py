"""Slips of the hand."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ingest.variants.base import SEED, Inapplicable, Variant
from ingest.variants.captions.text import altered, like
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from ingest.variants.base import TextItem

_BESIDE: Final[dict[str, str]] = tomllib.loads(
    (Path(__file__).parent / "keyboard.toml").read_text(encoding="utf-8")
)
_WORD = re.compile(r"[A-Za-z]{2,}")


def typos(item: TextItem, rng: np.random.Generator, *, rate: float) -> str:
    """Misspell words, each with a chance of ``rate``, one at least.

    A word is misspelt at one place: two neighbouring letters change places, a letter is left out, typed twice, or
    struck on the key beside it. Words are runs of two English letters or more.
    """
    words = list(_WORD.finditer(item.text))
    if not words:
        raise Inapplicable("no word of two English letters or more in it")
    chances = rng.random(len(words))
    chosen = [i for i, chance in enumerate(chances) if chance < rate] or [int(chances.argmin())]
    pieces: list[str] = []
    end = 0
    for i in chosen:
        pieces += [item.text[end : words[i].start()], misspelt(words[i].group(), rng)]
        end = words[i].end()
    return altered(item.text, "".join([*pieces, item.text[end:]]), "no word in it")


def misspelt(word: str, rng: np.random.Generator) -> str:
    """Misspell a word of two English letters or more at one place: never the word itself."""
    at = int(rng.integers(len(word)))
    slip = _SLIPS[int(rng.integers(len(_SLIPS)))]
    wrong = slip(word, at, rng)
    return wrong if wrong != word else _left_out(word, at, rng)


def _swapped(word: str, at: int, _: np.random.Generator) -> str:
    at = min(at, len(word) - 2)
    pair = word[at + 1] + word[at]
    return word[:at] + pair + word[at + 2 :]


def _left_out(word: str, at: int, _: np.random.Generator) -> str:
    return word[:at] + word[at + 1 :]


def _doubled(word: str, at: int, _: np.random.Generator) -> str:
    return word[: at + 1] + word[at:]


def _beside(word: str, at: int, rng: np.random.Generator) -> str:
    keys = _BESIDE[word[at].lower()]
    return word[:at] + like(word[at], keys[int(rng.integers(len(keys)))]) + word[at + 1 :]


_SLIPS: Final[tuple[Callable[[str, int, np.random.Generator], str], ...]] = (
    _swapped,
    _left_out,
    _doubled,
    _beside,
)

VARIANTS = (
    Variant(
        "typos",
        "text",
        "appearance",
        "Words misspelt by slips of the hand.",
        typos,
        {"rate": Parameter(0.2, "chance of each word to be misspelt", 0, 1), "seed": SEED},
    ),
)
