"""Forced choices in Pick-a-Pic's exact columns, drawn from the demo world."""

from __future__ import annotations

import importlib.util
import io
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from ingest.demo.render import render
from ingest.demo.scenes import sample_scene

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdb.database import Database

sys.path.insert(0, str(Path(__file__).parent))  # for what tests share: altered.py

CHOICES = pa.schema(
    [
        ("are_different", pa.bool_()),
        ("best_image_uid", pa.string()),
        ("caption", pa.string()),
        ("created_at", pa.timestamp("ns")),
        ("has_label", pa.bool_()),
        ("image_0_uid", pa.string()),
        ("image_0_url", pa.string()),
        ("image_1_uid", pa.string()),
        ("image_1_url", pa.string()),
        ("jpg_0", pa.binary()),
        ("jpg_1", pa.binary()),
        ("label_0", pa.float64()),
        ("label_1", pa.float64()),
        ("model_0", pa.string()),
        ("model_1", pa.string()),
        ("ranking_id", pa.int64()),
        ("user_id", pa.int64()),
        ("num_example_per_prompt", pa.int64()),
        ("__index_level_0__", pa.int64()),
    ]
)


@cache
def _jpeg(number: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(render(sample_scene(0, number)).image).save(file, "JPEG", quality=80)
    return file.getvalue()


@pytest.fixture(scope="session")
def jpeg() -> Callable[[int], bytes]:
    """Draw the demo world's scene of a number as a JPEG."""
    return _jpeg


@pytest.fixture(scope="session")
def choice() -> Callable[..., dict[str, Any]]:
    """Make row ``i``: images 2i and 2i + 1, two rows a prompt, labels 1, 0, 0.5 in turn; any column may be told."""

    def make(i: int, **told: Any) -> dict[str, Any]:
        label = (1.0, 0.0, 0.5)[i % 3]
        uids = [f"uid-{2 * i}", f"uid-{2 * i + 1}"]
        row = {
            "are_different": True,
            "best_image_uid": (uids[0], uids[1], "tie")[i % 3],
            "caption": f"a small dog number {i // 2}",
            "created_at": datetime(2023, 5, 1, tzinfo=UTC).replace(tzinfo=None),
            "has_label": True,
            "image_0_uid": uids[0],
            "image_0_url": f"https://example.org/{uids[0]}.jpg",
            "image_1_uid": uids[1],
            "image_1_url": f"https://example.org/{uids[1]}.jpg",
            "jpg_0": _jpeg(2 * i),
            "jpg_1": _jpeg(2 * i + 1),
            "label_0": label,
            "label_1": 1 - label,
            "model_0": "stabilityai/stable-diffusion-2-1",
            "model_1": "dreamlike-art/dreamlike-photoreal-2.0",
            "ranking_id": 1000 + i,
            "user_id": i % 5,
            "num_example_per_prompt": 2,
            "__index_level_0__": i,
        }
        return {**row, **told}

    return make


@pytest.fixture(scope="session")
def write_choices() -> Callable[..., Path]:
    """Write rows as Parquet, three a row group; ``types`` changes, adds, and with None drops columns."""

    def write(
        file: Path,
        rows: Sequence[dict[str, Any]],
        types: dict[str, pa.DataType | None] | None = None,
    ) -> Path:
        kinds: dict[str, pa.DataType | None] = {f.name: f.type for f in CHOICES} | (types or {})
        layout = pa.schema([(name, kind) for name, kind in kinds.items() if kind is not None])
        file.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(list(rows), layout), file, row_group_size=3)
        return file

    return write


@pytest.fixture(scope="session")
def everything() -> Callable[[Database], dict[str, Any]]:
    """Return all items that a store holds, in an order of their own."""

    def read(db: Database) -> dict[str, Any]:
        tables = ("concepts", "images", "captions", "pairs", "trials")
        held: dict[str, Any] = {
            name: sorted(map(repr, db.read(name).collect().rows())) for name in tables
        }
        blobs = db.table("blobs").to_arrow().to_pylist()
        return held | {"blobs": sorted((one["sha256"], one["data"]) for one in blobs)}

    return read


def _beside(name: str) -> Any:
    place = Path(__file__).with_name(name)
    spec = importlib.util.spec_from_file_location(place.stem, place)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def small() -> Any:
    """The module ``small_datasets`` beside this file: one of each kind that ``vdb add`` takes."""
    return _beside("small_datasets.py")


@pytest.fixture(scope="session")
def adding() -> Any:
    """The module ``adding`` beside this file: ``vdb add``, and what is owed of it when it refuses."""
    return _beside("adding.py")
