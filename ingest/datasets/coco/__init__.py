"""COCO: captions, instance and panoptic masks."""

from __future__ import annotations

from ingest.datasets.coco.adapter import coco

__all__ = ["coco"]
