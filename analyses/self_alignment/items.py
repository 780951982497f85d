"""The items of a space that have a variant, and how near an item's two vectors are."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import torch

from analyses.matching import check_choice, pair_groups
from vdb.errors import InputError
from vdb.schema import ITEMS

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

    from vdb.database import Database
    from vdb.space import Space

_NOTHING = 1e-6
"""Of a vector's length: what is left of it below that is the rounding of a difference."""

_CONTENT = {"images": "sha256", "captions": "text"}


@dataclass(frozen=True, slots=True)
class Items:
    """Those that have one variant beside the original.

    Attributes
    ----------
    variant : str
    kind, fingerprint : str or None
        Of its definition; None where the store has none.
    ids, groups : list of str
        Sorted by id. Items with a partner or their content in common, however indirectly, share a group.
    left_out : int
        Originals that lack the variant.
    """

    variant: str
    kind: str | None
    fingerprint: str | None
    ids: list[str]
    groups: list[str]
    left_out: int

    @property
    def counted(self) -> dict[str, int]:
        """How many there are."""
        return {"n": len(self.ids), "groups": len(set(self.groups)), "left_out": self.left_out}

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with any item or group."""
        told = json.dumps([self.variant, self.ids, self.groups])
        return hashlib.sha256(told.encode()).hexdigest()[:16]


def items(db: Database, space: Space, variant: str, datasets: Sequence[str] = ()) -> Items:
    """Choose the items of a space that have a variant.

    Raises
    ------
    NotFoundError
        The store has no such data set.
    InputError
        No item has both.
    """
    table = ITEMS[space.recipe.modality]
    key = space.id_column
    known = db.read(table).select(key, "dataset", content=_CONTENT[table])
    for dataset in datasets:
        sets = known.select("dataset").unique().collect()["dataset"].to_list()
        check_choice("data set", dataset, sets)
    if datasets:
        known = known.filter(pl.col("dataset").is_in(datasets))
    before = pl.LazyFrame({key: space.ids()}, schema={key: pl.String})
    after = pl.LazyFrame({key: space.ids(variant)}, schema={key: pl.String})
    originals = known.join(before, on=key, how="semi")
    other = "caption_id" if key == "image_id" else "image_id"
    rows = (
        originals.join(after, on=key, how="semi")
        .join(db.pairs().select(key, other).unique(), on=key, how="left")
        .select(key, other, "content")
        .sort(key, other)
        .collect()
    )
    if rows.is_empty():
        raise InputError(f"no item of space {space.name!r} has both its original and {variant!r}")
    grouped = (
        rows.with_columns(group=pl.Series(pair_groups(rows)))
        .group_by(key, maintain_order=True)
        .agg(pl.col("group").first())
    )
    total = originals.select(pl.len()).collect().item()
    kind, fingerprint = _definition(db, space, variant)
    ids = grouped[key].to_list()
    return Items(variant, kind, fingerprint, ids, grouped["group"].to_list(), total - len(ids))


def _definition(db: Database, space: Space, variant: str) -> tuple[str | None, str | None]:
    found = (
        db.variants()
        .filter(modality=space.recipe.modality, variant=variant)
        .select("kind", "fingerprint")
        .collect()
    )
    return found.row(0) if len(found) else (None, None)


def item_cosines(before: Tensor, after: Tensor, *, centred: bool) -> NDArray[np.float64] | None:
    """Return the cosine between the two vectors of each item.

    Parameters
    ----------
    before, after : (n, width) floating tensors
    centred : bool
        Take the mean of ``before`` from both, so that a direction that all vectors share does not count.

    Returns
    -------
    (n,) float64 array or None
        None where a vector has no direction.
    """
    x, y = before.to(torch.float64), after.to(torch.float64)
    lengths = torch.linalg.vector_norm(x, dim=1), torch.linalg.vector_norm(y, dim=1)
    if centred:
        mean = x.mean(dim=0)
        x, y = x - mean, y - mean
    norms = torch.linalg.vector_norm(x, dim=1), torch.linalg.vector_norm(y, dim=1)
    if any(
        bool((norm <= _NOTHING * whole).any()) for norm, whole in zip(norms, lengths, strict=True)
    ):
        return None
    cosines: NDArray[np.float64] = ((x * y).sum(dim=1) / (norms[0] * norms[1])).cpu().numpy()
    return cosines
