"""``vdb analyze``: questions asked of the store, a module a question."""

from __future__ import annotations

from cli.analyze import (
    alignment,
    exemplar_avg,
    forced_choice,
    geometry,
    metrics,
    perturbation,
    retrieval,
)
from cli.analyze.common import app

__all__ = [
    "alignment",
    "app",
    "exemplar_avg",
    "forced_choice",
    "geometry",
    "metrics",
    "perturbation",
    "retrieval",
]
