"""Several models in one call: each on its own, in the memory of one, its end told when it is known."""

from __future__ import annotations

import gc
import itertools
import json
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

import ingest.pipeline.many
from ingest.encoders import EncoderOptions, Prepared, load_encoder
from ingest.encoders.base import Target
from ingest.pipeline.many import Outcome, ingest_models
from vdb.errors import InputError, ModelError, NotFoundError, RecipeMismatchError
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from vdb.database import Database

ITEMS = 12
CPU = EncoderOptions(device="cpu")


@pytest.fixture
def db(make_study: Callable[..., Database], tmp_path: Path) -> Database:
    return make_study(tmp_path / "study", ITEMS)


class Texts:
    """Counts of a text, under a name; refers to itself, as an encoder with hooks does."""

    def __init__(self, name: str) -> None:
        self.recipe = Recipe(
            model=name,
            library="test",
            source=f"test/{name}",
            revision="1",
            weights="pretrained",
            modality="text",
            pooling="mean",
            dtype="float32",
            stored_dtype="float32",
            layers=(Layer("only", 2, 1.0),),
        )
        self.itself = self

    def prepare(self, item: Any) -> Prepared:
        return Prepared((len(item), 1 + item.count("a")))

    def encode(self, batch: Sequence[Prepared]) -> np.ndarray:
        if self.recipe.model == "broken":
            raise ModelError("broken: its forward pass is not what its recipe says")
        return np.array([one.data for one in batch], np.float32)


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[weakref.ref[Texts]]:
    """Let every name be a model of ``Texts``; those called ``typo`` or ``crash`` are none. Weak references to them."""
    seen: list[weakref.ref[Texts]] = []

    def resolve(name: str) -> tuple[str, Target]:
        if name == "typo":
            raise NotFoundError.named("model", name, ["type"])
        return "test", Target(name, "")

    def load(name: str, _: EncoderOptions) -> Texts:
        if name == "crash":
            raise OSError(28, "No space left on device")
        gc.collect()
        assert not [one for one in seen if one() is not None], "two models are in memory"
        encoder = Texts(name)
        seen.append(weakref.ref(encoder))
        return encoder

    monkeypatch.setattr(ingest.pipeline.many, "resolve", resolve)
    monkeypatch.setattr(ingest.pipeline.many, "load_encoder", load)
    return seen


@pytest.mark.usefixtures("loaded")
def test_one_model_that_fails_does_not_lose_the_rest(db: Database) -> None:
    told: list[str] = []

    def hear(outcome: Outcome) -> None:
        told.append(outcome.model)

    names = ["a", "crash", "b", "typo", "broken", "c"]
    outcomes = ingest_models(db, names, CPU, told=hear)
    assert [outcome.model for outcome in outcomes] == names
    assert [outcome.report is not None for outcome in outcomes] == [1, 0, 1, 0, 0, 1]
    assert told == ["typo", "a", "crash", "b", "broken", "c"]  # what cannot be at all comes first
    messages = {outcome.model: str(outcome.error) for outcome in outcomes if outcome.error}
    assert messages["typo"] == "no model 'typo'; did you mean type?"
    assert messages["crash"].startswith("crash: OSError: [Errno 28] No space left on device; ")
    assert messages["broken"] == "broken: its forward pass is not what its recipe says"
    assert [len(db.space(name).ids()) for name in "abc"] == [ITEMS] * 3


def test_no_two_models_are_in_memory_at_once_failed_ones_neither(
    db: Database, loaded: list[weakref.ref[Texts]]
) -> None:
    outcomes = ingest_models(db, ["a", "broken", "b"], CPU)  # load() asserts it each time
    assert [outcome.error is None for outcome in outcomes] == [True, False, True]
    gc.collect()
    assert len(loaded) == 3
    assert all(one() is None for one in loaded)
    assert "in encode" in outcomes[1].traceback  # still there, as text


@pytest.mark.usefixtures("loaded")
def test_each_model_is_a_run_with_how_it_ended(db: Database) -> None:
    ingest_models(db, ["a", "broken"], CPU, limit=3, command="vdb ingest --model a --model broken")
    runs = {
        json.loads(row["parameters"])["model"]: row
        for row in db.runs().collect().iter_rows(named=True)
    }
    assert runs["a"]["outcome"] == "finished"
    assert runs["broken"]["outcome"].startswith("failed: broken: its forward pass")
    assert json.loads(runs["a"]["parameters"])["limit"] == 3
    assert runs["a"]["command"] == "vdb ingest --model a --model broken"


