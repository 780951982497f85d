"""The variants of images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.variants.images.colour import VARIANTS as COLOUR
from ingest.variants.images.geometry import VARIANTS as GEOMETRY
from ingest.variants.images.masks import VARIANTS as MASKS
from ingest.variants.images.patches import VARIANTS as PATCHES
from ingest.variants.images.phase import VARIANTS as PHASE
from ingest.variants.images.quality import VARIANTS as QUALITY

if TYPE_CHECKING:
    from ingest.variants.base import Variant

VARIANTS: tuple[Variant, ...] = (*COLOUR, *QUALITY, *GEOMETRY, *MASKS, *PATCHES, *PHASE)
"""The variants of images."""
