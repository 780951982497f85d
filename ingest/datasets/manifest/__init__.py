"""Tables: CSV, TSV, JSON Lines and Parquet, read with the line of each row."""

from __future__ import annotations

from ingest.datasets.manifest.adapter import manifest

__all__ = ["manifest"]
