"""Tar shards of images and captions."""

from __future__ import annotations

from ingest.datasets.webdataset.adapter import webdataset

__all__ = ["webdataset"]
