"""Perturbation: what altering images, captions or both costs an alignment, layer by layer and at one cell."""

from __future__ import annotations

from analyses.perturbation.analysis import NAME, perturbation

__all__ = ["NAME", "perturbation"]
