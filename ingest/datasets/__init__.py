"""Dataset adapters: what reads a format and yields batches of items."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ingest.datasets.base import Batch
from ingest.datasets.coco.adapter import coco
from ingest.datasets.concepts.adapter import concepts
from ingest.datasets.flickr8k import flickr8k
from ingest.datasets.hf.adapter import hf
from ingest.datasets.manifest.adapter import manifest
from ingest.datasets.pickapic.adapter import pickapic
from ingest.datasets.things import things
from ingest.datasets.trials.adapter import trials
from ingest.datasets.webdataset.adapter import webdataset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ADAPTERS: dict[str, Callable[..., Iterator[Batch]]] = {
    "coco": coco,
    "flickr8k": flickr8k,
    "trials": trials,
    "manifest": manifest,
    "concepts": concepts,
    "things": things,
    "pickapic": pickapic,
    "webdataset": webdataset,
    "hf": hf,
}
"""Each format by the name that ``vdb add`` knows it by."""

__all__ = [
    "ADAPTERS",
    "Batch",
    "coco",
    "concepts",
    "flickr8k",
    "hf",
    "manifest",
    "pickapic",
    "things",
    "trials",
    "webdataset",
]
