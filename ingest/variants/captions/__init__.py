"""The variants of captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.variants.captions import (
    content,
    contractions,
    negation,
    nouns,
    numbers,
    roles,
    scrambling,
    surface,
    typos,
)

if TYPE_CHECKING:
    from ingest.variants.base import Variant

_MODULES = (
    surface,
    numbers,
    typos,
    contractions,
    scrambling,
    content,
    nouns,
    roles,
    negation,
)

VARIANTS: tuple[Variant, ...] = tuple(one for module in _MODULES for one in module.VARIANTS)