@pytest.mark.usefixtures("loaded")
def test_the_run_holds_the_variants(db: Database) -> None:
    ingest_models(db, ["a"], CPU, variants=["original,uppercase", "uppercase"])
    [row] = db.runs().collect().to_dicts()
    assert json.loads(row["parameters"])["variants"] == ["original", "uppercase"]
    assert db.space("a").counts() == {"original": ITEMS, "uppercase": ITEMS}


def test_a_model_for_which_no_variant_is_left_is_skipped(
    db: Database, loaded: list[weakref.ref[Texts]]
) -> None:
    outcomes = ingest_models(db, ["a", "b"], CPU, variants=["grayscale"])
    told = "none of the variants asked for is of texts"
    assert [(one.report, one.error, one.skipped) for one in outcomes] == [(None, None, told)] * 2
    assert len(loaded) == 2  # only a loaded one says what it encodes
    assert db.spaces().collect().is_empty()


def test_a_model_of_a_known_library_is_skipped_unloaded(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: object) -> None:
        raise AssertionError("it was loaded")

    monkeypatch.setattr(ingest.pipeline.many, "load_encoder", load)
    outcomes = ingest_models(db, ["vit-l"], CPU, variants=["lowercase"])
    outcomes += ingest_models(db, ["gpt2"], CPU, variants=["grayscale"])
    assert [one.skipped.split()[-1] for one in outcomes] == ["images", "texts"]


def test_a_variant_that_means_nothing_is_told_before_a_model_is_loaded(
    db: Database, loaded: list[weakref.ref[Texts]]
) -> None:
    with pytest.raises(NotFoundError, match="no variant 'lowercas'; did you mean lowercase"):
        ingest_models(db, ["a"], CPU, variants=["original,lowercas"])
    assert loaded == []
    assert db.runs().collect().is_empty()


@pytest.mark.usefixtures("loaded")
def test_one_space_cannot_be_of_several_models(db: Database) -> None:
    with pytest.raises(InputError, match="--space names one space"):
        ingest_models(db, ["a", "b"], CPU, space="s")
    with pytest.raises(InputError, match="'a b' cannot name a space"):
        ingest_models(db, ["a"], CPU, space="a b")
    assert db.runs().collect().is_empty()


@pytest.mark.usefixtures("loaded")
def test_a_dry_run_leaves_no_trace(db: Database) -> None:
    root = Path(db.uri)
    before = {path: path.read_bytes() for path in root.rglob("*") if path.is_file()}
    [outcome] = ingest_models(db, ["a"], CPU, dry_run=True)
    assert outcome.report is not None
    assert len(outcome.report.plan.todo) == ITEMS
    assert {path: path.read_bytes() for path in root.rglob("*") if path.is_file()} == before


def test_another_recipe_is_refused_by_the_fields_that_differ(
    db: Database, tiny_language: Path
) -> None:
    name = str(tiny_language)
    [first] = ingest_models(db, [name], CPU, limit=4)
    assert first.report is not None
    space = db.space("tiny-gpt2")
    before = space.table.version, db.spaces().collect()
    options = EncoderOptions(device="cpu", pooling="last", stored_dtype="float32")
    [second] = ingest_models(db, [name], options)
    assert isinstance(second.error, RecipeMismatchError)
    assert "pooling: mean -> last" in str(second.error)
    assert "stored_dtype: float16 -> float32" in str(second.error)
    assert "--space" in str(second.error)
    assert db.space("tiny-gpt2").table.version == before[0]
    assert db.spaces().collect().equals(before[1])
    [third] = ingest_models(db, [name], options, space="last-token")
    assert third.report is not None
    assert third.report.stored == ITEMS


def test_an_untrained_twin_has_a_space_of_its_own(db: Database, tiny_vision: Path) -> None:
    name = str(tiny_vision)
    for seed in (None, 0, 1):
        ingest_models(db, [name], EncoderOptions(device="cpu", random_init=seed))
    spaces = ["tiny-vit", "tiny-vit-random", "tiny-vit-random-1"]
    assert db.spaces().collect()["space"].sort().to_list() == spaces
    vectors = [db.space(space).matrix().values for space in spaces]
    assert all(np.abs(a - b).max() > 0.1 for a, b in itertools.pairwise(vectors))
    twin = load_encoder(name, EncoderOptions(device="cpu", random_init=1)).recipe
    assert db.space("tiny-vit-random-1").recipe.weights == twin.weights == "random-init:seed=1"
