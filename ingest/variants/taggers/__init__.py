"""Taggers: what tells the parts of speech of a caption's words, for the variants that ask for them."""

from __future__ import annotations

from ingest.variants.taggers.base import Tagger
from ingest.variants.taggers.registry import TAGGERS, find_tagger, tagger_of

__all__ = ["TAGGERS", "Tagger", "find_tagger", "tagger_of"]
