"""Which items are to have a variant, and which of those the store has no masks for: known before anything is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from vdb.masks import no_masks, segmentations, things
from vdb.schema import READY_MADE, id_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ingest.pipeline.wanted import Wanted
    from vdb.database import Database


class Expected(NamedTuple):
    """What is known of a variant of each item of a list.

    Attributes
    ----------
    expected : Series of bool
        Whether the item is to have the variant: of a ready-made one those that do, of one that takes out a category
        those that have such a thing, of any other all.
    reasons : Series of str
        Why it cannot, where it has no masks of the segmentation; null elsewhere.
    """

    expected: pl.Series
    reasons: pl.Series

    def at(self, places: pl.Series) -> Expected:
        """Return the same of some of the items."""
        return Expected(self.expected.gather(places), self.reasons.gather(places))


def expecting(db: Database, variants: Sequence[Wanted], ids: pl.Series) -> list[Expected]:
    """Look up what is known of each variant; the masks of all items in one pass.

    Parameters
    ----------
    db : Database
    variants : sequence of Wanted
        All of one modality.
    ids : Series of str
    """
    by_masks = [one.masks for one in variants if one.masks is not None]
    has = things(db) if any(one.category is not None for one in by_masks) else pl.DataFrame()
    there = segmentations(db) if any(one.category is None for one in by_masks) else pl.DataFrame()
    every = Expected(
        pl.repeat(value=True, n=len(ids), dtype=pl.Boolean, eager=True),
        pl.repeat(None, n=len(ids), dtype=pl.String, eager=True),
    )
    found = []
    for one in variants:
        if one.ready_made:
            found.append(every._replace(expected=ids.is_in(_ready_made(db, one).implode())))
        elif one.masks is None:
            found.append(every)
        elif one.masks.category is None:
            found.append(every._replace(reasons=_reasons(one, ids, there)))
        else:
            mine = (pl.col("segmentation") == one.masks.segmentation) & (
                pl.col("category") == one.masks.category
            )
            found.append(every._replace(expected=ids.is_in(has.filter(mine)["item_id"].implode())))
    return found


def _ready_made(db: Database, variant: Wanted) -> pl.Series:
    rows = db.read(READY_MADE[variant.modality]).filter(pl.col("variant") == variant.name)
    identity = pl.col(id_column(variant.modality)).alias("item_id")
    return rows.select(identity).collect()["item_id"]


def _reasons(variant: Wanted, ids: pl.Series, there: pl.DataFrame) -> pl.Series:
    """Say of each item why it cannot have a variant by masks; null where it has them."""
    asked = "" if variant.masks is None else variant.masks.segmentation
    of_each = there.group_by("item_id", maintain_order=True).agg("segmentation")
    of_each = of_each.with_columns(kind=pl.col("segmentation").list.join("\0"))
    kinds = of_each.select("kind", "segmentation").unique("kind")
    told = {
        kind: None if asked in names else no_masks(asked, names, variant.with_masks(names[0]))
        for kind, names in kinds.iter_rows()
    }
    by_kind = pl.DataFrame(
        {"kind": list(told), "reason": list(told.values())},
        {"kind": pl.String, "reason": pl.String},
    )
    known = pl.DataFrame({"item_id": ids}).join(
        of_each.select("item_id", "kind"), on="item_id", how="left", maintain_order="left"
    )
    listed = known.join(by_kind, on="kind", how="left", maintain_order="left")
    none = pl.when(pl.col("kind").is_null()).then(pl.lit(no_masks(asked, [])))
    return listed.select(reason=none.otherwise("reason"))["reason"]
