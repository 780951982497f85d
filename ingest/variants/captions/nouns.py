"""Nouns exchanged for other nouns of the data set."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.variants.base import SEED, Inapplicable, Variant
from ingest.variants.captions.text import TAGGER, altered, like, rewritten
from ingest.variants.vocabulary import ARTICLES, NUMBERS, compounds

if TYPE_CHECKING:
    import numpy as np

    from ingest.variants.base import TextItem


def nouns_replaced(item: TextItem, rng: np.random.Generator) -> str:
    """Put another noun of the data set in the place of each noun; names are left.

    Nouns in a row (``tennis racket``) are one, and are replaced by one; ``on top of`` has none. Singular stays singular
    and plural plural; ``a`` and ``an`` follow the new noun, unless the data set never says ``an``. A noun that is
    there twice is replaced by the same one twice; no noun of the caption comes in for another, and none twice. Every
    noun of the vocabulary is as likely as any other, also one that has no plural (``a grass``).
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
            instead[key] = _draw(item, NUMBERS[run.plural], taken, rng)
            taken.add(instead[key])
        edits |= dict.fromkeys(range(run.first, run.end), "")
        edits[run.first] = like(item.tokens[run.first].text, instead[key])
    mend = "an" in item.vocabulary.get(ARTICLES, ("an",))
    return altered(item.text, rewritten(item, edits, mend=mend), "no noun in it")


def _draw(item: TextItem, number: str, taken: set[str], rng: np.random.Generator) -> str:
    """Draw a noun that is not taken."""
    words = item.vocabulary.get(number, ())
    free = [word for word in words if word not in taken]
    if not free:
        raise Inapplicable(f"its data set has no other {number} noun")
    return free[int(rng.integers(len(free)))]


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
