"""Groups of exemplars, and draws of them: what is averaged in an exemplar-averaging analysis.

An exemplar is an image and a caption. An image's exemplars are itself with each of its captions, a caption's are each
of its images with itself, and a concept's are each of its images with one of that image's captions. Of a concept none
of whose images has a caption, images and the concept's own captions are drawn apart; of one that has pairs, captions
that belong to none of its images are no exemplars.
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
Side = Literal["images", "captions"]


@dataclass(frozen=True, slots=True)
class Group:
    """What shares a centroid.

    Attributes
    ----------
    name : str
        The image's, caption's or concept's id.
    fold_group : str
        Groups that share an item, by id or by content, share this; folds never part it.
    images : tuple of str
    captions : tuple of tuple of str
        For each image the captions to draw from, of which there may be none; a single entry where images and captions
        are drawn apart.
    paired : bool
        Whether captions are drawn with their image.
    """

    name: str
    fold_group: str
    images: tuple[str, ...]
    captions: tuple[tuple[str, ...], ...]
    paired: bool = False


def gather(
    db: Database, vision: Space, language: Space, by: Grouping, datasets: Sequence[str] = ()
) -> list[Group]:
    """Find the groups and their exemplars, which all have a vector; sorted by name.

    A concept that has exemplars of one side only is among them, for :func:`enough` to leave out.

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
        Group(one, fold, tuple(many), ((one,),) * len(many), paired=True)
        for one, many, fold in rows.iter_rows()
    ]


def _by_concept(
    db: Database, vision: Space, language: Space, datasets: Sequence[str]
) -> list[Group]:
    check_sides(vision, language)
    check_datasets(db, datasets)
    images = _with_vectors(db.images(), vision, "image_id", "sha256")
    texts = _with_vectors(db.captions(), language, "caption_id", "text")
    shown, said = (_of_concepts(frame, datasets) for frame in (images, texts))
    if shown.is_empty():
        raise InputError(
            "no image of the store has both a concept and a vector; add concepts, then `vdb ingest`"
        )
    pairs = db.pairs().select("image_id", "caption_id").unique().collect()
    paired = shown.join(pairs, on="image_id").join(texts.drop("concept_id"), on="caption_id")
    said = said.join(paired, on="concept_id", how="anti")
    if paired.is_empty() and said.is_empty():
        raise InputError(
            f"no caption in {language.name!r} belongs to a concept, by its own concept_id or by a paired image"
        )
    # A photo or a sentence may be of two concepts, which must then share a fold.
    content = [
        frame.select("concept_id", column)
        for frame, column in ((shown, "sha256"), (paired, "text"), (said, "text"))
    ]
    items = pl.concat(content, how="diagonal")
    folds = dict(zip(items["concept_id"], pair_groups(items), strict=True))
    images_of = _listed(shown, "concept_id", "image_id")
    captions_of = _listed(paired, "image_id", "caption_id")
    apart = _listed(said, "concept_id", "caption_id")
    with_pairs = set(paired["concept_id"])

    def exemplars(name: str) -> Group:
        ids, fold = images_of.get(name, ()), folds[name]
        if name in with_pairs:
            own = tuple(captions_of.get(one, ()) for one in ids)
            return Group(name, fold, ids, own, paired=True)
        return Group(name, fold, ids, (apart.get(name, ()),))

    return [exemplars(name) for name in sorted(folds)]


def _with_vectors(items: pl.LazyFrame, space: Space, column: str, content: str) -> pl.DataFrame:
    there = space.scan([], ORIGINAL).select(column)
    wanted = items.select("concept_id", column, content, "dataset")
    return wanted.join(there, on=column, how="semi").collect()


def _of_concepts(items: pl.DataFrame, datasets: Sequence[str]) -> pl.DataFrame:
    items = items.filter(pl.col("concept_id").is_not_null())
    if datasets:
        items = items.filter(pl.col("dataset").is_in(datasets))
    return items.drop("dataset")


def _listed(rows: pl.DataFrame, key: str, value: str) -> dict[str, tuple[str, ...]]:
    """Gather the sorted values of each key."""
    lists = rows.group_by(key).agg(pl.col(value).sort())
    return {name: tuple(values) for name, values in lists.iter_rows()}


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
    """Choose numbers of exemplars: the powers of two up to what at least half of the groups that have any have.

    Raises
    ------
    InputError
        The grouping has nothing to average on that side.
    """
    counts = sorted(filter(None, _counts(groups, by, averaged)), reverse=True)
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
        captions = sum(map(bool if group.paired else len, group.captions))
        both = min(images, captions)
        return {"images": images, "captions": captions, "both": both}[averaged] if both else 0

    return [count(group) for group in groups]


def exemplars_of(group: Group, averaged: Averaged, side: Side) -> tuple[str, ...]:
    """Return the ids of one side of a group's exemplars, one an exemplar: of each image its first caption."""
    if not group.paired:
        return group.images if side == "images" else group.captions[0]
    if side == "captions":
        return tuple(own[0] for own in group.captions if own)
    both = zip(group.images, group.captions, strict=True)
    return tuple(one for one, own in both if own or averaged == "images")


def draw(
    groups: Sequence[Group],
    k: int,
    averaged: Averaged,
    generator: np.random.Generator,
    *,
    replacement: bool = False,
) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Draw exemplars.

    Parameters
    ----------
    groups : G groups
    k : int
        Exemplars a group; a draw's first j are a draw of j.
    averaged : {"images", "captions", "both"}
    generator : numpy Generator
    replacement : bool
        Whether an exemplar can be drawn twice, so that a group need not have ``k``.

    Returns
    -------
    images, captions
        (G, k) ids of the side that is averaged, (G, 1) of one that is not. Images and captions of one column belong
        together where the store pairs them; where images alone are averaged, the caption is that of the first image
        drawn that has one.
    """
    images, captions = [], []
    for group in groups:
        order = generator.permutation(len(group.images)).tolist()
        if group.paired:
            captioned = [i for i in order if group.captions[i]]
            if averaged != "images":  # an image without a caption can only be averaged itself
                order = captioned
            order = _again(order, k, generator) if replacement else order
            said = [i for i in order if group.captions[i]] or captioned
            own = [group.captions[i] for i in said[:k]]
            captions.append([one[generator.integers(len(one))] for one in own])
        else:
            texts = generator.permutation(len(group.captions[0])).tolist()
            if replacement:
                order, texts = _again(order, k, generator), _again(texts, k, generator)
            captions.append([group.captions[0][i] for i in texts[:k]])
        images.append([group.images[i] for i in order[:k]])
    width_images = 1 if averaged == "captions" else k
    width_captions = 1 if averaged == "images" else k
    return (
        np.array([row[:width_images] for row in images], object),
        np.array([row[:width_captions] for row in captions], object),
    )


def _again(order: list[int], k: int, generator: np.random.Generator) -> list[int]:
    """Draw k with replacement; the first is that of the draw without."""
    more = generator.integers(len(order), size=k - 1).tolist()
    return [order[0], *(order[i] for i in more)]


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
