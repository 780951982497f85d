"""Hugging Face data sets."""

from __future__ import annotations

from ingest.datasets.hf.adapter import hf

__all__ = ["hf"]
