"""Nouns exchanged for other nouns of the data set."""

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING

from ingest.variants.base import SEED, Inapplicable, Variant
from ingest.variants.captions.text import TAGGER, altered, like, rewritten
from ingest.variants.vocabulary import ARTICLES, COUNTS, NUMBERS, compounds

if TYPE_CHECKING:
    import numpy as np

    from ingest.variants.base import TextItem
    from ingest.variants.vocabulary import Compound


def nouns_replaced(item: TextItem, rng: np.random.Generator) -> str:
    """Put another noun of the data set in the place of each noun; names are left.

    Nouns in a row (``tennis racket``) are one, and are replaced by any noun; a single word is replaced by one, where
    the data set has one. ``On top of`` has none. Singular stays singular and plural plural; ``a`` and ``an`` follow the
    new noun, unless the data set never says ``an``. A noun that is there twice is replaced by the same one twice; no
    noun of the caption comes in for another, and none twice. A noun is as likely as it is frequent in the data set,
    also one that has no plural (``a grass``).
    """
    runs = compounds(item.tokens)
    if not runs:
        raise Inapplicable("no noun in it")
    taken = {word.lower() for run in runs for word in (run.text, *run.text.split())}
    taken |= {token.lemma.lower() for token in item.tokens}
    edits: dict[int, str] = {}
    instead: dict[str, str] = {}
    for run in runs:
        key = run.text.lower()
        if key not in instead:
            instead[key] = _draw(item, run, taken, rng)
            taken.add(instead[key])
        edits |= dict.fromkeys(range(run.first, run.end), "")
        edits[run.first] = like(item.tokens[run.first].text, instead[key])
    mend = "an" in item.vocabulary.get(ARTICLES, ("an",))
    return altered(item.text, rewritten(item, edits, mend=mend), "no noun in it")


def _draw(item: TextItem, run: Compound, taken: set[str], rng: np.random.Generator) -> str:
    """Draw a noun that is not taken, by how frequent it is; all are alike where the vocabulary has no counts."""
    words = item.vocabulary.get(NUMBERS[run.plural], ())
    counts = item.vocabulary.get(COUNTS[run.plural], (1,) * len(words))
    free = [(word, n) for word, n in zip(words, counts, strict=True) if word not in taken]
    if not free:
        raise Inapplicable(f"its data set has no other {NUMBERS[run.plural]} noun")
    if " " not in run.text:
        free = [(word, n) for word, n in free if " " not in word] or free
    reach = list(accumulate(n for _, n in free))
    return str(free[bisect_right(reach, int(rng.integers(reach[-1])))][0])


VARIANTS = (
    Variant(
        "nouns-replaced",
        "text",
        "semantic",
        "Each noun exchanged for another one of the data set.",
        nouns_replaced,
        {"tagger": TAGGER, "seed": SEED},
        frozenset({"tagger", "vocabulary"}),
    ),
)
