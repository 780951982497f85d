"""Every variant by its name: those of vdb, and those that other packages offer under ``vdb.variants``."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points

from ingest.variants.base import Variant
from ingest.variants.captions import VARIANTS as CAPTIONS
from ingest.variants.images import VARIANTS as IMAGES
from vdb.errors import InputError, NotFoundError

VARIANTS: dict[str, Variant] = {one.name: one for one in (*IMAGES, *CAPTIONS)}
"""The variants that come with vdb."""

GROUP = "vdb.variants"


@cache
def all_variants() -> dict[str, Variant]:
    """Return the variants of vdb and of every installed package, by name.

    Raises
    ------
    InputError
        An entry point cannot be loaded, is no :class:`Variant`, or takes a name that is taken.
    """
    found = dict(VARIANTS)
    for point in entry_points(group=GROUP):
        try:
            variant = point.load()
        except Exception as error:
            raise InputError(
                f"the variant {point.name!r} of {point.value!r} cannot be loaded: {error}"
            ) from error
        if not isinstance(variant, Variant):
            raise InputError(f"the entry point {point.value!r} in {GROUP} is no Variant")
        if variant.name in found:
            raise InputError(
                f"{point.value!r} offers a variant {variant.name!r}: that name is taken"
            )
        found[variant.name] = variant
    return found


def find_variant(name: str) -> Variant:
    """Return a variant by its name.

    Raises
    ------
    NotFoundError
        There is none; near misses are suggested.
    """
    variants = all_variants()
    if name not in variants:
        raise NotFoundError.named("variant", name, variants, "`vdb variants` lists them")
    return variants[name]
