"""Some parts of speech kept, the others left out."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from ingest.variants.base import Inapplicable, Variant
from ingest.variants.captions.text import TAGGER, altered, is_mark, sentence

if TYPE_CHECKING:
    from collections.abc import Collection

    import numpy as np

    from ingest.variants.base import TextItem

_NOUN = {"NOUN", "PROPN"}
_CONTENT = {"NOUN", "PROPN", "VERB", "ADJ", "ADV", "NUM", "INTJ", "SYM", "X"}


def kept(item: TextItem, _: np.random.Generator, *, tags: Collection[str], word: str) -> str:
    """Keep the words of some parts of speech, in their order, one space between them.

    All other words go, and so does every mark but the one that ends the caption. Where the caption begins with a
    capital, so does the outcome.

    Parameters
    ----------
    item : TextItem
    tags : collection of str
        The parts of speech.
    word : str
        What a caption lacks that has none of them.

    Raises
    ------
    Inapplicable
        There is no such word, or no other one.
    """
    words = [i for i, token in enumerate(item.tokens) if not is_mark(token)]
    chosen = [i for i in words if item.tokens[i].tag in tags]
    if not chosen:
        raise Inapplicable(f"no {word} in it")
    if len(chosen) == len(words):
        raise Inapplicable("no word in it to leave out")
    return altered(item.text, sentence(item, chosen), "no word in it to leave out")


def _variant(name: str, summary: str, tags: Collection[str], word: str) -> Variant:
    return Variant(
        name,
        "text",
        "semantic",
        summary,
        partial(kept, tags=frozenset(tags), word=word),
        {"tagger": TAGGER},
        frozenset({"tagger"}),
    )


VARIANTS = (
    _variant("nouns-only", "Nothing but the nouns, names included.", _NOUN, "noun"),
    _variant("nouns-verbs", "Nothing but nouns and main verbs.", {*_NOUN, "VERB"}, "noun or verb"),
    _variant(
        "nouns-adjectives",
        "Nothing but nouns and adjectives.",
        {*_NOUN, "ADJ"},
        "noun or adjective",
    ),
    _variant("verbs-only", "Nothing but the main verbs.", {"VERB"}, "verb"),
    _variant(
        "no-function-words",
        "Articles, pronouns, prepositions, conjunctions, particles, auxiliaries left out.",
        _CONTENT,
        "content word",
    ),
)
