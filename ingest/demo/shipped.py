"""Where the weights that come with vdb lie."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

Shipped = Literal["vision", "language"]


def weights_directory(model: Shipped) -> Path:
    """Return the directory of a trained model.

    ``vision`` is a timm directory whose architecture :mod:`ingest.demo.vision` registers, ``language`` a transformers
    one. Their untrained twins need no weights: they come from a seed.
    """
    return Path(__file__).parent / "weights" / model
