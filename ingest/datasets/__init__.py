"""Dataset adapters: what reads a format and yields batches of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.datasets.base import Batch
from ingest.datasets.coco import coco
from ingest.datasets.concepts import concepts
from ingest.datasets.manifest import manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ADAPTERS: dict[str, Callable[..., Iterator[Batch]]] = {
    "coco": coco,
    "manifest": manifest,
    "concepts": concepts,
}
"""Each format by the name that ``vdb add`` knows it by."""

__all__ = ["ADAPTERS", "Batch", "coco", "concepts", "manifest"]
