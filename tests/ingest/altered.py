"""An encoder that looks at colours, and what a store holds of what it saw: what tests of variants share."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from PIL import Image
from pycocotools import mask as coco_mask

import ingest.pipeline.altering
from ingest.encoders import Prepared
from ingest.variants import Variant, all_variants
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

    import pytest

    from vdb.database import Database

ITEMS = 12


class Corners:
    """The mean colour of an image, and that of its top left quarter."""

    def __init__(self) -> None:
        self.recipe = Recipe(
            model="corners",
            library="test",
            source="test/corners",
            revision="1",
            weights="pretrained",
            modality="image",
            pooling="mean",
            dtype="float32",
            stored_dtype="float32",
            layers=(Layer("all", 3, 0.0), Layer("corner", 3, 1.0)),
        )

    def prepare(self, item: Any) -> Prepared:
        return Prepared(features(item))

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        return np.stack([one.data for one in batch])


def features(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image, np.float32) + 1
    corner = pixels[: image.height // 2, : image.width // 2]
    return np.concatenate([pixels.mean((0, 1)), corner.mean((0, 1))]).astype(np.float32)


def count_decodes(monkeypatch: pytest.MonkeyPatch, counted: Counter[bytes]) -> None:
    """Count how often each content is decoded."""
    decode = ingest.pipeline.altering.decode

    def counting(data: bytes) -> Image.Image:
        counted[hashlib.sha256(data).digest()] += 1
        return decode(data)

    monkeypatch.setattr(ingest.pipeline.altering, "decode", counting)


def offer(
    monkeypatch: pytest.MonkeyPatch, name: str, apply: Any, needs: Sequence[str] = ()
) -> None:
    variant = Variant(name, "image", "semantic", "For a test.", apply, needs=frozenset(needs))  # type: ignore[arg-type]
    monkeypatch.setitem(all_variants(), name, variant)


def photo(db: Database, image_id: str) -> Image.Image:
    [uri] = db.images().filter(pl.col("image_id") == image_id).collect()["uri"]
    return Image.open(uri).convert("RGB")


def vectors(db: Database, variant: str) -> dict[str, np.ndarray]:
    ids, layers = db.space("s").matrices(variant=variant)
    return dict(zip(ids, np.concatenate(layers, axis=1), strict=True))


def ledger(db: Database) -> list[tuple[str, str, str, str]]:
    rows = db.failures().select("item_id", "variant", "status", "reason").collect()
    return sorted(rows.iter_rows())


def segment(image_id: str, name: str, mask: np.ndarray, **more: Any) -> dict[str, Any]:
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    row = {
        "image_id": image_id,
        "segment_id": name,
        "segmentation": "panoptic",
        "category": "dog",
        "is_thing": True,
        "is_crowd": False,
        "height": mask.shape[0],
        "width": mask.shape[1],
        "counts": encoded["counts"].decode(),
        "dataset": "study",
        "source": "test",
    }
    return {**row, **more}


def left_half(db: Database, image_id: str) -> np.ndarray:
    image = photo(db, image_id)
    mask = np.zeros((image.height, image.width), bool)
    mask[:, : image.width // 2] = True
    return mask
