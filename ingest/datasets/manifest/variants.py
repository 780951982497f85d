"""Ready-made variants: files and texts that somebody else altered, under a name of their own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple, get_args

import polars as pl

from ingest.datasets.base import frame
from ingest.datasets.manifest.rows import refuse
from ingest.variants.base import Kind
from ingest.variants.naming import fingerprint_of
from ingest.variants.registry import all_variants
from vdb.errors import InputError
from vdb.names import check_variant_name

if TYPE_CHECKING:
    from vdb.recipe import Modality


class ReadyMade(NamedTuple):
    """Rows of the tables of those names."""

    variants: pl.DataFrame
    image_variants: pl.DataFrame
    caption_variants: pl.DataFrame


def ready_made(altered: pl.DataFrame, images: pl.DataFrame, dataset: str) -> ReadyMade:
    """Make the rows of ``variants``, ``image_variants`` and ``caption_variants``.

    Parameters
    ----------
    altered : pl.DataFrame
        The manifest's rows that have a variant: an image or a caption each.
    images : pl.DataFrame
        Those with an image, and with ``uri`` and ``sha256``.
    dataset : str

    Raises
    ------
    InputError
        A name is malformed or that of a variant which vdb makes; a kind is none, or not the same throughout.
    """
    captions = altered.filter(pl.col("caption").is_not_null())
    for name, source in altered.unique("variant", maintain_order=True)["variant", "source"].rows():
        _check_name(name, source)
    kinds = get_args(Kind)
    refuse(
        altered,
        pl.col("variant_kind").is_in(kinds).not_(),
        f"variant_kind must be {' or '.join(kinds)}",
    )
    return ReadyMade(
        variants=pl.concat(
            [_variants(images, "image"), _variants(captions, "text")], how="vertical"
        ),
        image_variants=frame(
            "image_variants",
            {c: images[c] for c in ("image_id", "variant", "uri", "sha256", "source")}
            | {"dataset": dataset},
        ),
        caption_variants=frame(
            "caption_variants",
            {c: captions[c] for c in ("caption_id", "variant", "source")}
            | {"text": captions["caption"], "dataset": dataset},
        ),
    )


def _check_name(name: str, source: str) -> None:
    if name.split(":", 1)[0] in all_variants():
        raise InputError(
            f"{source}: vdb makes the variant {name!r} itself; give the ready-made one another name"
        )
    try:
        check_variant_name(name)
    except InputError as error:
        raise InputError(f"{source}: {error}") from None


def _variants(rows: pl.DataFrame, modality: Modality) -> pl.DataFrame:
    """Make one row a variant, of the kind that its rows tell."""
    told = rows.filter(pl.col("variant_kind").is_not_null())
    told = told.unique(["variant", "variant_kind"], keep="first", maintain_order=True)
    for twice in told.filter(pl.col("variant").is_duplicated())["variant"].head(1):
        first, second = told.filter(pl.col("variant") == twice)["source"].head(2)
        raise InputError(
            f"variant_kind of {twice!r} differs between {first} and {second}; a variant has one"
        )
    each = rows.unique("variant", keep="first", maintain_order=True)
    each = each.drop("variant_kind").join(
        told.select("variant", "variant_kind"), on="variant", how="left", maintain_order="left"
    )
    definitions = [{"name": name, "ready-made": True} for name in each["variant"]]
    return frame(
        "variants",
        {
            "variant": each["variant"],
            "modality": pl.Series([modality] * each.height, dtype=pl.String),
            "kind": each["variant_kind"],
            "definition": pl.Series([json.dumps(d) for d in definitions], dtype=pl.String),
            "fingerprint": pl.Series([fingerprint_of(d) for d in definitions], dtype=pl.String),
            "source": each["source"],
        },
    )
