"""Word order destroyed, every word kept."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from ingest.variants.base import SEED, Inapplicable, Token, Variant
from ingest.variants.captions.phrases import noun_phrases
from ingest.variants.captions.text import (
    TAGGER,
    altered,
    begins_with_capital,
    capitalised,
    lowered,
    units,
)
from ingest.variants.taggers.words import cut, is_word
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np

    from ingest.variants.base import TextItem
    from ingest.variants.captions.text import Unit

_TRIES = 20

Groups = list[list[list[int]]]
"""What may change places with what: lists of blocks of words, the words of a block staying together."""


def scrambled(item: TextItem, rng: np.random.Generator, *, order: str) -> str:
    """Put the words of a caption in another order.

    ``whole`` shuffles all words; ``bigrams`` cuts the words into pairs, beginning at the first or second, and shuffles
    the pairs, so that the words of each pair stay neighbours. Punctuation and white space stay in their places and the
    words move between the words' places; a contraction moves as one word. Where the caption begins with a capital, so
    does the outcome, and the word that had it for standing first loses it, a name too: nothing here knows parts of
    speech. Words that are there twice may come to stand where they stood; the text as a whole never does.
    """
    item = replace(item, tokens=tuple(_untagged(item.text)))
    places = units(item)
    return _scrambled(item, places, lambda: _everywhere(len(places), order, rng), rng)


def scrambled_phrases(item: TextItem, rng: np.random.Generator) -> str:
    """Put the words of each noun phrase of a caption in another order, as :func:`scrambled` does those of all."""
    places = units(item)
    return _scrambled(item, places, lambda: _within_phrases(item, places), rng)


def _scrambled(
    item: TextItem,
    places: Sequence[Unit],
    groups: Callable[[], Groups],
    rng: np.random.Generator,
) -> str:
    words = _words(item, places)
    if len(words) <= 1:
        raise Inapplicable("a single word" if words else "no word in it")
    movable = groups()
    for attempt in range(_TRIES):
        comes = _permutation(movable, rng, rotate=attempt == _TRIES - 1)
        text = _written(item, places, words, comes)
        if text != item.text:
            return altered(item.text, text, "no word in it")
    raise Inapplicable("any order of its words reads the same")


def _untagged(text: str) -> Iterator[Token]:
    """Cut a text into words and marks, whose parts of speech nobody asks for."""
    for word in cut(text):
        mark = unicodedata.category(word.text[0])[0] == "P" and not is_word(
            word.text
        )  # "'s" is none
        yield Token(word.text, "PUNCT" if mark else "X", word.text, word.start)


def _words(item: TextItem, places: Sequence[Unit]) -> list[str]:
    texts = [item.text[place.start : place.stop] for place in places]
    if texts and begins_with_capital(item.text):
        texts[0] = lowered(texts[0], item.tokens[places[0].first].tag)
    return texts


def _everywhere(n: int, order: str, rng: np.random.Generator) -> Groups:
    if order == "whole":
        return [[[i] for i in range(n)]]
    if n == 2:  # noqa: PLR2004 - one pair
        raise Inapplicable("only two words, which are one pair")
    offset = int(rng.integers(2))
    cuts = [0, *range(offset, n, 2), n] if offset else [*range(0, n, 2), n]
    return [[list(range(a, b)) for a, b in pairwise(cuts)]]


def _within_phrases(item: TextItem, places: Sequence[Unit]) -> Groups:
    groups = []
    for phrase in noun_phrases(item.tokens):
        inside = [[i] for i, place in enumerate(places) if phrase.first <= place.first < phrase.end]
        if len(inside) > 1:
            groups.append(inside)
    if not groups:
        raise Inapplicable("no noun phrase of two words in it")
    return groups


def _permutation(groups: Groups, rng: np.random.Generator, *, rotate: bool) -> dict[int, int]:
    """Map each place to the word that comes to it; ``rotate`` where chance keeps giving the same text."""
    comes: dict[int, int] = {}
    for blocks in groups:
        order = [*range(1, len(blocks)), 0] if rotate else rng.permutation(len(blocks)).tolist()
        old = [word for block in blocks for word in block]
        new = [word for one in order for word in blocks[one]]
        comes |= dict(zip(old, new, strict=True))
    return comes


def _written(
    item: TextItem, places: Sequence[Unit], words: Sequence[str], comes: dict[int, int]
) -> str:
    pieces: list[str] = []
    end = 0
    for i, place in enumerate(places):
        pieces += [item.text[end : place.start], words[comes.get(i, i)]]
        end = place.stop
    text = "".join([*pieces, item.text[end:]])
    return capitalised(text) if begins_with_capital(item.text) else text


VARIANTS = (
    Variant(
        "scrambled",
        "text",
        "semantic",
        "The words in another order: all of them, or pair by pair.",
        scrambled,
        {
            "order": Parameter("whole", "what changes places", choices=("whole", "bigrams")),
            "seed": SEED,
        },
    ),
    Variant(
        "scrambled-phrases",
        "text",
        "semantic",
        "The words of each noun phrase in another order.",
        scrambled_phrases,
        {"tagger": TAGGER, "seed": SEED},
        frozenset({"tagger"}),
    ),
)
