"""Geometry: what the vectors of each layer of a space are like among themselves."""

from __future__ import annotations

from analyses.geometry.analysis import NAME, geometry

__all__ = ["NAME", "geometry"]
