"""Variants: items altered on purpose, each by a pure and seeded function."""

from __future__ import annotations

from ingest.variants.base import Inapplicable, Variant
from ingest.variants.naming import Chosen, choose, split_names
from ingest.variants.registry import VARIANTS, all_variants, find_variant

__all__ = [
    "VARIANTS",
    "Chosen",
    "Inapplicable",
    "Variant",
    "all_variants",
    "choose",
    "find_variant",
    "split_names",
]
