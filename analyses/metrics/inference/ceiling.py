"""Noise ceilings: how well a layer that was seen through noisy repeats can be predicted at all.

Several captions of an image, or several images of a concept, are repeats: what they share is the signal, what they do
not is noise, whatever its meaning. Nobody who knows the item alone can predict the noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from vdb.errors import InputError
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vdb.space import Space

TWO = 2
"""Repeats that an item needs, and items that a correlation or a variance needs."""


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The reliability of the mean of k repeats, by units; NaN without repeats.

    Attributes
    ----------
    units : (width,) float64 array
        Of each unit the reliability: the share of the variance over items that is not noise. NaN for a unit that is
        the same for every item; below 0 by chance where there is no signal.
    reliability : float
        Mean over units.
    r : float
        The highest r of a prediction: the square root of :attr:`reliability`, 0 where that is negative. It is the mean
        over units of their own ceilings if all are equally reliable, and above it otherwise. (That mean itself cannot
        be had of few items: the root of what is by chance above 0, and 0 for what is below, is not 0 on average.)
    k : float
        Repeats that are averaged into what is predicted.
    items, repeats : int
        Items with at least two repeats, and the fewest that one of these has.
    """

    units: NDArray[np.float64]
    reliability: float
    r: float
    k: float
    items: int
    repeats: int


def spearman_brown(r: NDArray[np.float64] | float, factor: float) -> NDArray[np.float64]:
    """Return the reliability of a mean over ``factor`` times as many repeats.

    ``factor r / (1 + (factor - 1) r)``: Spearman, Br. J. Psychol. 3, 1910; Brown, ibid. No reliability is negative,
    but the estimate of one may be, and the formula has a pole there. So a negative r is raised as its opposite is:
    between -1 and 0, and estimates that scatter about 0 still do so about 0.
    """
    known = np.asarray(r, dtype=np.float64)
    size = np.abs(known)
    raised: NDArray[np.float64] = np.sign(known) * factor * size / (1 + (factor - 1) * size)
    return raised


def split_half(
    values: NDArray[np.floating],
    items: Sequence[object],
    *,
    k: float = 1,
    splits: int = 20,
    seed: int = 0,
) -> Ceiling:
    """Estimate the reliability of each unit by correlating means of halves of the repeats.

    Parameters
    ----------
    values : (rows, width) array
        A row for each repeat.
    items : (rows,) sequence
        What each row is a repeat of. Rows of an item that has one only are left out.
    k : float
        Repeats averaged into what is to be predicted: 1 for single exemplars.
    splits : int
        Random splits; r is averaged over them before it is corrected, over those in which both halves vary.
    seed : int

    Returns
    -------
    Ceiling
        From h repeats in each half, h being half of the fewest that an item has, corrected to ``k`` by
        :func:`spearman_brown`. The ceiling of r is the square root of the reliability (Spearman, Am. J. Psychol. 15,
        1904; Schoppe, Harper, Willmore, King and Schnupp, Front. Comput. Neurosci. 10:10, 2016).

    Notes
    -----
    It assumes that repeats of an item are exchangeable and their noises independent: captions that copy each other
    make it too high. It bounds a prediction from the item; one from a repeat that shares noise with the target (an
    image and the caption written of it, both exemplars of a concept) may pass it.
    """
    if k < 1 or splits < 1:
        raise InputError(f"k = {k} and splits = {splits} must both be at least 1")
    rows, counts = _by_item(values, items)
    width = values.shape[1]
    if len(counts) < TWO:
        return Ceiling(np.full(width, np.nan), np.nan, np.nan, k, len(counts), _fewest(counts))
    half = int(counts.min()) // 2
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    rng = np.random.default_rng([seed, 6])
    total, known = np.zeros(width), np.zeros(width)
    for _ in range(splits):
        drawn = np.stack(
            [rows[s + rng.permutation(m)[: 2 * half]] for s, m in zip(starts, counts, strict=True)]
        )
        first, second = (
            values[part].astype(np.float64).mean(axis=1) for part in np.split(drawn, 2, axis=1)
        )
        r = _correlations(first, second)
        total += np.nan_to_num(r)
        known += np.isfinite(r)
    mean = np.divide(total, known, out=np.full(width, np.nan), where=known > 0)
    units = spearman_brown(mean, k / half)
    return _ceiling(units, k, len(counts), int(counts.min()))


def noise_ceiling(
    space: Space,
    groups: Sequence[Sequence[str]],
    layer: int | str = -1,
    *,
    k: float = 1,
    splits: int = 20,
    seed: int = 0,
    variant: str = ORIGINAL,
) -> Ceiling:
    """Estimate the ceiling of a stored layer from the exemplars of each item.

    Parameters
    ----------
    space : Space
    groups : sequence of sequences of str
        Of each item the ids of its exemplars, e.g. of each image its captions.
    layer : int or str
    k, splits, seed
        As in :func:`split_half`.
    variant : str

    Raises
    ------
    NotFoundError
        An id has no vector, or there is no such layer.
    """
    ids = [one for group in groups for one in group]
    items = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    return split_half(
        space.matrix(layer, variant, ids).values, items.tolist(), k=k, splits=splits, seed=seed
    )


def _by_item(
    values: NDArray[np.floating], items: Sequence[object]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the rows in order of their item, and each item's number of them, for items that have at least two."""
    if len(items) != len(values):
        raise InputError(f"{len(items)} items given for {len(values)} rows: each row needs its own")
    _, member, counts = np.unique(
        np.array([str(one) for one in items], dtype=object),
        return_inverse=True,
        return_counts=True,
    )
    order = np.argsort(member.reshape(-1), kind="stable")
    return order[counts[member.reshape(-1)[order]] >= TWO], counts[counts >= TWO]


def _fewest(counts: NDArray[np.int64]) -> int:
    return int(counts.min()) if len(counts) else 1


def _correlations(first: NDArray[np.float64], second: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Pearson's r of each unit; NaN where one side does not vary."""
    varies = (np.ptp(first, axis=0) > 0) & (np.ptp(second, axis=0) > 0)
    a, b = first - first.mean(axis=0), second - second.mean(axis=0)
    norm = np.sqrt((a * a).sum(axis=0) * (b * b).sum(axis=0))
    r: NDArray[np.float64] = np.where(
        varies, (a * b).sum(axis=0) / np.where(varies, norm, 1), np.nan
    )
    return r


def _ceiling(units: NDArray[np.float64], k: float, items: int, repeats: int) -> Ceiling:
    known = units[np.isfinite(units)]
    if not len(known):
        return Ceiling(units, np.nan, np.nan, k, items, repeats)
    mean = float(known.mean())
    return Ceiling(units, mean, max(mean, 0.0) ** 0.5, k, items, repeats)
