"""Pick-a-Pic: prompts, two images for each, and which one was chosen."""

from __future__ import annotations

from ingest.datasets.pickapic.adapter import pickapic

__all__ = ["pickapic"]
