"""Which rows an analysis compares: pairs of the store whose both sides have a vector, joined by id."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
import polars as pl

from vdb.errors import InputError, NotFoundError
from vdb.schema import ORIGINAL
from vdb.space import Space

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from numpy.typing import NDArray

    from vdb.database import Database

Captions = Literal["one", "mean", "all"]
"""What stands for an image's captions: the first by id, the mean of their vectors, or a row for each."""


@dataclass(frozen=True, slots=True)
class Matched:
    """Rows to compare: row i is ``image_ids[i]`` with the captions ``caption_ids[i]``.

    Attributes
    ----------
    image_ids : list of str
        n images.
    caption_ids : list of list of str
        Of each row the captions whose vectors are averaged; one where nothing is averaged.
    groups : list of str
        Rows that share an image or a caption, by id or by content, however indirectly, share a group; folds never
        part a group. A caption that many images have ("a man riding a wave") makes one group of all of them.
    unmatched : int
        Pairs of the store that were left out because a side has no vector.
    content : str
        A digest of what the ids stand for, photos and sentences; empty where that is not known.
    """

    image_ids: list[str]
    caption_ids: list[list[str]]
    groups: list[str]
    unmatched: int
    content: str = ""

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with any row, group or content, and with what was left out."""
        rows = [self.image_ids, self.caption_ids, self.groups, self.unmatched, self.content]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]


def check_sides(vision: Space, language: Space) -> None:
    """Raise InputError unless ``vision`` is a space of images and ``language`` one of texts."""
    for space, side, modality in ((vision, "vision", "image"), (language, "language", "text")):
        if space.recipe.modality != modality:
            raise InputError(
                f"--{side} {space.name}: that space holds vectors of {space.recipe.modality}s, not of {modality}s"
            )


def check_choice(option: str, value: str, known: Collection[str]) -> None:
    """Raise NotFoundError unless ``value`` is one of the ``known`` ones."""
    if value not in known:
        raise NotFoundError.named(option, value, known)


def check_datasets(db: Database, datasets: Sequence[str]) -> None:
    """Raise NotFoundError unless the store has items of every one of ``datasets``."""
    if not datasets:
        return
    tables = [db.images(), db.captions(), db.pairs()]
    known = pl.concat([table.select("dataset") for table in tables]).unique().collect()["dataset"]
    for dataset in datasets:
        check_choice("data set", dataset, known.to_list())


def stored_pairs(
    db: Database,
    vision: Space | Sequence[Space],
    language: Space | Sequence[Space],
    datasets: Sequence[str] = (),
    vision_variants: Sequence[str] = (ORIGINAL,),
    language_variants: Sequence[str] = (ORIGINAL,),
) -> tuple[pl.DataFrame, int]:
    """Read the pairs whose both sides have a vector in every variant named, and count those whose sides have not.

    Returns
    -------
    DataFrame, int
        ``image_id``, ``caption_id`` and their content, ``sha256`` and ``text``, sorted by id; pairs left out.

    Raises
    ------
    InputError
        No pair has both.
    NotFoundError
        No item of the store is of one of ``datasets``.
    """
    visions, languages = _several(vision), _several(language)
    for one, other in product(visions, languages):
        check_sides(one, other)
    check_datasets(db, datasets)
    pairs = db.pairs()
    if datasets:
        pairs = pairs.filter(pl.col("dataset").is_in(datasets))
    pairs = pairs.select("image_id", "caption_id").unique()
    there = pairs
    for space in visions:
        there = there.join(_with_all(space, vision_variants), on="image_id", how="semi")
    for space in languages:
        there = there.join(_with_all(space, language_variants), on="caption_id", how="semi")
    both = (
        there.join(db.images().select("image_id", "sha256"), on="image_id", how="left")
        .join(db.captions().select("caption_id", "text"), on="caption_id", how="left")
        .sort("image_id", "caption_id")
        .collect()
    )
    total = pairs.select(pl.len()).collect().item()
    if not total:
        raise InputError(_no_pairs(db, datasets))
    if both.is_empty():
        altered = [one for one in (*vision_variants, *language_variants) if one != ORIGINAL]
        told = f" in {', '.join(altered)}" if altered else ""
        raise InputError(
            f"none of the store's {total} pairs has a vector in {_named([*visions, *languages])}{told}: "
            "`vdb ingest` both models over the same data set"
        )
    return both, total - len(both)


def _no_pairs(db: Database, datasets: Sequence[str]) -> str:
    """Say that there is no pair, and where trials are instead."""
    if not datasets:
        return "the store has no pairs of an image and a caption: `vdb add` a data set that has"
    asked = set(db.trials().select("dataset").unique().collect()["dataset"]) & set(datasets)
    hint = "name another one, or none for all"
    if asked:
        hint = "it has trials, which `vdb analyze forced-choice` asks"
    return f"the data set {', '.join(map(repr, datasets))} has no pairs of an image and a caption: {hint}"


def _several(spaces: Space | Sequence[Space]) -> list[Space]:
    return [spaces] if isinstance(spaces, Space) else list(spaces)


def _named(spaces: Sequence[Space]) -> str:
    """Name spaces that a pair must have vectors of."""
    if len(spaces) == 2:  # noqa: PLR2004 - a pair of spaces
        return f"both {spaces[0].name!r} and {spaces[1].name!r}"
    return f"all of {', '.join(repr(space.name) for space in spaces)}"


def _with_all(space: Space, variants: Sequence[str]) -> pl.LazyFrame:
    """Select the ids that have a vector in every one of ``variants``."""
    wanted = list(dict.fromkeys(variants))
    rows = space.scan([]).select(space.id_column, "variant").filter(pl.col("variant").is_in(wanted))
    counted = rows.group_by(space.id_column).agg(pl.len())
    return counted.filter(pl.col("len") == len(wanted)).select(space.id_column)


def match(
    db: Database,
    vision: Space | Sequence[Space],
    language: Space | Sequence[Space],
    captions: Captions = "one",
    datasets: Sequence[str] = (),
    vision_variants: Sequence[str] = (ORIGINAL,),
    language_variants: Sequence[str] = (ORIGINAL,),
) -> Matched:
    """Choose the rows of an alignment.

    Parameters
    ----------
    db : Database
    vision, language : Space or sequence of Space
        With several, only pairs that every one of them has vectors of: their maps can then be compared.
    captions : {"one", "mean", "all"}
    datasets : sequence of str
        Only pairs of these data sets; all by default.
    vision_variants, language_variants : sequence of str
        Only images, and captions, that have a vector in all of these.

    Returns
    -------
    Matched
        Sorted by image, then by caption. Groups are those of all matched pairs, of captions not chosen too.
    """
    check_choice("choice of captions", captions, get_args(Captions))
    pairs, unmatched = stored_pairs(
        db, vision, language, datasets, vision_variants, language_variants
    )
    return rows_of(pairs, captions, unmatched)


def rows_of(pairs: pl.DataFrame, captions: Captions, unmatched: int) -> Matched:
    """Make the rows of an alignment of the pairs that :func:`stored_pairs` read."""
    check_choice("choice of captions", captions, get_args(Captions))
    groups = pair_groups(pairs)
    content = hashlib.sha256(json.dumps(pairs.rows()).encode()).hexdigest()
    if captions == "all":
        image_ids = pairs["image_id"].to_list()
        caption_ids = [[caption] for caption in pairs["caption_id"]]
        return Matched(image_ids, caption_ids, groups, unmatched, content)
    chosen = pl.col("caption_id") if captions == "mean" else pl.col("caption_id").head(1)
    rows = (
        pairs.with_columns(group=pl.Series(groups))
        .group_by("image_id", maintain_order=True)
        .agg(chosen, pl.col("group").first())
    )
    return Matched(
        rows["image_id"].to_list(),
        rows["caption_id"].to_list(),
        rows["group"].to_list(),
        unmatched,
        content,
    )


def pair_groups(rows: pl.DataFrame) -> list[str]:
    """Name the connected component of each row: rows that have a value of any column in common are connected.

    Parameters
    ----------
    rows : DataFrame
        Columns of strings: ids and what they stand for, so that one photo under two ids or one sentence under two does
        not come to lie in two folds. Nulls connect nothing.

    Returns
    -------
    list of str
        Of each row the least value of the first column in its component.
    """
    from scipy.sparse import coo_array  # noqa: PLC0415 - slow to import, and only this needs it
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    height, size = len(rows), len(rows)  # the nodes: every row, then every value of every column
    ends = []
    for column in rows.iter_columns():
        present = column.is_not_null().arg_true().to_numpy().astype(np.int64)
        values = column.drop_nulls().rank("dense").to_numpy().astype(np.int64) - 1
        ends.append(np.stack([present, size + values]))
        size += column.drop_nulls().n_unique()
    edges = np.concatenate(ends, axis=1)
    ones = np.ones(edges.shape[1], np.int8)
    _, labels = connected_components(
        coo_array((ones, tuple(edges)), shape=(size, size)), directed=False
    )
    named = pl.DataFrame({"name": rows.to_series(0), "component": labels[:height]})
    return named.select(pl.col("name").min().over("component"))["name"].to_list()


def mean_rows(
    space: Space,
    ids: Sequence[Sequence[str]],
    layers: Sequence[int] | None = None,
    variant: str = ORIGINAL,
) -> list[NDArray[np.float32]]:
    """Read layers and average them within each row's ids.

    Parameters
    ----------
    space : Space
    ids : n lists of ids
    layers : sequence of int, optional
        All by default.
    variant : str

    Returns
    -------
    list of (n, width) float32 arrays
        One a layer.
    """
    flat = [one for row in ids for one in row]
    _, values = space.matrices(layers, variant, flat)
    single = [layer.astype(np.float32) for layer in values]
    lengths = np.array([len(row) for row in ids])
    if (lengths == 1).all():
        return single
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    counts = lengths[:, None].astype(np.float32)
    sums = [np.add.reduceat(layer, starts, axis=0, dtype=np.float32) for layer in single]
    return [np.asarray(total / counts, np.float32) for total in sums]
