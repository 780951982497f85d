"""Controls that need no model: what a finding must beat."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BAG_OF_WORDS = "bag-of-words"
MISMATCHED = "mismatched"
CONTROLS = (BAG_OF_WORDS, MISMATCHED)

_WORD = re.compile(r"\w+")
_MOST_WORDS = 4096


def bag_of_words(texts: Sequence[Sequence[str]]) -> NDArray[np.float32]:
    """Count words: what a caption says without order, syntax or a model.

    Parameters
    ----------
    texts : n lists of str
        The captions of each row.

    Returns
    -------
    (n, V) float32 array
        Mean count of each word over a row's captions, lower-cased; V is at most 4,096, the words in most rows, ties
        by the alphabet.
    """
    counts = [
        Counter(word for text in row for word in _WORD.findall(text.lower())) for row in texts
    ]
    rows_with = Counter(word for count in counts for word in count)
    chosen = sorted(rows_with, key=lambda word: (-rows_with[word], word))[:_MOST_WORDS]
    column = {word: i for i, word in enumerate(chosen)}
    bag = np.zeros((len(texts), len(column)), np.float32)
    for i, (count, row) in enumerate(zip(counts, texts, strict=True)):
        for word, times in count.items():
            if word in column:
                bag[i, column[word]] = times / len(row)
    return bag


def mismatch(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Draw another group's row for every row.

    Returns
    -------
    (n,) int64 array
        A permutation that sends no row to its own group, where one exists; drawn by shuffling the groups, laying
        their rows in that order and turning the whole by the size of the largest group.
    """
    generator = np.random.default_rng(seed)
    names, member, sizes = np.unique(
        np.asarray(groups, object), return_inverse=True, return_counts=True
    )
    place = generator.permutation(len(names))
    order = np.argsort(place[member.reshape(-1)], kind="stable")
    partner = np.empty(len(groups), np.int64)
    partner[order] = np.roll(order, int(sizes.max()))
    return partner
