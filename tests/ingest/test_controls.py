"""Control spaces: twins made as their models were, over the same items, and pixel statistics of every image."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from ingest.controls import ensure_pixel_statistics, ensure_twins
from ingest.encoders import EncoderOptions, load_encoder
from ingest.pipeline.extract import ingest
from ingest.pipeline.many import ingest_models
from vdb import books
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

ITEMS = 6
CPU = EncoderOptions(device="cpu")


@pytest.fixture
def db(make_study: Callable[..., Database], tmp_path: Path) -> Database:
    return make_study(tmp_path / "study", ITEMS)


def _runs(db: Database) -> int:
    return len(db.runs().collect())


def test_a_twin_is_as_its_model_but_for_the_weights(
    db: Database, tiny_vision: Path, tiny_language: Path
) -> None:
    pooled = replace(CPU, pooling="mean", stored_dtype="float32")
    [outcome] = ingest_models(db, [str(tiny_vision)], pooled, space="eye", limit=4)
    assert outcome.error is None
    ingest_models(db, [str(tiny_language)], CPU)
    twins = ensure_twins(db, ["eye", "tiny-gpt2", "eye"], device="cpu")
    assert twins == {"eye": "eye-random", "tiny-gpt2": "tiny-gpt2-random"}
    own, twin = db.space("eye").recipe, db.space("eye-random").recipe
    assert twin.weights == "random-init:seed=0"
    alike = replace(twin, weights=own.weights, revision=own.revision, model=own.model)
    assert alike == own
    assert own.parameters == sum(
        p.numel() for p in load_encoder(str(tiny_vision), CPU)._model.parameters()
    )  # type: ignore[attr-defined]
    assert db.space("eye-random").ids() == db.space("eye").ids()
    assert len(db.space("eye").ids()) == 4
    assert db.space("tiny-gpt2-random").ids() == db.space("tiny-gpt2").ids()


def test_a_twin_that_is_there_is_found_whatever_it_is_called(
    db: Database, tiny_vision: Path
) -> None:
    ingest_models(db, [str(tiny_vision)], CPU, space="eye")
    ingest_models(db, [str(tiny_vision)], replace(CPU, random_init=0), space="untrained")
    assert ensure_twins(db, ["eye"], device="cpu") == {"eye": "untrained"}
    assert ensure_twins(db, ["eye"], seed=2, device="cpu") == {"eye": "eye-random-2"}
    assert ensure_twins(db, ["untrained"], device="cpu") == {}


def test_a_run_of_an_older_vdb_tells_the_space_in_its_command(
    db: Database, tiny_vision: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = books.run

    def older(
        db: Database, command: str, parameters: dict[str, object], seed: int | None
    ) -> object:
        return record(db, command, {k: v for k, v in parameters.items() if k != "space"}, seed)

    monkeypatch.setattr(books, "run", older)
    command = f"vdb ingest --model {tiny_vision} --space eye"
    ingest_models(db, [str(tiny_vision)], CPU, space="eye", command=command)
    assert ensure_twins(db, ["eye"], device="cpu") == {"eye": "eye-random"}


def test_a_space_that_no_run_explains_is_named(db: Database, tiny_vision: Path) -> None:
    ingest(db, load_encoder(str(tiny_vision), CPU), space="eye")
    with pytest.raises(InputError, match=r"no run .* space 'eye' .* --space eye-random"):
        ensure_twins(db, ["eye"], device="cpu")
    with pytest.raises(NotFoundError, match="no space 'eyes'; did you mean eye"):
        ensure_twins(db, ["eyes"], device="cpu")


def test_pixel_statistics_are_a_space_over_every_image(db: Database) -> None:
    assert ensure_pixel_statistics(db) == "pixel-statistics"
    space = db.space("pixel-statistics")
    assert space.ids() == db.images().select("image_id").collect()["image_id"].sort().to_list()
    assert [layer.width for layer in space.layers] == [12, 64, 192, 128]
    stored = space.matrix("colour moments").values
    assert ensure_pixel_statistics(db) == "pixel-statistics"
    assert (space.matrix("colour moments").values == stored).all()
