"""Pick-a-Pic from the file to vectors, and prompts that are meant to do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.add import add_dataset
from ingest.datasets import pickapic
from ingest.encoders import EncoderOptions, load_encoder
from ingest.images import decode
from ingest.pipeline.many import ingest_models

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

    from vdb.database import Database

    Choice = Callable[..., dict[str, Any]]
    Write = Callable[..., Path]

RANKING = pl.col("trial_id").str.split("-").list.first().cast(pl.Int64)


def added(file: Path, store: Path) -> Database:
    said: list[str] = []
    db, _ = add_dataset(str(store), pickapic(file), said.append)
    assert said == []
    return db


HOSTILE = st.text(
    st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60
) | st.sampled_from(
    [
        "'; DROP TABLE captions; --",
        "a' OR '1'='1",
        "%_\\",
        "|",
        "\\|",
        "\0",
        "<script>",
        "\u202e",
        "🐕‍🦺",
    ]
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(prompts=st.lists(HOSTILE.filter(str.strip), min_size=1, max_size=6))
def test_any_prompt_goes_in_and_comes_out(
    prompts: list[str],
    choice: Choice,
    write_choices: Write,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    place = tmp_path_factory.mktemp("hostile")
    rows = [choice(i, caption=text) for i, text in enumerate(prompts)]
    db = added(write_choices(place / "a.parquet", rows), place / "study")
    joined = db.trials().join(db.captions(), left_on="query_id", right_on="caption_id").collect()
    assert joined.sort(RANKING)["text"].to_list() == prompts
    assert sorted(db.captions().collect()["text"]) == sorted(set(prompts))
    again = added(place / "a.parquet", place / "study")
    assert again.trials().collect().height == len(prompts)


def test_from_the_file_to_vectors_joined_to_trials(
    choice: Choice,
    write_choices: Write,
    tmp_path: Path,
    tiny_vision: Path,
    tiny_language: Path,
) -> None:
    torch.set_num_threads(1)
    rows = [choice(i, caption=f"the {word} dog") for i, word in enumerate(["red", "blue", "small"])]
    db = added(write_choices(tmp_path / "test.parquet", rows), tmp_path / "study")
    options = EncoderOptions(device="cpu", stored_dtype="float32")
    outcomes = ingest_models(db, [str(tiny_vision), str(tiny_language)], options)
    stored = {one.model: one.report for one in outcomes if one.report}
    assert [stored[str(tiny_vision)].stored, stored[str(tiny_language)].stored] == [6, 3]
    trials = db.trials().collect().sort(RANKING)
    for column, model, contents in (
        ("candidate_0", tiny_vision, [decode(row["jpg_0"]) for row in rows]),
        ("candidate_1", tiny_vision, [decode(row["jpg_1"]) for row in rows]),
        ("query_id", tiny_language, [row["caption"] for row in rows]),
    ):
        encoder = load_encoder(str(model), options)
        direct = np.concatenate([encoder.encode([encoder.prepare(one)]) for one in contents])
        space = db.space(stored[str(model)].space)
        ids = trials[column].to_list()
        found, vectors = space.matrix(layer=-1, variant="original", ids=ids)
        assert list(found) == ids
        width = encoder.recipe.layers[-1].width
        last = direct[:, -width:]
        np.testing.assert_allclose(vectors, last, rtol=0, atol=1e-5 * np.abs(last).max())
        assert len(np.unique(last.round(4), axis=0)) == len(rows)
