"""Self-alignment: how far altering an item moves it within a space, layer by layer."""

from __future__ import annotations

from analyses.self_alignment.analysis import NAME, self_alignment

__all__ = ["NAME", "self_alignment"]
