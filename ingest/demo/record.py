"""What a training leaves behind beside its weights: its settings, then its scores on held-out items."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path


def write_record(directory: Path, lines: Iterable[Mapping[str, Any]]) -> None:
    """Write ``training.jsonl``.

    Not ``.json``: what describes a checkpoint's past is no part of what decides its vectors.
    """
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "training.jsonl").write_text(text, encoding="utf-8")
