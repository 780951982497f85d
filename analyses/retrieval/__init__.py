"""Retrieval: how far up the right item comes when the other side is searched by a predicted vector."""

from __future__ import annotations

from analyses.retrieval.analysis import CONTROLS, NAME, retrieval

__all__ = ["CONTROLS", "NAME", "retrieval"]
