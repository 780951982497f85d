"""Forced choice: whether the map between two spaces prefers the candidates that people preferred."""

from __future__ import annotations

from analyses.forced_choice.analysis import CONTROLS, NAME, Level, TrialDirection, forced_choice

__all__ = ["CONTROLS", "NAME", "Level", "TrialDirection", "forced_choice"]
