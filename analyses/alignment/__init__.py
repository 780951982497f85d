"""Alignment: the layer x layer map of a metric between vision and language spaces, beside its controls."""

from __future__ import annotations

from analyses.alignment.analysis import NAME, Direction, alignment
from analyses.peaks import peaks

__all__ = ["NAME", "Direction", "alignment", "peaks"]
