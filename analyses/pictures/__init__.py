"""Pictures of the analyses: a layer by layer map, a profile over depth, a curve by number of exemplars."""

from __future__ import annotations

from analyses.pictures.curve import curve
from analyses.pictures.heatmap import heatmap
from analyses.pictures.profile import profile
from analyses.pictures.render import Picture, render
from analyses.pictures.write import check_path, write

__all__ = ["Picture", "check_path", "curve", "heatmap", "profile", "render", "write"]
