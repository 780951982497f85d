"""No map has seen what it is asked: worlds where only a leak would give the answer, and links at random."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from analyses.forced_choice import forced_choice
from analyses.forced_choice.fits import Fit, Plan, plan
from analyses.forced_choice.maps import read_sides, right_choices
from analyses.forced_choice.trials import disjoint, read_trials
from analyses.matching import match
from vdb import items
from vdb.errors import InputError
from vdb.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from vdb.database import Database

    Make = Callable[..., Any]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory, make_store: Make, add_trials: Make) -> Any:
    """Pairs of pure noise, in more units than pairs, and trials that ask for the very pairs of the fit."""
    rng = np.random.default_rng(6)
    n = 120
    eye = {f"i{i:03d}": [rng.standard_normal(200)] for i in range(n)}
    tongue = {f"c{i:03d}": [rng.standard_normal(200)] for i in range(n)}
    pairs = [(f"i{i:03d}", f"c{i:03d}") for i in range(n)]
    db = make_store(tmp_path_factory.mktemp("leak") / "s", eye=eye, tongue=tongue, pairs=pairs)
    # A chain: every image is a candidate twice, so that trials tie all pairs together.
    rows = [
        {
            "query_id": f"c{i:03d}",
            "candidate_0": f"i{i:03d}",
            "candidate_1": f"i{(i + 1) % n:03d}",
            "label": 1.0,
        }
        for i in range(n)
    ]
    add_trials(db, rows)
    return db


@pytest.mark.parametrize("fit", ["language->vision", "vision->language"])
def test_a_trial_whose_pair_is_in_the_fit_would_be_known_and_is_not(
    leaky: Database, fit: str
) -> None:
    sides = leaky.space("eye"), leaky.space("tongue")
    trials = read_trials(leaky, *sides, "text-to-image")
    assert trials is not None
    honest = plan(leaky, sides, trials, captions="one", fit_datasets=(), folds=5, most=4000, seed=0)
    everything = Fit(np.arange(len(honest.groups)), np.arange(len(trials)))
    leaking = Plan(honest.image_ids, honest.caption_ids, honest.groups, [everything], "", "")
    score = {}
    for name, one in (("honest", honest), ("leaking", leaking)):
        asked = {"text-to-image": (trials, one)}
        read = read_sides(leaky, sides, asked, (), "cpu")
        right = right_choices(
            read.vision,
            read.language,
            asked,
            fit=fit,
            kind="cosine",
            seed=0,
            tell=lambda: None,
        )
        score[name] = float(right["text-to-image"].mean())
    assert score["leaking"] > 0.97
    assert 0.35 < score["honest"] < 0.65
    assert "a trial's map is fitted on those it does not touch" in honest.rule
    touched = {len(set(np.delete(np.arange(120), one.train) // 1)) for one in honest.fits}
    assert len(touched) > 1  # trials in one fold, and trials across two


def test_nothing_in_a_fit_is_shared_with_its_trials(
    tmp_path_factory: pytest.TempPathFactory, make_store: Make, add_trials: Make
) -> None:
    """Links at random, by id, photo, sentence and concept; every fit is held against every one of its trials."""
    rng = np.random.default_rng(9)
    n = 150
    images, captions = [f"i{i:03d}" for i in range(n)], [f"c{i:03d}" for i in range(n)]
    vectors = [[rng.standard_normal(3)] for _ in range(n)]
    digests = {one: f"photo {rng.integers(140)}" for one in images}
    texts = {one: f"text {rng.integers(140)}" for one in captions}
    concepts = {one: f"concept {k}" for one in images + captions if (k := rng.integers(90)) < 12}
    datasets = {one: "old" if i < 100 else "new" for i, one in enumerate(images)}
    db = make_store(
        tmp_path_factory.mktemp("shared") / "s",
        eye=dict(zip(images, vectors, strict=True)),
        tongue=dict(zip(captions, vectors, strict=True)),
        pairs=list(zip(images, captions, strict=True)),
        digests=digests,
        texts=texts,
        concepts=concepts,
        datasets=datasets,
    )
    rows = []
    while len(rows) < 20:
        q, a, b = rng.integers(n, size=3)
        if digests[images[a]] != digests[images[b]]:
            rows.append(
                {
                    "query_id": captions[q],
                    "candidate_0": images[a],
                    "candidate_1": images[b],
                    "label": 1.0,
                }
            )
    add_trials(db, rows)
    sides = db.space("eye"), db.space("tongue")
    trials = read_trials(db, *sides, "text-to-image")
    assert trials is not None

    def of(image: str | None, caption: str | None) -> set[str]:
        found = {f"{image}", f"{caption}", digests.get(image or ""), texts.get(caption or "")}
        found |= {concepts.get(image or ""), concepts.get(caption or "")}
        return {one for one in found if one and one != "None"}

    for fit_datasets in ((), ("old",)):
        made = plan(
            db, sides, trials, captions="all", fit_datasets=fit_datasets, folds=6, most=4000, seed=0
        )
        asked = sorted(row for fit in made.fits for row in fit.trials.tolist())
        assert asked == list(range(20))
        for fit in made.fits:
            fitted: set[str] = set()
            for i in fit.train.tolist():
                fitted |= of(made.image_ids[i], made.caption_ids[i][0])
                if fit_datasets:
                    assert datasets[made.image_ids[i]] == "old"
            for row in trials.frame[fit.trials].iter_rows(named=True):
                shared = of(row["candidate_0"], row["query_id"]) | of(row["candidate_1"], None)
                assert fitted.isdisjoint(shared)
    few = plan(db, sides, trials, captions="one", fit_datasets=(), folds=6, most=80, seed=0)
    assert len(few.groups) <= 80
    taken: set[str] = set()
    for row in trials.frame[disjoint(trials, 0)].iter_rows(named=True):
        mine = of(row["candidate_0"], row["query_id"]) | of(row["candidate_1"], None)
        assert taken.isdisjoint(mine)
        taken |= mine


def test_what_links_items_without_vectors_makes_another_question(
    tmp_path: Path, make_store: Make, add_trials: Make
) -> None:
    """A caption that no model has seen ties a photo of a trial to one of the fit: the fit is another one then."""
    rng = np.random.default_rng(3)
    eye, tongue = ({f"{side}{i:02d}": [rng.standard_normal(4)] for i in range(60)} for side in "ic")
    pairs = [(f"i{i:02d}", f"c{i:02d}") for i in range(40)]
    db = make_store(tmp_path / "s", eye=eye, tongue=tongue, pairs=pairs)
    add_trials(
        db,
        [
            {
                "query_id": f"c{i}",
                "candidate_0": f"i{i}",
                "candidate_1": f"i{i + 1}",
                "label": 1.0,
            }
            for i in range(40, 58, 2)
        ],
    )
    sides = db.space("eye"), db.space("tongue")

    def planned() -> tuple[str, list[int], str]:
        trials = read_trials(db, *sides, "text-to-image")
        assert trials is not None
        made = plan(db, sides, trials, captions="one", fit_datasets=(), folds=5, most=99, seed=0)
        return made.digest, [len(fit.train) for fit in made.fits], trials.digest

    before = planned()
    assert before[1] == [40]  # no trial touches any pair
    assert planned() == before
    shown = dict.fromkeys(("dataset", "source"), "toy")
    caption = {"caption_id": "unseen", "text": "nobody read this", "concept_id": None, **shown}
    links = [{"image_id": one, "caption_id": "unseen", **shown} for one in ("i03", "i40")]
    tables = {"captions": ([caption], db.captions()), "pairs": (links, db.pairs())}
    items.add(
        db,
        {
            name: pl.DataFrame(rows).select(
                (pl.col(column) if column in rows[0] else pl.lit(None).alias(column)).cast(kind)
                for column, kind in table.collect_schema().items()
                if column != "key"
            )
            for name, (rows, table) in tables.items()
        },
    )
    after = planned()
    assert min(after[1]) < 40
    assert after[0] != before[0]
    assert after[2] != before[2]


def test_too_few_pairs_that_share_nothing_are_refused(leaky: Database) -> None:
    with pytest.raises(InputError, match="none is image-to-text"):
        forced_choice(leaky, "eye", "tongue", direction="image-to-text")
    with pytest.raises(InputError, match="0 pairs share nothing"):
        forced_choice(leaky, "eye", "tongue", fit_datasets=["toy"])
    with pytest.raises(InputError, match="use more folds"):
        forced_choice(leaky, "eye", "tongue", folds=2)


def test_what_an_answer_lacks_is_said_again_with_it(
    tmp_path: Path, make_store: Make, add_trials: Make
) -> None:
    """All trials are of one caption: no two of them can stand in one set."""
    rng = np.random.default_rng(3)
    eye, tongue = ({f"{side}{i:02d}": [rng.standard_normal(4)] for i in range(40)} for side in "ic")
    pairs = [(f"i{i:02d}", f"c{i:02d}") for i in range(30)]
    db = make_store(tmp_path / "s", eye=eye, tongue=tongue, pairs=pairs)
    add_trials(
        db,
        [
            {"query_id": "c35", "candidate_0": f"i{i}", "candidate_1": f"i{i + 1}", "label": 1.0}
            for i in range(30, 38)
        ],
    )

    class Listener(Silent):
        def __init__(self) -> None:
            self.told: list[str] = []

        def say(self, message: str) -> None:
            self.told.append(message)

    heard = [Listener(), Listener()]
    for listener in heard:
        forced_choice(db, "eye", "tongue", controls=(), progress=listener)
    [notice] = heard[0].told
    assert "no set level" in notice
    assert "answered before" in heard[1].told[0]
    assert heard[1].told[1:] == [notice]


def test_a_data_set_of_trials_alone_is_no_question_for_pairs(
    tmp_path: Path, make_store: Make, add_trials: Make
) -> None:
    eye, tongue = ({f"{side}{i}": [np.ones(2)] for i in range(3)} for side in "ic")
    shown = dict.fromkeys(("i1", "i2", "c1", "c2"), "asked")
    db = make_store(tmp_path / "s", eye=eye, tongue=tongue, pairs=[("i0", "c0")], datasets=shown)
    add_trials(db, [{"query_id": "c1", "candidate_0": "i1", "candidate_1": "i2", "label": 1.0}])
    with pytest.raises(InputError, match=r"'asked' has no pairs .* `vdb analyze forced-choice`"):
        match(db, db.space("eye"), db.space("tongue"), datasets=["asked"])
