"""Exemplar averaging: alignment of centroids of k exemplars, beside centroids of what does not belong together."""

from __future__ import annotations

from analyses.exemplar_avg.analysis import CONTROLS, NAME, exemplar_avg

__all__ = ["CONTROLS", "NAME", "exemplar_avg"]
