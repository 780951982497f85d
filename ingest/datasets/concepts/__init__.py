"""A folder for each concept."""

from __future__ import annotations

from ingest.datasets.concepts.adapter import concepts

__all__ = ["concepts"]
