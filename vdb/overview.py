"""The store at a glance: what each space holds of what it could."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from vdb.database import Database


def overview(db: Database) -> pl.DataFrame:
    """Count, for each space and variant, the items it holds, those that failed and those that remain.

    Returns
    -------
    pl.DataFrame
        ``space``, ``model``, ``modality``, ``variant``, ``layers``, ``items``, ``stored``, ``failed``, ``remaining``,
        ``fingerprint``.
    """
    items = {
        "image": db.images().select(pl.len()).collect().item(),
        "text": db.captions().select(pl.len()).collect().item(),
    }
    failed = db.failures().group_by("space", "variant").len().collect()
    misses = {(space, variant): count for space, variant, count in failed.iter_rows()}
    rows = []
    for name in db.spaces().select("space").sort("space").collect()["space"]:
        space = db.space(name)
        recipe = space.recipe
        counts = space.counts()
        variants = sorted(counts.keys() | {variant for owner, variant in misses if owner == name})
        for variant in variants:
            stored, missed = counts.get(variant, 0), misses.get((name, variant), 0)
            expected = items[recipe.modality]
            rows.append(
                {
                    "space": name,
                    "model": recipe.model,
                    "modality": recipe.modality,
                    "variant": variant,
                    "layers": len(recipe.layers),
                    "items": expected,
                    "stored": stored,
                    "failed": missed,
                    "remaining": expected - stored - missed,
                    "fingerprint": recipe.fingerprint,
                }
            )
    return pl.DataFrame(rows, schema=_SCHEMA)


_SCHEMA = {
    "space": pl.String,
    "model": pl.String,
    "modality": pl.String,
    "variant": pl.String,
    "layers": pl.Int64,
    "items": pl.Int64,
    "stored": pl.Int64,
    "failed": pl.Int64,
    "remaining": pl.Int64,
    "fingerprint": pl.String,
}
