"""Tables of forced choices."""

from __future__ import annotations

from ingest.datasets.trials.adapter import trials

__all__ = ["trials"]
