"""``vdb demo``: the main job, from nothing to a report."""

from __future__ import annotations


def demo() -> None:
    """Stub."""
