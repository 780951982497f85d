"""Questions asked of a store: how vision and language spaces align, and what changes it."""

from __future__ import annotations
