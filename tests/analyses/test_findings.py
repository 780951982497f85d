"""Findings from synthetic frames: every number here is invented, and each verdict is known beforehand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from analyses.intervals import Estimate, chosen_on_others, difference, of_folds
from analyses.report import Finding, findings, summary

TWINS = {"vit": ["vit-random"], "gpt": ["gpt-random"]}
SPREAD = np.array([-0.01, -0.005, 0.0, 0.005, 0.01])


def cells(
    height: float,
    *,
    vision: str = "vit",
    language: str = "gpt",
    control: str = "none",
    peak: tuple[int, int] = (3, 3),
    folds: bool = True,
    direction: str = "vision->language",
) -> pl.DataFrame:
    """Make a synthetic 5 x 5 map that falls off from its ``peak``, with five folds about each score."""
    bag = control == "bag-of-words"
    rows = []
    for v in range(5):
        for w in range(1 if bag else 5):
            score = height - 0.05 * (abs(v - peak[0]) + (0 if bag else abs(w - peak[1])))
            rows.append(
                {
                    "vision": vision,
                    "language": "bag-of-words" if bag else language,
                    "control": control,
                    "metric": "linear-predictivity" if folds else "mutual-knn",
                    "direction": direction,
                    "vision_layer": v,
                    "language_layer": w,
                    "vision_depth": v / 4,
                    "language_depth": w / 4,
                    "score": score,
                    "fold_scores": (score + SPREAD).tolist() if folds else None,
                    "n": 100,
                    "groups": 100,
                    "folds": 5,
                    "seed": 0,
                    "captions": "one",
                }
            )
    return pl.DataFrame(rows, schema_overrides={"fold_scores": pl.List(pl.Float64)})


def curve(
    ends: tuple[float, float], *, control: str = "none", vision: str = "vit", language: str = "gpt"
) -> pl.DataFrame:
    """Make a synthetic curve from k = 1 to 8 with intervals of 0.05 to each side."""
    common: dict[str, Any] = {
        "vision": vision,
        "language": language,
        "control": control,
        "average": "captions",
        "group": "concept",
        "metric": "linear-predictivity",
        "direction": "vision->language",
        "n": 100,
        "folds": 5,
        "seed": 0,
        "draws": 3,
    }
    return pl.DataFrame(
        [
            {**common, "k": k, "score": s, "low": s - 0.05, "high": s + 0.05}
            for k, s in zip((1, 8), ends, strict=True)
        ]
    )


def other(frame: pl.DataFrame, **settings: Any) -> pl.DataFrame:
    """Say that a frame was computed under other settings."""
    return frame.with_columns(pl.lit(v, frame.schema[k]).alias(k) for k, v in settings.items())


CONTROLS = [
    cells(0.2, language="gpt-random"),
    cells(0.1, vision="vit-random"),
    cells(0.3, control="bag-of-words"),
    cells(0.0, control="mismatched"),
]
FLAT = curve((0.0, 0.0), control="mismatched")
CURVE_TWINS = [curve((0.0, 0.1), vision="vit-random"), curve((0.0, 0.1), language="gpt-random")]


def only(found: list[Finding], number: int) -> Finding:
    mine = [finding for finding in found if finding.claim.startswith(f"{number}.")]
    assert len(mine) == 1
    return mine[0]


def test_alignment_holds_above_every_control_and_names_the_strongest() -> None:
    finding = only(findings([cells(0.5), *CONTROLS], [], TWINS), 1)
    assert finding.verdict == "holds"
    assert finding.seen.startswith("0.50 [0.49, 0.51]")
    assert "+0.200 [+0.200, +0.200] over the strongest control, bag of words" in finding.seen
    assert "df = 4" in finding.seen
    assert finding.words.endswith("the strongest control, bag of words")
    assert [text.split(":")[0] for text in finding.controls] == [
        "random-init language",
        "random-init vision",
        "bag of words",
        "mismatched",
    ]


@pytest.mark.parametrize("name", ["random-init", "bag-of-words", "mismatched"])
def test_alignment_does_not_hold_when_one_control_reaches_it(name: str) -> None:
    reaching = {
        "random-init": cells(0.505, vision="vit-random", language="gpt-random"),
        "bag-of-words": cells(0.505, control="bag-of-words"),
        "mismatched": cells(0.505, control="mismatched"),
    }[name]
    rest = [frame for frame in CONTROLS if frame["control"][0] != name]
    assert only(findings([cells(0.5), reaching, *rest], [], TWINS), 1).verdict == "does not hold"


def test_alignment_is_not_testable_without_its_controls_or_its_intervals() -> None:
    assert only(findings([cells(0.5), CONTROLS[0]], [], TWINS), 1).verdict == "not testable here"
    bare = only(findings([cells(0.5)], [], TWINS), 1)
    assert (
        "no random-init vision and no random-init language and no bag of words to compare"
        in bare.seen
    )
    knn = [
        cells(0.5, folds=False),
        cells(0.1, language="gpt-random", folds=False),
        cells(0.1, vision="vit-random", folds=False),
        cells(0.1, control="bag-of-words", folds=False),
    ]
    unbounded = only(findings(knn, [], TWINS), 1)
    assert unbounded.verdict == "not testable here"
    assert unbounded.words == "the scores come without fold intervals"


@pytest.mark.parametrize(
    ("left_out", "missing"),
    [(0, "random-init language"), (1, "random-init vision"), (2, "bag of words")],
)
@pytest.mark.parametrize("direction", ["vision->language", "symmetric"])
def test_alignment_wants_the_twin_of_each_side_and_the_bag_of_words(
    left_out: int, missing: str, direction: str
) -> None:
    frames = [cells(0.5), *CONTROLS[:left_out], *CONTROLS[left_out + 1 :]]
    turned = [frame.with_columns(direction=pl.lit(direction)) for frame in frames]
    finding = only(findings(turned, [], TWINS), 1)
    assert finding.verdict == "not testable here"
    assert finding.words == f"there is no {missing} to compare with"


def test_folds_are_shared_so_their_differences_are_paired() -> None:
    near = cells(0.495, control="bag-of-words")
    controls = [CONTROLS[0], CONTROLS[1], near]
    assert only(findings([cells(0.5), *controls], [], TWINS), 1).verdict == "holds"
    against = near.with_columns(pl.col("fold_scores").list.reverse())
    crossed = [CONTROLS[0], CONTROLS[1], against]
    assert only(findings([cells(0.5), *crossed], [], TWINS), 1).verdict == "does not hold"


@pytest.mark.parametrize(
    "settings",
    [{"n": 50}, {"groups": 50}, {"folds": 4}, {"seed": 1}, {"captions": "mean"}],
    ids=str,
)
def test_a_map_under_other_settings_is_no_control(settings: dict[str, Any]) -> None:
    frames = [cells(0.5), *CONTROLS[:2], other(CONTROLS[2], **settings), CONTROLS[3]]
    finding = only(findings(frames, [], TWINS), 1)
    assert finding.verdict == "not testable here"
    assert finding.words == "bag of words was run on other items or settings"
    assert not any(text.startswith("bag of words") for text in finding.controls)
    again = only(findings([*frames, CONTROLS[2]], [], TWINS), 1)
    assert again.verdict == "holds"


def test_a_map_of_other_data_sets_is_no_control() -> None:
    frames = [frame.with_columns(datasets=pl.lit("a")) for frame in (cells(0.5), *CONTROLS)]
    assert only(findings(frames, [], TWINS), 1).verdict == "holds"
    frames[1] = frames[1].with_columns(datasets=pl.lit("b"))
    finding = only(findings(frames, [], TWINS), 1)
    assert finding.words == "random-init language was run on other items or settings"


def test_the_strongest_of_several_twins_counts_and_all_are_shown() -> None:
    twins = {**TWINS, "vit": ["vit-random", "vit-seed-1"]}
    frames = [cells(0.5), *CONTROLS, cells(0.6, vision="vit-seed-1")]
    finding = only(findings(frames, [], twins), 1)
    assert finding.verdict == "does not hold"
    told = [text.split(":")[0] for text in finding.controls]
    assert {"random-init vision (vit-random)", "random-init vision (vit-seed-1)"} <= set(told)
    assert finding.words.endswith("random-init vision (vit-seed-1)")


def test_an_untrained_space_without_a_sibling_is_never_a_finding() -> None:
    lone = cells(0.4, vision="lone")
    found = findings([cells(0.5), lone, *CONTROLS], [], TWINS, ["lone"])
    assert not any("lone" in finding.pair for finding in found)
    assert any("lone" in f.pair for f in findings([cells(0.5), lone, *CONTROLS], [], TWINS))


def test_a_cell_without_a_score_is_left_out() -> None:
    early = (pl.col("vision_layer") == 0) | (pl.col("language_layer") == 0)
    frame = cells(0.5).with_columns(
        score=pl.when(~early).then("score"), fold_scores=pl.when(~early).then("fold_scores")
    )
    assert only(findings([frame, *CONTROLS], [], TWINS), 1).verdict == "holds"


def test_a_twin_is_never_a_finding_of_its_own() -> None:
    found = findings([cells(0.5), *CONTROLS], [curve((0.1, 0.9), vision="vit-random")], TWINS)
    assert {f.pair.split(", ")[0] for f in found if f.pair} == {"vit × gpt"}  # noqa: RUF001 - as it is told
    assert only(found, 3).verdict == "not yet asked of this store"


@pytest.mark.parametrize(
    ("peak", "verdict", "shape"),
    [
        ((3, 3), "holds", "before the last layer of both"),
        ((2, 2), "holds", "before the last layer of both"),
        ((4, 4), "holds", "a rise to the last layer of both models, not a peak before it"),
        ((3, 4), "holds", "a rise to the last layer of the language model, not a peak before it"),
        ((4, 1), "does not hold", "a rise to the last layer of the vision model, not a peak"),
        ((0, 4), "does not hold", "a rise to the last layer of the language model, not a peak"),
    ],
)
def test_higher_late_only_when_late_in_both_and_a_rise_is_called_one(
    peak: tuple[int, int], verdict: str, shape: str
) -> None:
    finding = only(findings([cells(0.5, peak=peak)], [], TWINS), 2)
    assert finding.verdict == verdict
    assert f"(depths {peak[0] / 4:.2f} and {peak[1] / 4:.2f})" in finding.seen
    assert shape in finding.seen
    assert shape in finding.words
    assert "that it peaks there, before the last layer, is not tested" in finding.claim


def test_a_late_peak_within_the_noise_of_the_folds_does_not_hold() -> None:
    frame = cells(0.5, peak=(2, 2))
    noise = pl.Series([[0.3, 0.7, 0.5, 0.4, 0.6]])
    early = pl.col("vision_layer") < 2
    frame = frame.with_columns(
        fold_scores=pl.when(early).then(pl.lit(noise).first()).otherwise("fold_scores")
    )
    assert only(findings([frame], [], TWINS), 2).verdict == "does not hold"


@pytest.mark.parametrize(
    ("ends", "mismatched", "twin", "verdict"),
    [
        ((0.3, 0.6), (0.0, 0.0), (0.1, 0.3), "holds"),
        ((0.3, 0.35), (0.0, 0.0), (0.1, 0.1), "does not hold"),
        ((0.3, 0.6), (0.0, 0.2), (0.1, 0.1), "does not hold"),
        ((0.3, 0.6), (0.55, 0.55), (0.1, 0.1), "does not hold"),
        ((0.3, 0.6), (0.0, 0.0), (0.1, 0.55), "does not hold"),
    ],
    ids=["rises", "flat", "mismatched rises", "mismatched is as high", "twin is as high"],
)
def test_averaging_is_held_against_its_controls(
    ends: tuple[float, float],
    mismatched: tuple[float, float],
    twin: tuple[float, float],
    verdict: str,
) -> None:
    frames = [
        curve(ends),
        curve(mismatched, control="mismatched"),
        curve(twin, vision="vit-random"),
        curve((0.0, 0.0), language="gpt-random"),
    ]
    finding = only(findings([], frames, TWINS), 3)
    assert finding.verdict == verdict
    assert len(finding.controls) == 3
    if max(mismatched[1], twin[1]) == 0.55:
        decided = "mismatched" if mismatched[1] == 0.55 else "random-init vision"
        assert f"not clear of {decided}" in finding.words


def test_a_control_of_another_kind_is_held_against_averaging_too() -> None:
    frames = [curve((0.3, 0.6)), FLAT, *CURVE_TWINS, curve((0.3, 0.58), control="diluted")]
    finding = only(findings([], frames, TWINS), 3)
    assert finding.verdict == "does not hold"
    assert finding.controls[-1].startswith("diluted: ")


def test_averaging_is_not_testable_without_the_mismatched_average_or_a_second_k() -> None:
    every = [curve((0.1, 0.9)), FLAT, *CURVE_TWINS]
    assert only(findings([], every, TWINS), 3).verdict == "holds"
    names = ("mismatched", "random-init vision", "random-init language")
    for left_out, name in enumerate(names, start=1):
        rest = [frame for i, frame in enumerate(every) if i != left_out]
        finding = only(findings([], rest, TWINS), 3)
        assert finding.verdict == "not testable here"
        assert finding.words == f"there is no {name} to compare with"
    single = [frame.filter(k=1) for frame in every]
    assert only(findings([], single, TWINS), 3).verdict == "not testable here"


@pytest.mark.parametrize("settings", [{"n": 50}, {"folds": 4}, {"seed": 1}, {"draws": 10}], ids=str)
def test_a_curve_under_other_settings_is_no_control(settings: dict[str, Any]) -> None:
    frames = [curve((0.3, 0.6)), FLAT, CURVE_TWINS[0], other(CURVE_TWINS[1], **settings)]
    finding = only(findings([], frames, TWINS), 3)
    assert finding.verdict == "not testable here"
    assert finding.words == "random-init language was run on other items or settings"


def test_controls_are_read_at_the_same_numbers_averaged() -> None:
    further = other(FLAT.filter(k=8), k=16, score=0.9, low=0.85, high=0.95)
    frames = [curve((0.3, 0.6)), pl.concat([FLAT, further]), *CURVE_TWINS]
    assert only(findings([], frames, TWINS), 3).verdict == "holds"
    shorter = [curve((0.3, 0.6)), other(FLAT, k=4), *CURVE_TWINS]
    finding = only(findings([], shorter, TWINS), 3)
    assert finding.verdict == "not testable here"
    assert finding.words == "mismatched was run on other items or settings"


def test_each_direction_is_asked_by_itself() -> None:
    there = [cells(0.5), *CONTROLS]
    back = [
        frame.with_columns(direction=pl.lit("language->vision"))
        for frame in [cells(0.2), *CONTROLS]
    ]
    verdicts = [
        (f.direction, f.verdict) for f in findings([*there, *back], [], TWINS) if f.claim[0] == "1"
    ]
    assert verdicts == [("vision → language", "holds"), ("language → vision", "does not hold")]


def test_what_this_release_does_not_ask_is_listed() -> None:
    found = findings([], [], {})
    assert [f.claim[0] for f in found] == ["1", "2", "3", "4", "5"]
    assert {f.verdict for f in found} == {"not yet asked of this store"}
    assert all(f.rule for f in found)
    assert summary(found) == "Nothing has been asked of this store yet."


def test_the_summary_counts_the_verdicts_and_each_has_its_reason_in_a_line() -> None:
    curves = [curve((0.3, 0.32)), FLAT, *CURVE_TWINS]
    found = findings([cells(0.5), *CONTROLS], curves, TWINS)
    assert summary(found) == "3 questions were put to the store: 2 hold, 1 does not hold."
    assert (
        only(found, 3).words
        == "no clear rise, 0.30 [0.25, 0.35] with 1 to 0.32 [0.27, 0.37] with 8"
    )
    assert all(finding.words for finding in found if finding.pair)


@given(st.lists(st.floats(-1, 1), min_size=2, max_size=10))
def test_the_interval_of_folds_is_students(folds: list[float]) -> None:
    mean = float(np.mean(folds))
    error = float(stats.sem(folds))
    ends = (
        stats.t.interval(0.95, len(folds) - 1, loc=mean, scale=error) if error > 0 else (mean, mean)
    )
    estimate = of_folds(folds, mean)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(ends), abs=1e-12)


def test_the_luck_of_the_choice_is_left_out() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(500, 5))
    assert noise.mean(axis=1).max() > 1.0, "the best of many cells of noise looks like something"
    scores = chosen_on_others(noise.tolist())
    assert scores is not None
    assert of_folds(scores, float(np.mean(scores))).low < 0
    for fold in range(5):
        rest = np.delete(noise, fold, axis=1).mean(axis=1)
        assert scores[fold] == noise[rest.argmax(), fold]
    assert chosen_on_others([None, [0.1, 0.2]]) is None
    assert chosen_on_others([[0.1]]) is None


def test_a_cell_that_is_not_a_number_on_some_fold_is_not_chosen_by_it() -> None:
    nan = math.nan
    assert chosen_on_others([[nan, 0.9, 0.9], [0.5, 0.5, 0.5], [0.1, 0.1, 0.1]])[1:] == [0.5, 0.5]  # type: ignore[index]
    scores = chosen_on_others([[nan, 0.1, nan], [0.5, 0.6, 0.7]])
    assert scores == [0.5, 0.6, 0.7]
    nowhere = chosen_on_others([[nan, 0.1, nan]])
    assert nowhere is not None
    assert all(math.isnan(score) for score in nowhere[:1])
    assert not of_folds(nowhere, 0.1).bounded


def test_an_unknown_interval_is_above_nothing() -> None:
    unknown = of_folds(None, 0.9)
    assert not unknown.bounded
    assert not unknown.above(Estimate(0.1, 0.0, 0.2))
    assert not Estimate(0.9, 0.8, 1.0).above(unknown)
    assert str(unknown) == "0.90"
    assert not of_folds([0.5], 0.5).bounded
    assert math.isnan(difference([0.1, 0.2], [0.1]).score)


def test_a_difference_is_paired() -> None:
    first, second = [0.1, 0.5, 0.9], [0.0, 0.4, 0.8]
    assert difference(first, second).low == pytest.approx(0.1)
    assert difference(first, second).high == pytest.approx(0.1)
