"""Alignment metrics: pure functions from layers to layer x layer maps, and the registry of them."""

from __future__ import annotations

from analyses.metrics.metric import ChosenMetric, Compute, Direction, Metric, MetricMap
from analyses.metrics.registry import METRICS, choose_metric

__all__ = [
    "METRICS",
    "ChosenMetric",
    "Compute",
    "Direction",
    "Metric",
    "MetricMap",
    "choose_metric",
]
