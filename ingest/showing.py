"""One item before and after a variant, for somebody who wants to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from ingest.pipeline.altering import altering
from ingest.pipeline.categories import categories_of
from ingest.pipeline.defining import vocabularies
from ingest.pipeline.wanted import Wanted, wanted_variants
from ingest.variants.base import Inapplicable
from vdb.errors import InputError, NotFoundError
from vdb.schema import ITEMS, ORIGINAL, id_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.database import Database
    from vdb.recipe import Modality


class Shown(NamedTuple):
    """An item and what a variant makes of it: two PIL images, or two texts."""

    name: str
    modality: Modality
    original: Any
    altered: Any


def show(db: Database, written: str, item_id: str) -> Shown:
    """Alter one item; nothing is kept.

    Parameters
    ----------
    db : Database
    written : str
        A variant with settings, or a ready-made one.
    item_id : str
        Of an image or a caption.

    Raises
    ------
    NotFoundError
        There is no such variant or item; near misses are suggested.
    InputError
        The item cannot have the variant, or cannot be read.
    """
    wanted, item = _asked(db, written, item_id)
    words = vocabularies(db, [wanted], [item.get("dataset", "")], keep=False)
    both = (Wanted(ORIGINAL, wanted.modality), wanted)
    makes = dict(altering(db, both, words)({**item, "variants": [one.name for one in both]}))
    try:
        altered = makes[wanted.name]()
    except Inapplicable as error:
        raise InputError(f"{item_id!r} cannot have {wanted.name!r}: {error}") from None
    return Shown(wanted.name, wanted.modality, makes[ORIGINAL](), altered)


def _asked(db: Database, written: str, item_id: str) -> tuple[Wanted, dict[str, Any]]:
    if written == ORIGINAL:
        raise InputError(f"{ORIGINAL!r} alters nothing; `vdb variants` lists what does")
    of_both = wanted_variants(db, [written])
    known: list[str] = []
    for modality, variants in of_both.items():
        if not variants:
            continue
        item = _item(db, modality, item_id)
        if len(variants) > 1:
            names = _of_item(db, variants, item)
            raise InputError(f"{written!r} stands for several variants; name one of {names}")
        if item is not None:
            return variants[0], item
        known += _items(db, modality).select("item_id").collect()["item_id"].to_list()
    kind = "caption" if of_both["text"] else "image"
    other: Modality = "image" if kind == "caption" else "text"
    if not of_both[other] and _item(db, other, item_id) is not None:
        is_one = "an image" if other == "image" else "a caption"
        raise InputError(f"{item_id!r} is {is_one}; {written} alters {kind}s")
    raise NotFoundError.named(kind, item_id, known, place=f"for variant {written!r}")


def _of_item(db: Database, variants: Sequence[Wanted], item: dict[str, Any] | None) -> str:
    """List names of variants; of those that take out a category only the ones that the item has."""
    masks = variants[0].masks
    if item is None or masks is None:
        return ", ".join(one.name for one in variants)
    of_it = categories_of(db, masks.segmentation, image_id=item["item_id"])
    mine = [one.name for one in variants if one.masks is not None and one.masks.category in of_it]
    if not mine:
        raise InputError(f"{item['item_id']!r} has no thing with a mask of {masks.segmentation}")
    return ", ".join(mine)


def _items(db: Database, modality: Modality) -> pl.LazyFrame:
    items = db.read(ITEMS[modality])
    return items.select(pl.col(id_column(modality)).alias("item_id"), pl.all())


def _item(db: Database, modality: Modality, item_id: str) -> dict[str, Any] | None:
    found = _items(db, modality).filter(pl.col("item_id") == item_id).collect()
    return None if found.is_empty() else found.row(0, named=True)
