"""One item before and after a variant, for somebody who wants to see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from ingest.altering import altering
from ingest.defining import vocabularies
from ingest.variants.base import Inapplicable
from ingest.wanted import Wanted, wanted_variants
from vdb.errors import InputError, NotFoundError
from vdb.schema import ORIGINAL, id_column

if TYPE_CHECKING:
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
        if len(variants) > 1:
            names = ", ".join(one.name for one in variants)
            raise InputError(f"{written!r} stands for several variants; name one of {names}")
        item = _item(db, modality, item_id)
        if item is not None:
            return variants[0], item
        known += _items(db, modality).select("item_id").collect()["item_id"].to_list()
    kind = "caption" if of_both["text"] else "image"
    raise NotFoundError.named(kind, item_id, known, place=f"for variant {written!r}")


def _items(db: Database, modality: Modality) -> pl.LazyFrame:
    items = db.images() if modality == "image" else db.captions()
    return items.select(pl.col(id_column(modality)).alias("item_id"), pl.all())


def _item(db: Database, modality: Modality, item_id: str) -> dict[str, Any] | None:
    found = _items(db, modality).filter(pl.col("item_id") == item_id).collect()
    return None if found.is_empty() else found.row(0, named=True)
