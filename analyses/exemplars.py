"""Groups of exemplars, and draws of them: what is averaged in an exemplar-averaging analysis.

An exemplar is an image and a caption. An image's exemplars are itself with each of its captions, a caption's are each
of its images with itself, and a concept's are each of its images with one of that image's captions (or, where the
captions of a concept belong to no image, one of the concept's captions).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import polars as pl

from analyses.controls import mismatches
from analyses.matching import check_datasets, check_sides, pair_groups, stored_pairs
from vdb.errors import InputError
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from vdb.database import Database
    from vdb.space import Space

Grouping = Literal["image", "caption", "concept"]
Averaged = Literal["images", "captions", "both"]


@dataclass(frozen=True, slots=True)
class Group:
    """What shares a centroid.

    Attributes
    ----------
    name : str
        The image's, caption's or concept's id.
    fold_group : str
        Groups that share an item share this; folds never part it.
    images : tuple of str
    captions : tuple of tuple of str
        For each image the captions to draw from; a single entry where images and captions are drawn apart.
    """

    name: str
    fold_group: str
    images: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]

    @property
    def paired(self) -> bool:
        """Whether each image comes with captions of its own."""
        return len(self.captions) == len(self.images)


def gather(
    db: Database, vision: Space, language: Space, by: Grouping, datasets: Sequence[str] = ()
) -> list[Group]:
    """Find the groups and their exemplars, of which both sides have a vector; sorted by name.

    Raises
    ------
    InputError
        There are no such groups in the store.
    """
    if by == "concept":
        return _by_concept(db, vision, language, datasets)
    pairs, _ = stored_pairs(db, vision, language, datasets)
    pairs = pairs.with_columns(fold_group=pl.Series(pair_groups(pairs)))
    own, other = ("image_id", "caption_id") if by == "image" else ("caption_id", "image_id")
    rows = pairs.group_by(own).agg(other, pl.col("fold_group").first()).sort(own)
    if by == "image":
        return [Group(one, fold, (one,), (tuple(many),)) for one, many, fold in rows.iter_rows()]
    return [
        Group(one, fold, tuple(many), ((one,),) * len(many)) for one, many, fold in rows.iter_rows()
    ]


def _by_concept(
    db: Database, vision: Space, language: Space, datasets: Sequence[str]
) -> list[Group]:
    check_sides(vision, language)
    check_datasets(db, datasets)

    def of_concepts(frame: pl.LazyFrame, space: Space, column: str) -> pl.DataFrame:
        frame = frame.filter(pl.col("concept_id").is_not_null())
        if datasets:
            frame = frame.filter(pl.col("dataset").is_in(datasets))
        there = space.scan([], ORIGINAL).select(column)
        return frame.join(there, on=column, how="semi").select("concept_id", column).collect()

    images = of_concepts(db.images(), vision, "image_id")
    if images.is_empty():
        raise InputError(
            "no image of the store has both a concept and a vector; add concepts, then `vdb ingest`"
        )
    pairs = db.pairs().select("image_id", "caption_id").unique()
    there = language.scan([], ORIGINAL).select("caption_id")
    paired = (
        images.lazy().join(pairs, on="image_id").join(there, on="caption_id", how="semi").collect()
    )
    if not paired.is_empty():
        paired = paired.sort("concept_id", "image_id", "caption_id")
        # A caption may be paired with images of two concepts, which must then share a fold.
        names = paired.select(pl.col("concept_id").alias("image_id"), "caption_id")
        paired = paired.with_columns(fold_group=pl.Series(pair_groups(names)))
        per_image = paired.group_by("concept_id", "fold_group", "image_id", maintain_order=True)
        rows = per_image.agg("caption_id").group_by("concept_id", maintain_order=True)
        return [
            Group(name, fold, tuple(ids), tuple(map(tuple, texts)))
            for name, fold, ids, texts in rows.agg(
                pl.col("fold_group").first(), "image_id", "caption_id"
            ).iter_rows()
        ]
    texts = of_concepts(db.captions(), language, "caption_id")
    if texts.is_empty():
        raise InputError(
            f"no caption in {language.name!r} belongs to a concept, by its own concept_id or by a paired image"
        )
    each = images.sort("image_id").group_by("concept_id").agg("image_id")
    own = texts.sort("caption_id").group_by("concept_id").agg("caption_id")
    return [
        Group(name, name, tuple(ids), (tuple(many),))
        for name, ids, many in each.join(own, on="concept_id").sort("concept_id").iter_rows()
    ]


def enough(groups: Sequence[Group], k: int, by: Grouping, averaged: Averaged) -> list[Group]:
    """Keep the groups that can give ``k`` exemplars of what is averaged.

    Raises
    ------
    InputError
        The grouping has nothing to average on that side, or no group has so many.
    """
    counts = _counts(groups, by, averaged)
    kept = [group for group, count in zip(groups, counts, strict=True) if count >= k]
    if not kept:
        raise InputError(
            f"no {by} has {k} exemplars to average; the most is {max(counts, default=0)}: ask for a smaller --k"
        )
    return kept


def usual_ks(groups: Sequence[Group], by: Grouping, averaged: Averaged) -> tuple[int, ...]:
    """Choose numbers of exemplars: the powers of two up to what at least half of the groups have.

    Raises
    ------
    InputError
        The grouping has nothing to average on that side.
    """
    counts = sorted(_counts(groups, by, averaged), reverse=True)
    most = counts[(len(counts) - 1) // 2] if counts else 1
    return tuple(2**i for i in range(max(most, 1).bit_length()))


def _counts(groups: Sequence[Group], by: Grouping, averaged: Averaged) -> list[int]:
    """Count the exemplars of each group that can be averaged."""
    if (by, averaged) in {("image", "images"), ("image", "both")}:
        raise InputError(f"an image has one image: --group image averages captions, not {averaged}")
    if (by, averaged) in {("caption", "captions"), ("caption", "both")}:
        raise InputError(
            f"a caption has one caption: --group caption averages images, not {averaged}"
        )

    def count(group: Group) -> int:
        images = len(group.images)
        captions = sum(map(len, group.captions)) if by == "image" or not group.paired else images
        return {"images": images, "captions": captions, "both": min(images, captions)}[averaged]

    return [count(group) for group in groups]


def draw(
    groups: Sequence[Group], k: int, averaged: Averaged, generator: np.random.Generator
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Draw exemplars without replacement.

    Parameters
    ----------
    groups : G groups
    k : int
        Exemplars a group; a draw's first j are a draw of j.
    averaged : {"images", "captions", "both"}
    generator : numpy Generator

    Returns
    -------
    images, captions
        (G, k) ids of the side that is averaged, (G, 1) of one that is not. Images and captions of one column belong
        together where the store pairs them.
    """
    images, captions = [], []
    for group in groups:
        if len(group.images) == 1:  # one image, many captions
            images.append([group.images[0]])
            captions.append(_some(group.captions[0], k, generator))
            continue
        order = generator.permutation(len(group.images))[:k]
        images.append([group.images[i] for i in order])
        if group.paired:
            captions.append(
                [group.captions[i][generator.integers(len(group.captions[i]))] for i in order]
            )
        else:
            captions.append(_some(group.captions[0], k, generator))
    width_images = 1 if averaged == "captions" else k
    width_captions = 1 if averaged == "images" else k
    return (
        np.array([row[:width_images] for row in images], object),
        np.array([row[:width_captions] for row in captions], object),
    )


def _some(ids: Sequence[str], k: int, generator: np.random.Generator) -> list[str]:
    return [ids[i] for i in generator.permutation(len(ids))[:k]]


def from_other_groups(
    ids: NDArray[np.object_],
    fold_groups: Sequence[str],
    generator: np.random.Generator,
    first: int = 0,
) -> NDArray[np.object_]:
    """Put other groups' exemplars in the place of a group's own, from column ``first`` on.

    No group keeps its own or gets one of a group that it shares an item with, and no two columns of a group come
    from the same other group (while there are enough groups): see :func:`analyses.controls.mismatches`.
    """
    out = ids.copy()
    partners = mismatches(fold_groups, ids.shape[1] - first, generator)
    for column, partner in enumerate(partners, first):
        out[:, column] = ids[partner, column]
    return out
