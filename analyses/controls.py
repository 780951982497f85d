"""Controls that need no model: what a finding must beat."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BAG_OF_WORDS = "bag-of-words"
MISMATCHED = "mismatched"
CONTROLS = (BAG_OF_WORDS, MISMATCHED)

COMPONENTS = 50
"""Directions that :func:`latent_words` keeps."""

_WORD = re.compile(r"\w+")
_MOST_WORDS = 4096
_DENSE = 1000
"""Rows or words up to which all directions are computed: the iteration for a few restarts at random on equal ones."""
_NOTHING = 1e-6
"""Of the largest singular value: a direction below it is empty."""


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

    Raises
    ------
    InputError
        There is no word in any caption.
    """
    counts = [
        Counter(word for text in row for word in _WORD.findall(text.lower())) for row in texts
    ]
    rows_with = Counter(word for count in counts for word in count)
    if not rows_with:
        raise InputError(
            f"the captions hold no word to count: leave the control {BAG_OF_WORDS!r} out (--control {MISMATCHED})"
        )
    chosen = sorted(rows_with, key=lambda word: (-rows_with[word], word))[:_MOST_WORDS]
    column = {word: i for i, word in enumerate(chosen)}
    bag = np.zeros((len(texts), len(column)), np.float32)
    for i, (count, row) in enumerate(zip(counts, texts, strict=True)):
        for word, times in count.items():
            if word in column:
                bag[i, column[word]] = times / len(row)
    return bag


def latent_words(bag: NDArray[np.float32]) -> NDArray[np.float32]:
    """Compress word counts to their main directions: the stronger form of the control.

    Most words of a caption stand in few others, so counts of single words are a poor target and a noisy source. Rare
    words weigh more and frequent ones less (tf-idf, each row of length 1), and the first right singular vectors are
    kept (latent semantic analysis: Deerwester et al., J. Am. Soc. Inf. Sci. 41, 1990).

    Parameters
    ----------
    bag : (n, V) float32 array
        From :func:`bag_of_words`.

    Returns
    -------
    (n, at most min(50, n - 1, V - 1)) float32 array
        At least one column; none for a direction that the counts do not have.
    """
    from scipy.sparse import csr_array  # noqa: PLC0415 - slow to import, and only this needs it
    from scipy.sparse.linalg import svds  # noqa: PLC0415

    rows, words = bag.shape
    inverse = np.log((1 + rows) / (1 + (bag > 0).sum(axis=0))) + 1
    weighted: NDArray[np.float64] = bag.astype(np.float64) * inverse
    weighted /= np.linalg.norm(weighted, axis=1, keepdims=True).clip(min=np.finfo(float).tiny)
    kept = min(COMPONENTS, rows - 1, words - 1)
    if kept < 1:
        return weighted.astype(np.float32)
    if min(rows, words) <= _DENSE:
        left, scale, _ = np.linalg.svd(weighted, full_matrices=False)
    else:
        start = np.ones(min(rows, words))  # of the iteration, so that every run gives the same
        left, scale, _ = svds(csr_array(weighted), k=kept, v0=start)
    order = np.argsort(-scale, kind="stable")[:kept]
    order = order[
        scale[order] > _NOTHING * scale.max()
    ]  # the rest is rounding, which scaling would blow up
    components: NDArray[np.float32] = np.asarray(left * scale, dtype=np.float32)
    chosen: NDArray[np.float32] = components[:, order]
    return chosen


def mismatch(groups: Sequence[str], seed: int) -> NDArray[np.int64]:
    """Draw another group's row for every row.

    Returns
    -------
    (n,) int64 array
        A permutation that sends no row to its own group; drawn by shuffling the groups, laying their rows in that
        order and turning the whole by the size of the largest group.

    Raises
    ------
    InputError
        One group holds more than half of the rows, so that there is no such permutation.
    """
    partners = mismatches(groups, 1, np.random.default_rng(seed))
    return partners.reshape(-1)


def mismatches(
    groups: Sequence[str], count: int, generator: np.random.Generator
) -> NDArray[np.int64]:
    """Draw other groups' rows for every row, several times.

    Returns
    -------
    (count, n) int64 array
        Permutations as :func:`mismatch` draws them, each turned by another amount over one order of the groups: no
        two of them send a row to the same one, while there are as many amounts.
    """
    names, member, sizes = np.unique(
        np.asarray(groups, object), return_inverse=True, return_counts=True
    )
    rows, largest = len(member), int(sizes.max())
    if 2 * largest > rows:
        raise InputError(
            f"{largest} of {rows} rows share images or captions, however indirectly: more than half cannot all be "
            f"mismatched; leave the controls that mismatch out (--control)"
        )
    place = generator.permutation(len(names))
    order = np.argsort(place[member.reshape(-1)], kind="stable")
    # Turned by at least the largest group and by at most as far from a whole turn, no row meets its own group.
    turns = largest + generator.permutation(rows - 2 * largest + 1)
    partners = np.empty((count, rows), np.int64)
    for i, partner in enumerate(partners):
        partner[order] = np.roll(order, int(turns[i % len(turns)]))
    return partners
