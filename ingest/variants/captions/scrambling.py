"""Word order destroyed, every word kept."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ingest.variants.base import SEED, Inapplicable, Parameter, Variant
from ingest.variants.captions.phrases import noun_phrases
from ingest.variants.captions.text import (
    TAGGER,
    altered,
    begins_with_capital,
    capitalised,
    lowered,
    units,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from ingest.variants.base import TextItem
    from ingest.variants.captions.text import Unit

ORDERS = ("whole", "within-phrases", "bigrams")
_TRIES = 20


def scrambled(item: TextItem, rng: np.random.Generator, *, order: str) -> str:
    """Put the words of a caption in another order.

    ``whole`` shuffles all words; ``within-phrases`` those of each noun phrase among themselves; ``bigrams`` cuts the
    words into pairs, beginning at the first or second, and shuffles the pairs, so that the words of each pair stay
    neighbours. Punctuation and white space stay in their places and the words move between the words' places; a
    contraction moves as one word. Where the caption begins with a capital, so does the outcome, and the word that had
    it for standing first loses it. Words that are there twice may come to stand where they stood; the text as a whole
    never does.
    """
    places = units(item)
    words = _words(item, places)
    if len(words) <= 1:
        raise Inapplicable("a single word" if words else "no word in it")
    groups = _groups(item, places, order, rng)
    for attempt in range(_TRIES):
        text = _written(
            item, places, words, _permutation(groups, rng, rotate=attempt == _TRIES - 1)
        )
        if text != item.text:
            return altered(item.text, text, "no word in it")
    raise Inapplicable("any order of its words reads the same")


def _words(item: TextItem, places: Sequence[Unit]) -> list[str]:
    texts = [item.text[place.start : place.stop] for place in places]
    if texts and begins_with_capital(item.text):
        texts[0] = lowered(texts[0], item.tokens[places[0].first].tag)
    return texts


def _groups(
    item: TextItem, places: Sequence[Unit], order: str, rng: np.random.Generator
) -> list[list[list[int]]]:
    """Say what may change places with what: lists of blocks of words, the words of a block staying together."""
    n = len(places)
    if order == "whole":
        return [[[i] for i in range(n)]]
    if order == "bigrams":
        if n == 2:  # noqa: PLR2004 - one pair
            raise Inapplicable("only two words, which are one pair")
        offset = int(rng.integers(2))
        cuts = [0, *range(offset, n, 2), n] if offset else [*range(0, n, 2), n]
        return [[list(range(a, b)) for a, b in pairwise(cuts)]]
    groups = []
    for phrase in noun_phrases(item.tokens):
        inside = [[i] for i, place in enumerate(places) if phrase.first <= place.first < phrase.end]
        if len(inside) > 1:
            groups.append(inside)
    if not groups:
        raise Inapplicable("no noun phrase of two words in it")
    return groups


def _permutation(
    groups: list[list[list[int]]], rng: np.random.Generator, *, rotate: bool
) -> dict[int, int]:
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
        "the words in another order: all, within noun phrases, or by pairs",
        scrambled,
        {
            "order": Parameter("whole", "what changes places", choices=ORDERS),
            "tagger": TAGGER,
            "seed": SEED,
        },
        frozenset({"tagger"}),
    ),
)
