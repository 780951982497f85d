"""Variants by masks name categories of things and segmentations; here is asked whether the store has them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from vdb.errors import InputError, NotFoundError
from vdb.masks import INSTANCES, PANOPTIC, by_masks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.variants.naming import Chosen
    from vdb.database import Database

EACH = "each"
"""The setting ``which`` of a variant by masks that stands for one variant a category of things."""


def by_category(db: Database, chosen: Chosen, datasets: Sequence[str] = ()) -> list[Chosen]:
    """Turn ``which=each`` into one variant a category of things, and check a category that is named.

    Parameters
    ----------
    db : Database
    chosen : Chosen
    datasets : sequence of str
        ``each`` stands for the categories of these; for all of the store by default.

    Returns
    -------
    list of Chosen
        The very same alone, unless ``which`` is ``each``.

    Raises
    ------
    NotFoundError
        No image has masks of that segmentation, or a thing of that category; near misses are suggested.
    InputError
        No image has the mask of a thing.
    """
    asked = by_masks(chosen.settings)
    if asked is None:
        return [chosen]
    if asked.segmentation not in {PANOPTIC, INSTANCES}:
        there = db.segments().select("segmentation").unique().collect()["segmentation"]
        if asked.segmentation not in there:
            known = {PANOPTIC, INSTANCES, *there}
            raise NotFoundError.named("segmentation", asked.segmentation, known)
    if asked.category is None:
        return [chosen]
    each = asked.category == EACH
    categories = categories_of(db, asked.segmentation, datasets if each else ())
    if not categories:
        raise InputError(f"variant {chosen.name!r}: {_without(db, chosen, asked.segmentation)}")
    if not each:
        if asked.category not in categories:
            place = f"among the things of {asked.segmentation} masks"
            raise NotFoundError.named("category", asked.category, categories, place=place)
        return [chosen]
    return [replace(chosen, settings={**chosen.settings, "which": one}) for one in categories]


def categories_of(
    db: Database, segmentation: str, datasets: Sequence[str] = (), image_id: str | None = None
) -> list[str]:
    """List the categories of things that have masks of a segmentation, sorted.

    Parameters
    ----------
    db : Database
    segmentation : str
    datasets : sequence of str
        Only of images of these; of all by default.
    image_id : str, optional
        Only of this one.
    """
    rows = db.segments().filter(pl.col("is_thing"), pl.col("segmentation") == segmentation)
    if image_id is not None:
        rows = rows.filter(pl.col("image_id") == image_id)
    if datasets:
        mine = db.images().filter(pl.col("dataset").is_in(datasets)).select("image_id")
        rows = rows.join(mine, on="image_id", how="semi")
    return rows.select("category").unique().collect()["category"].sort().to_list()


def _without(db: Database, chosen: Chosen, segmentation: str) -> str:
    """Say that no image has the mask of a thing, and what there is instead."""
    none = f"no image here has the {segmentation} mask of a thing"
    things = db.segments().filter(pl.col("is_thing")).select("segmentation").unique().collect()
    others = [one for one in things["segmentation"].sort() if one != segmentation]
    if not others:
        added = segmentation if segmentation in {PANOPTIC, INSTANCES} else PANOPTIC
        return f"{none}; `vdb add coco --{added}` adds some"
    instead = replace(chosen, settings={**chosen.settings, "masks": others[0]}).name
    return f"{none}; there are {', '.join(others)}: {instead}"
