"""The variants of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ingest.variants.base import Variant

VARIANTS: tuple[Variant, ...] = ()
