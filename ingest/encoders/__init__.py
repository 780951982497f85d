"""Encoders: timm for images, transformers and sentence-transformers for texts, behind one protocol."""

from __future__ import annotations

from ingest.encoders.base import Encoder, EncoderOptions, Prepared, Target
from ingest.encoders.load import load_encoder

__all__ = ["Encoder", "EncoderOptions", "Prepared", "Target", "load_encoder"]
