"""What an ingest stores is what the encoder gives for the decoded item, whatever the order, threads and batches."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
import torch

from ingest.encoders import EncoderOptions, load_encoder
from ingest.images import DECODING, decode
from ingest.pipeline.extract import complete_recipe, ingest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ingest.encoders import Encoder, Prepared
    from vdb.database import Database

ITEMS = 70
RELATIVE = 1e-5
"""How far a value may be off, of the largest in its layer: sums are ordered by the shape of the batch."""


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def encoders(tiny_vision: Path, tiny_language: Path) -> dict[str, Encoder]:
    options = EncoderOptions(device="cpu", stored_dtype="float32")
    return {
        "image": load_encoder(str(tiny_vision), options),
        "text": load_encoder(str(tiny_language), options),
    }


@pytest.fixture
def db(make_study: Callable[..., Database], tmp_path: Path) -> Database:
    return make_study(tmp_path / "study", ITEMS)


def contents(db: Database, modality: str) -> dict[str, Any]:
    """Id -> what the encoder is given, read without the pipeline."""
    if modality == "text":
        return dict(db.captions().select("caption_id", "text").collect().iter_rows())
    rows = db.images().select("image_id", "uri").collect().iter_rows()
    return {one: decode(Path(uri).read_bytes()) for one, uri in rows}


def assert_close(actual: Sequence[np.ndarray], expected: Sequence[np.ndarray]) -> None:
    for index, (a, e) in enumerate(zip(actual, expected, strict=True)):
        np.testing.assert_allclose(
            a, e, rtol=0, atol=RELATIVE * np.abs(e).max(), err_msg=f"layer {index}"
        )


@pytest.mark.parametrize("modality", ["image", "text"])
def test_every_layer_of_every_item_is_the_encoders(
    modality: str, db: Database, encoders: dict[str, Encoder]
) -> None:
    encoder = encoders[modality]
    report = ingest(db, encoder, space="s", batch_size=8)
    assert (report.stored, report.failed, len(report.plan.todo)) == (ITEMS, [], ITEMS)
    space = db.space("s")
    ids, layers = space.matrices()
    items = contents(db, modality)
    assert ids == sorted(items)
    one_by_one = np.concatenate([encoder.encode([encoder.prepare(items[one])]) for one in ids])
    widths = [layer.width for layer in encoder.recipe.layers]
    assert_close(layers, np.split(one_by_one, np.cumsum(widths)[:-1], axis=1))


@pytest.mark.parametrize("modality", ["image", "text"])
def test_concepts_are_carried_and_the_variant_is_the_original(
    modality: str, db: Database, encoders: dict[str, Encoder]
) -> None:
    ingest(db, encoders[modality], space="s")
    rows = db.scan("s", layers=[]).collect()
    [identity] = [name for name in rows.columns if name.endswith("_id") and name != "concept_id"]
    source = db.images() if modality == "image" else db.captions()
    expected = source.select(identity, "concept_id").collect()
    assert rows.select(identity, "concept_id").sort(identity).equals(expected.sort(identity))
    assert rows["concept_id"].null_count() > 0
    assert rows["variant"].unique().to_list() == ["original"]


@pytest.mark.parametrize("modality", ["image", "text"])
@pytest.mark.parametrize(("seed", "workers", "batch_size"), [(1, 4, 32), (2, 1, 1), (3, 4, 7)])
def test_order_threads_and_batches_do_not_change_a_vector(
    modality: str,
    seed: int,
    workers: int,
    batch_size: int,
    db: Database,
    make_study: Callable[..., Database],
    encoders: dict[str, Encoder],
    tmp_path: Path,
) -> None:
    ingest(db, encoders[modality], space="s", workers=1, batch_size=16)
    other = make_study(tmp_path / "shuffled", ITEMS, seed=seed)
    ingest(other, encoders[modality], space="s", workers=workers, batch_size=batch_size)
    ids, layers = db.space("s").matrices()
    shuffled_ids, shuffled = other.space("s").matrices()
    assert ids == shuffled_ids
    assert_close(shuffled, layers)


class Watched:
    """Another encoder, and the batches it was given."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder
        self.recipe = encoder.recipe
        self.batches: list[list[int]] = []

    def prepare(self, item: Any) -> Prepared:
        return self._encoder.prepare(item)

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        self.batches.append([one.length for one in batch])
        return self._encoder.encode(batch)


def test_texts_of_like_length_go_together_the_longest_first(
    db: Database, encoders: dict[str, Encoder]
) -> None:
    watched = Watched(encoders["text"])
    ingest(db, watched, space="s", batch_size=8)
    lengths = [len(text.split()) for text in contents(db, "text").values()]
    assert [n for batch in watched.batches for n in batch] == sorted(lengths, reverse=True)
    assert [len(batch) for batch in watched.batches] == [8] * 8 + [6]


def test_texts_that_do_not_fit_are_cut_stored_and_counted(
    db: Database, tiny_language: Path
) -> None:
    encoder = load_encoder(str(tiny_language), EncoderOptions(device="cpu", max_length=5))
    report = ingest(db, encoder, space="s")
    long = [text for text in contents(db, "text").values() if len(text.split()) > 5]
    assert 0 < len(long) < ITEMS
    assert (report.truncated, report.stored) == (len(long), ITEMS)
    assert db.space("s").recipe.preprocessing["max_length"] == 5


def test_the_recipe_says_how_images_were_decoded(
    db: Database, encoders: dict[str, Encoder]
) -> None:
    ingest(db, encoders["image"], space="s", limit=2)
    recipe = db.space("s").recipe
    assert recipe == complete_recipe(encoders["image"].recipe)
    assert recipe.preprocessing["decoding"] == DECODING
    assert complete_recipe(encoders["text"].recipe) == encoders["text"].recipe


def test_a_larger_limit_goes_on_where_a_smaller_one_ended(
    db: Database, encoders: dict[str, Encoder]
) -> None:
    images = sorted(contents(db, "image"))
    first = ingest(db, encoders["image"], space="s", limit=10)
    assert (first.plan.wanted, first.plan.stored, first.stored) == (10, 0, 10)
    assert db.space("s").ids() == images[:10]
    before = db.space("s").matrix(0, ids=images[:10]).values
    second = ingest(db, encoders["image"], space="s", limit=25)
    assert (second.plan.wanted, second.plan.stored, second.stored) == (25, 10, 15)
    assert db.space("s").ids() == images[:25]
    np.testing.assert_array_equal(db.space("s").matrix(0, ids=images[:10]).values, before)
    smaller = ingest(db, encoders["image"], space="s", limit=5)
    assert (smaller.plan.wanted, smaller.stored) == (5, 0)


def test_only_the_data_sets_asked_for(
    db: Database, encoders: dict[str, Encoder], tmp_path: Path
) -> None:
    from ingest.add import add_dataset  # noqa: PLC0415 - of this test alone
    from ingest.datasets.manifest.adapter import manifest  # noqa: PLC0415

    (tmp_path / "more.csv").write_text("caption_id,caption\nx1,a dog\nx2,a cat\n")
    add_dataset(db.uri, manifest(tmp_path / "more.csv", name="more"), notice=str)
    report = ingest(db, encoders["text"], space="s", datasets=["more"])
    assert report.plan.wanted == 2
    assert db.space("s").ids() == ["x1", "x2"]
    report = ingest(db, encoders["text"], space="s", datasets=["more", "study"])
    assert (report.plan.stored, report.stored) == (2, ITEMS)
    stored = db.scan("s", layers=[]).select(pl.len()).collect().item()
    assert stored == ITEMS + 2
