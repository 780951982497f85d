"""The claims about alterations and choices from synthetic frames: every number is invented, each verdict known."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from analyses.perturbation.rows import DIFFERENCE
from analyses.perturbation.rows import SCHEMA as DELTAS
from analyses.report import Finding, findings

TWINS = {"vit": ["vit-random"], "gpt": ["gpt-random"]}


def deltas(semantic: float, appearance: float = 0.0, **said: Any) -> pl.DataFrame:
    """Make the cell rows of a perturbation of images, each interval 0.02 to both sides; no difference without both."""
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
        "floor": 0.03,
        "captions": "one",
        "folds": 5,
        "seed": 0,
        **said,
    }
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
        for level, variant, kind, delta, n in rows
    ]
    return pl.DataFrame([{name: row.get(name) for name in DELTAS} for row in told], schema=DELTAS)


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
    types = {"gap_low": pl.Float64, "human": pl.Float64}
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


def test_meaning_over_looks_holds_where_semantic_alterations_cost_more() -> None:
    [finding] = asked(4, perturbation=[deltas(-0.2)])
    assert finding.verdict == "holds"
    assert "appearance +0.000 [-0.020, +0.020] (grayscale)" in finding.seen
    assert "semantic -0.200 [-0.220, -0.180] (things-removed)" in finding.seen
    assert finding.controls == ("mismatched pairs: 0.030",)
    assert "images altered, map of the originals" in finding.pair


@pytest.mark.parametrize(
    ("semantic", "appearance"),
    [(-0.01, 0.0), (-0.2, -0.2), (-0.1, -0.3), (0.05, 0.3)],
    ids=["nothing lost", "looks cost as much", "looks cost more", "both gain"],
)
def test_meaning_over_looks_does_not_hold_otherwise(semantic: float, appearance: float) -> None:
    [finding] = asked(4, perturbation=[deltas(semantic, appearance)])
    assert finding.verdict == "does not hold"


def test_what_a_twin_loses_stands_beside_and_nothing_is_asked_of_it() -> None:
    [finding] = asked(4, perturbation=[deltas(-0.2), deltas(-0.04, vision="vit-random")])
    assert finding.controls[1] == (
        "random-init vision (vit-random): semantic less appearance -0.040 [-0.060, -0.020]"
    )


def test_alterations_of_one_kind_test_nothing() -> None:
    frame = deltas(-0.2).filter(pl.col("kind") == "semantic")
    [finding] = asked(4, perturbation=[frame])
    assert finding.verdict == "not testable here"
    assert "only semantic" in finding.seen


def test_maps_and_other_settings_are_not_mixed_in() -> None:
    maps = deltas(-0.2).with_columns(scope=pl.lit("map"))
    found = asked(4, perturbation=[pl.concat([maps, deltas(-0.2), deltas(-0.2, fit="refit")])])
    assert [finding.verdict for finding in found] == ["holds", "holds"]


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
