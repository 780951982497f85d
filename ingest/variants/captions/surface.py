"""Case, punctuation and white space: what a caption looks like and not what it says."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from ingest.variants.base import SEED, Inapplicable, Variant
from ingest.variants.captions.text import altered
from vdb.settings import Parameter

if TYPE_CHECKING:
    import numpy as np

    from ingest.variants.base import TextItem

_LONGEST_GAP = 4  # spaces added to one gap, at most


def lowercase(item: TextItem, _: np.random.Generator) -> str:
    """Write every letter small."""
    return altered(item.text, item.text.lower(), "no capital letter in it")


def uppercase(item: TextItem, _: np.random.Generator) -> str:
    """Write every letter as a capital."""
    return altered(item.text, item.text.upper(), "no small letter in it")


def no_punctuation(item: TextItem, _: np.random.Generator) -> str:
    """Take out every punctuation mark, save those inside a word or number (``well-worn``, ``isn't``, ``1,000``).

    A mark that is all that parts two words (``cat/dog``) gives way to a space, and the white space around one that
    stood alone becomes one space.
    """
    text = item.text
    marks = [i for i, char in enumerate(text) if _is_punctuation(char) and not _joins(text, i)]
    if not marks:
        raise Inapplicable("no punctuation in it")
    blank = list(text)
    for i in marks:
        blank[i] = "\0"
    after = re.sub(r"(?<=\w)\0+(?=\w)", " ", "".join(blank))
    after = re.sub(r"\s\0+(?=\s|$)|^\0+\s+", "", after).replace("\0", "")
    return altered(text, after.strip(), "nothing but punctuation in it")


def whitespace(item: TextItem, rng: np.random.Generator, *, rate: float) -> str:
    """Widen gaps between words by 1 to 4 spaces, each with a chance of ``rate``, one at least.

    A caption of one word is given the spaces in front.
    """
    gaps = [gap.end() for gap in re.finditer(r"(?<=\S)\s+(?=\S)", item.text)] or [0]
    chances = rng.random(len(gaps))
    widths = rng.integers(1, _LONGEST_GAP, len(gaps), endpoint=True)
    chosen = [i for i, chance in enumerate(chances) if chance < rate] or [int(chances.argmin())]
    text = item.text
    for i in reversed(chosen):
        text = text[: gaps[i]] + " " * int(widths[i]) + text[gaps[i] :]
    return altered(item.text, text, "nothing but white space in it")


def _is_punctuation(char: str) -> bool:
    return unicodedata.category(char)[0] == "P"


def _joins(text: str, i: int) -> bool:
    """Tell whether a mark is a part of the word or number it stands in."""
    before, after = text[i - 1 : i], text[i + 1 : i + 2]
    if text[i] in ",.:":
        return before.isdigit() and after.isdigit()
    return text[i] in "-'\u2019\u2010\u2011_&" and before.isalnum() and after.isalnum()


VARIANTS = (
    Variant("lowercase", "text", "appearance", "Every letter small.", lowercase),
    Variant("uppercase", "text", "appearance", "Every letter a capital.", uppercase),
    Variant("no-punctuation", "text", "appearance", "Punctuation taken out.", no_punctuation),
    Variant(
        "whitespace",
        "text",
        "appearance",
        "Spaces added between words.",
        whitespace,
        {"rate": Parameter(0.5, "chance of each gap to be widened", 0, 1), "seed": SEED},
    ),
)
