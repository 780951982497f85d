"""The tables of a store: the words in them, their keys, the layout of spaces, and the version of the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from vdb import layouts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.recipe import Layer, Modality, StoredDtype

SCHEMA_VERSION = 2
"""Raised by one with every change of the tables in vdb.layouts; vdb.migrations leads from each version to the next."""

DATA_STORAGE_VERSION = "2.2"
"""Lance's file format. Pinned: newer formats cannot be read by every lancedb within our bounds."""

ORIGINAL = "original"
"""The variant of an item that nobody altered."""

FAILED = "failed"
INAPPLICABLE = "inapplicable"
"""What the ledger says of an item: something went wrong, or it cannot have that variant."""

TEXT_TO_IMAGE = "text-to-image"
IMAGE_TO_TEXT = "image-to-text"
"""The directions of a trial: from what is asked about to what is chosen from."""

TABLES: dict[str, pa.Schema] = layouts.TABLES
"""The columns of each table but spaces and results."""

KEYED_BY: dict[str, tuple[str, ...]] = {
    "concepts": ("concept_id",),
    "images": ("image_id",),
    "captions": ("caption_id",),
    "pairs": ("image_id", "caption_id"),
    "segments": ("image_id", "segment_id"),
    "trials": ("trial_id",),
    "variants": ("modality", "variant"),
    "image_variants": ("image_id", "variant"),
    "caption_variants": ("caption_id", "variant"),
    "blobs": ("sha256",),
    "spaces": ("space",),
    "failures": ("space", "item_id", "variant"),
    "runs": ("run_id",),
    "pictures": ("run_id", "name"),
}
"""The columns whose values, joined by :func:`key_of`, are a row's key."""


ITEMS: dict[Modality, str] = {"image": "images", "text": "captions"}
"""The tables of the items that each modality encodes."""

READY_MADE: dict[Modality, str] = {"image": "image_variants", "text": "caption_variants"}
"""The tables of variants that somebody else made, by what they are variants of."""


def key_of(*parts: str) -> str:
    r"""Join parts into one key; no two tuples of parts share a key.

    >>> key_of("img-1", "original")
    'img-1|original'
    >>> key_of("a|b", "c") == key_of("a", "b|c")
    False
    """
    return "|".join(part.replace("\\", "\\\\").replace("|", "\\|") for part in parts)


def layer_column(index: int) -> str:
    """Name the column of a layer: ``layer_00``, ``layer_01``, ..."""
    return f"layer_{index:02d}"


def id_column(modality: Modality) -> str:
    """Name the id column of the items that a modality encodes."""
    return "image_id" if modality == "image" else "caption_id"


def space_schema(modality: Modality, layers: Sequence[Layer], dtype: StoredDtype) -> pa.Schema:
    """Lay out a space: a row for each (item, variant), a column for each layer.

    Returns
    -------
    pa.Schema
        ``key``, ``image_id`` or ``caption_id``, ``concept_id``, ``variant``, then ``layer_00`` ... of
        ``fixed_size_list<dtype>[width]``.
    """
    scalar = pa.float16() if dtype == "float16" else pa.float32()
    return pa.schema(
        [
            layouts.KEY,
            layouts.text(id_column(modality)),
            layouts.text("concept_id", nullable=True),
            layouts.text("variant"),
            *(
                pa.field(layer_column(i), pa.list_(scalar, layer.width), nullable=False)
                for i, layer in enumerate(layers)
            ),
        ]
    )


def plain(field: pa.Field) -> pa.Field:
    """Return the field as the store keeps it: Polars writes large strings, binaries and lists."""
    return pa.field(field.name, _plain_type(field.type))


def _plain_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_large_string(kind):
        return pa.string()
    if pa.types.is_large_binary(kind):
        return pa.binary()
    if pa.types.is_large_list(kind) or pa.types.is_list(kind):
        return pa.list_(_plain_type(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(_plain_type(kind.value_type), kind.list_size)
    if pa.types.is_struct(kind):
        return pa.struct([plain(field) for field in kind])
    return kind
