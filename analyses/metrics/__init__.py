"""Alignment metrics: pure functions from layers to layer x layer maps, and the registry of them."""

from __future__ import annotations

from analyses.metrics.metric import Compute, Direction, Metric, MetricMap
from analyses.metrics.registry import METRICS

__all__ = ["METRICS", "Compute", "Direction", "Metric", "MetricMap"]
