"""The nouns of a data set, for variants that put other ones in."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ingest.variants.base import Token
    from ingest.variants.taggers import Tagger

NUMBERS: Final = ("singular", "plural")
"""The keys of a vocabulary; the index is ``Token.plural``."""

COUNTS: Final = ("singular_counts", "plural_counts")
"""The keys of how often each of them stands in the captions, in the same order."""

ARTICLES: Final = "articles"
"""The key of the indefinite articles that a data set uses: an invented language may lack ``an``."""

_INDEFINITE: Final = ("a", "an")

LONGEST: Final = 1_000
"""Nouns of each number that a vocabulary holds: the most frequent ones."""

RARE: Final = 1_000
"""A noun that stands less than once in so many captions is left out: of those, a tagger's mistakes are many."""

_LONGEST_COMPOUND: Final = 3


class Compound(NamedTuple):
    """Nouns in a row: tokens from ``first`` up to ``end``, which is not of it; number by the last one.

    Attributes
    ----------
    first, end : int
    text : str
        Joined by single spaces, as the caption writes them.
    plural : bool
    """

    first: int
    end: int
    text: str
    plural: bool


def build(texts: Iterable[str], tagger: Tagger) -> dict[str, tuple[Any, ...]]:
    """Collect the nouns of a data set; the order of the texts plays no part.

    Parameters
    ----------
    texts : iterable of str
        Its captions.
    tagger : Tagger

    Returns
    -------
    dict
        ``singular`` and ``plural``, each at most 1,000 nouns in small letters, the most frequent first and equally
        frequent ones by the alphabet; ``singular_counts`` and ``plural_counts``, how often each stands there. Nouns in
        a row, up to three, are one. A noun that stands there less than once in 1,000 captions, one with anything but
        letters, hyphens and apostrophes, or with a single letter, is left out. ``articles``: which of ``a`` and ``an``
        there are.
    """
    counts: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    articles: set[str] = set()
    read = 0
    for text in texts:
        read += 1
        tokens = tagger.tag(text)
        articles |= {token.text.lower() for token in tokens}.intersection(_INDEFINITE)
        for compound in compounds(tokens):
            if _is_fit(compound):
                counts[compound.plural][compound.text.lower()] += 1
    made: dict[str, tuple[Any, ...]] = {}
    for number, key, count in zip(NUMBERS, COUNTS, counts, strict=True):
        common = [word for word, times in count.items() if times * RARE >= read]
        made[number] = tuple(sorted(common, key=lambda word: (-count[word], word))[:LONGEST])
        made[key] = tuple(count[word] for word in made[number])
    return made | {ARTICLES: tuple(sorted(articles))}


def compounds(tokens: Sequence[Token]) -> list[Compound]:
    """Find the nouns of a text, those in a row as one.

    Names are none, nor is a bare singular between two prepositions, which says where (``on top of``).
    """
    return [one for one in _compounds(tokens) if not _says_where(tokens, one)]


def _compounds(tokens: Sequence[Token]) -> Iterator[Compound]:
    first = 0
    while first < len(tokens):
        end = first
        while end < len(tokens) and tokens[end].tag == "NOUN" and _goes_on(tokens, first, end):
            end += 1
        if end > first:
            text = " ".join(token.text for token in tokens[first:end])
            yield Compound(first, end, text, tokens[end - 1].plural)
        first = max(end, first + 1)


def _says_where(tokens: Sequence[Token], one: Compound) -> bool:
    bare = one.first > 0 and tokens[one.first - 1].tag == "ADP"
    of = one.end < len(tokens) and tokens[one.end].text.lower() == "of"
    return bare and of and not one.plural and one.end - one.first == 1


def _goes_on(tokens: Sequence[Token], first: int, end: int) -> bool:
    """Tell whether white space alone parts a noun from the one before."""
    before = tokens[end - 1]
    return end == first or before.start + len(before.text) < tokens[end].start


def _is_fit(compound: Compound) -> bool:
    words = compound.text.split()
    return len(words) <= _LONGEST_COMPOUND and all(
        len(word) > 1 and word.replace("-", "").replace("'", "").isalpha() for word in words
    )
