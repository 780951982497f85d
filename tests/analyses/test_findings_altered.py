"""The claims about alterations and choices from synthetic frames: every number is invented, each verdict known."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from analyses.perturbation.rows import DIFFERENCE
from analyses.perturbation.rows import SCHEMA as DELTAS
from analyses.report import Finding, findings

TWINS = {"vit": ["vit-random"], "gpt": ["gpt-random"]}


def deltas(
    semantic: float, appearance: float = 0.0, *, kept: float = 1.0, **said: Any
) -> pl.DataFrame:
    """Make the cell rows of a perturbation of images: intervals are 0.02 wide to both sides, those of shares 0.05."""
    common = {
        "scope": "cell",
        "vision": "vit",
        "language": "gpt",
        "control": "none",
        "altered": "images",
        "fit": "transfer",
        "metric": "linear-predictivity",
        "direction": "vision->language",
        "score_original": 0.5,
        "target": "altered" if said.get("direction") == "language->vision" else "original",
        "floor_original": 0.03,
        "captions": "one",
        "cell_rule": "best of the originals on 70 other groups",
        "folds": 5,
        "seed": 0,
        **said,
    }
    left = {"appearance": kept, "semantic": 0.3}
    rows = [
        ("variant", "grayscale", "appearance", appearance, 90),
        ("variant", "things-removed", "semantic", semantic, 80),
        ("group", "appearance", "appearance", appearance, 70),
        ("group", "semantic", "semantic", semantic, 70),
        ("difference", DIFFERENCE, None, semantic - appearance, 70),
    ]
    told = [
        common
        | {"level": level, "variant": variant, "kind": kind, "n": n}
        | {"delta": delta, "low": delta - 0.02, "high": delta + 0.02}
        | ({"retained": left[kind]} if kind else {})
        | ({"retained_low": left[kind] - 0.05, "retained_high": left[kind] + 0.05} if kind else {})
        for level, variant, kind, delta, n in rows
    ]
    return pl.DataFrame([{name: row.get(name) for name in DELTAS} for row in told], schema=DELTAS)


TWINS_ALTERED = [deltas(-0.04, vision="vit-random"), deltas(-0.06, language="gpt-random")]


def choices(score: float, **said: Any) -> pl.DataFrame:
    """Make the row of a cell at trial level, with an interval of 0.05 to both sides."""
    row = {
        "scope": "cell",
        "level": "trial",
        "vision": "vit",
        "language": "gpt",
        "control": "none",
        "direction": "text-to-image",
        "fit": "language->vision",
        "pairs": None,
        "metric": "forced-choice:similarity=cosine",
        "left_out": 0,
        "fitted_on": 600,
        "fit_rule": "pairs of scenes",
        "cell_rule": "best on the 100 trials of 100 other clusters",
        "vision_layer": 3,
        "language_layer": 4,
        "gap_low": None,
        "score": score,
        "low": score - 0.05,
        "high": score + 0.05,
        "chance": 0.5,
        "human": None,
        "n": 100,
        "captions": "one",
        "folds": 5,
        "seed": 0,
        **said,
    }
    types = {"gap_low": pl.Float64, "human": pl.Float64, "pairs": pl.String}
    return pl.DataFrame([row], schema_overrides=types)


BESIDE = [
    choices(0.6, vision="vit-random"),
    choices(0.55, language="gpt-random"),
    choices(0.5, control="mismatched"),
    choices(0.62, control="bag-of-words", language="bag-of-words"),
]


def asked(number: int, **frames: Any) -> list[Finding]:
    found = findings([], [], TWINS, **frames)
    return [finding for finding in found if finding.claim.startswith(f"{number}.")]


def altered(*frames: pl.DataFrame, side: str = "images altered") -> Finding:
    """Find what came of one side: the other has no alterations."""
    [finding] = [one for one in asked(4, perturbation=frames) if side in one.pair]
    return finding


def test_meaning_over_looks_holds_where_looks_cost_little_and_meaning_more_than_of_twins() -> None:
    finding = altered(deltas(-0.2), *TWINS_ALTERED)
    assert finding.verdict == "holds"
    assert "appearance +0.000 [-0.020, +0.020], retained 1.00 [0.95, 1.05]" in finding.seen
    assert "semantic -0.200 [-0.220, -0.180], retained 0.30" in finding.seen
    assert "A collapse: semantic ones leave 0.30" in finding.seen
    assert finding.controls == (
        "mismatched pairs: 0.030",
        "random-init vision (vit-random): semantic less appearance -0.040 [-0.060, -0.020]",
        "random-init language (gpt-random): semantic less appearance -0.060 [-0.080, -0.040]",
    )
    assert finding.pair.endswith("images altered, map of the originals")
    assert "0.9 of what lies above mismatched pairs" in finding.rule


@pytest.mark.parametrize(
    ("semantic", "appearance", "kept"),
    [
        (-0.25, -0.2, 0.55),
        (-0.2, 0.0, 0.94),
        (-0.01, 0.0, 1.0),
        (-0.1, -0.3, 1.0),
        (-0.09, 0.0, 1.0),
    ],
    ids=[
        "looks cost nearly as much",
        "looks retain .9 by their estimate alone",
        "nothing lost",
        "looks cost more",
        "a twin loses as much",
    ],
)
def test_meaning_over_looks_does_not_hold_otherwise(
    semantic: float, appearance: float, kept: float
) -> None:
    finding = altered(deltas(semantic, appearance, kept=kept), *TWINS_ALTERED)
    assert finding.verdict == "does not hold"


@pytest.mark.parametrize("there", [0, 1])
def test_meaning_over_looks_is_not_tested_without_each_twin(there: int) -> None:
    finding = altered(deltas(-0.2), TWINS_ALTERED[there])
    assert finding.verdict == "not testable here"
    assert f"there is no random-init {('language', 'vision')[there]}" in finding.words


@pytest.mark.parametrize(
    "told",
    [
        {"n": 60},
        {"variant": "sepia"},
        {"cell_rule": "given"},
        {"captions": "mean"},
    ],
    ids=["other rows", "other alterations", "given layers", "other captions"],
)
def test_a_twin_that_was_asked_otherwise_is_no_control(told: dict[str, Any]) -> None:
    twin = TWINS_ALTERED[0]
    kind = pl.col("level").eq("variant") if "variant" in told else pl.lit(value=True)
    changed = [
        pl.when(kind).then(pl.lit(value, twin.schema[name])).otherwise(name).alias(name)
        for name, value in told.items()
    ]
    finding = altered(deltas(-0.2), twin.with_columns(changed), TWINS_ALTERED[1])
    assert finding.verdict == "not testable here"


def test_a_twin_or_a_pair_that_was_asked_twice_alike_is_not_chosen_from() -> None:
    finding = altered(deltas(-0.2), deltas(-0.1, vision="vit-random"), *TWINS_ALTERED)
    assert finding.verdict == "not testable here"
    assert "random-init vision (vit-random) was asked 2 times alike" in finding.words


def test_each_side_says_which_kind_of_alteration_it_lacks() -> None:
    frame = deltas(-0.2).filter(pl.col("kind") == "semantic")
    assert altered(frame).verdict == "not testable here"
    assert "no appearance alteration of images" in altered(frame).seen
    captions = altered(frame, side="captions altered")
    assert captions.verdict == "not testable here"
    assert "no appearance and no semantic alteration of captions" in captions.seen


def test_a_map_fitted_again_to_altered_targets_is_another_task() -> None:
    back = deltas(-0.2, fit="refit", direction="language->vision")
    finding = altered(back)
    assert finding.verdict == "not testable here"
    assert "only where they are what a map is fitted to again" in finding.words
    told = [one.pair for one in asked(4, perturbation=[back, deltas(-0.2), *TWINS_ALTERED])]
    assert not any("fitted again" in pair for pair in told)


def test_maps_are_not_mixed_in() -> None:
    maps = deltas(-0.2).with_columns(scope=pl.lit("map"))
    assert altered(maps, deltas(-0.2), *TWINS_ALTERED).verdict == "holds"


def test_choosing_holds_above_chance_and_every_control() -> None:
    [finding] = asked(5, forced_choice=[choices(0.8, human=0.9), *BESIDE])
    assert finding.verdict == "holds"
    assert "one judge agrees with the others in 0.900" in finding.seen
    assert "the strongest control, bag of words" in finding.words


@pytest.mark.parametrize(
    ("score", "controls"),
    [
        (0.70, BESIDE),
        (
            0.52,
            [
                choices(0.4, **told)
                for told in (
                    {"vision": "vit-random"},
                    {"language": "gpt-random"},
                    {"control": "mismatched"},
                )
            ],
        ),
    ],
    ids=["not clear of a control", "not clear of chance"],
)
def test_choosing_does_not_hold_otherwise(score: float, controls: list[pl.DataFrame]) -> None:
    [finding] = asked(5, forced_choice=[choices(score), *controls])
    assert finding.verdict == "does not hold"


@pytest.mark.parametrize("left_out", [0, 1, 2])
def test_choosing_is_not_tested_without_its_controls(left_out: int) -> None:
    beside = [frame for i, frame in enumerate(BESIDE) if i != left_out]
    [finding] = asked(5, forced_choice=[choices(0.9), *beside])
    assert finding.verdict == "not testable here"


def test_a_control_of_another_direction_is_no_control() -> None:
    other = [frame.with_columns(direction=pl.lit("image-to-text")) for frame in BESIDE]
    [finding, *_] = asked(5, forced_choice=[choices(0.9), *other])
    assert finding.verdict == "not testable here"


@pytest.mark.parametrize(
    "told",
    [
        {"metric": "forced-choice:similarity=dot"},
        {"fit_rule": "pairs of other photos"},
        {"fitted_on": 50},
        {"n": 40},
        {"left_out": 9},
        {"cell_rule": "given"},
        {"seed": 1},
    ],
    ids=lambda told: next(iter(told)),
)
def test_a_control_that_was_run_otherwise_is_no_control(told: dict[str, Any]) -> None:
    other = BESIDE[0].with_columns(pl.lit(value).alias(name) for name, value in told.items())
    [finding, *_] = asked(5, forced_choice=[choices(0.9), other, *BESIDE[1:]])
    assert finding.verdict == "not testable here"
    assert "random-init vision (vit-random) was run on other items or settings" in finding.words


def test_a_control_that_was_asked_twice_alike_is_not_chosen_from() -> None:
    again = choices(0.1, vision="vit-random")
    [finding] = asked(5, forced_choice=[choices(0.9), *BESIDE, again])
    assert finding.verdict == "not testable here"
    assert "random-init vision (vit-random) was asked 2 times alike" in finding.words
