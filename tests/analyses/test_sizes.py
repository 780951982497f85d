"""Alignment against size: on frames whose best cells are known, over stores that hold recipes alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pytest
from scipy.stats import rankdata

from analyses.sizes import by_size, over_models
from vdb.recipe import Layer, Recipe

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vdb.database import Database

RECIPE = Recipe(
    model="toy",
    library="timm",
    source="toy/toy",
    revision="0123abc",
    weights="pretrained",
    modality="image",
    pooling="mean",
    dtype="float32",
    stored_dtype="float32",
    layers=(Layer("blocks.0", 4, 1.0),),
)
SIZES = {"v1": 10, "v2": 40, "v3": 20, "t1": 7, "t2": 70}
SCORES = {"v1": 0.1, "v2": 0.5, "v3": 0.3, "t1": 0.01, "t2": 0.02}


def store(sizes: Mapping[str, int | None] = SIZES, **others: Recipe) -> Database:
    recipes = {name: replace(RECIPE, parameters=size) for name, size in sizes.items()} | others
    return cast(
        "Database", SimpleNamespace(space=lambda name: SimpleNamespace(recipe=recipes[name]))
    )


def maps(pairs: Mapping[tuple[str, str], float], **columns: Any) -> pl.DataFrame:
    """Make maps of two cells: the second is best and scores as told on every fold, the first 1 less."""
    return pl.DataFrame(
        [
            {
                "vision": vision,
                "language": language,
                "control": "none",
                "metric": "cka",
                "direction": "symmetric",
                "vision_layer": layer,
                "language_layer": 0,
                "vision_layer_name": f"blocks.{layer}",
                "language_layer_name": "words",
                "vision_depth": float(layer),
                "language_depth": 0.0,
                "score": score - 1 + layer,
                "fold_scores": [score - 1 + layer] * 3,
                "n": 9,
                **columns,
            }
            for (vision, language), score in pairs.items()
            for layer in (0, 1)
        ]
    )


def grid(*names: str) -> dict[tuple[str, str], float]:
    return {
        (v, t): SCORES.get(v, 0.9) + SCORES.get(t, 0.9)
        for v in names
        for t in names
        if v[0] == "v" and t[0] == "t"
    }


def test_each_pair_has_its_held_out_score_and_both_sizes() -> None:
    rows = by_size(store(), maps(grid(*SIZES)))
    assert rows.height == 6
    for row in rows.iter_rows(named=True):
        assert row["score"] == pytest.approx(SCORES[row["vision"]] + SCORES[row["language"]])
        assert row["vision_parameters"] == SIZES[row["vision"]]
        assert row["language_parameters"] == SIZES[row["language"]]
    assert rows["uncounted"].to_list() == [[]] * 6


@pytest.mark.parametrize("sizes", [(10, 40, 20), (40, 10, 20), (10, 10, 20), (3, 2, 1)])
def test_rho_is_the_correlation_of_ranks_over_models_not_pairs(sizes: tuple[int, ...]) -> None:
    known = dict(zip(("v1", "v2", "v3"), sizes, strict=True)) | {"t1": 7, "t2": 70}
    row = by_size(store(known), maps(grid(*SIZES))).row(0, named=True)
    ranks = rankdata(sizes), rankdata([SCORES[name] for name in ("v1", "v2", "v3")])
    if len(set(sizes)) == 3:
        squares = float(((ranks[0] - ranks[1]) ** 2).sum())
        assert row["vision_rho"] == pytest.approx(1 - 6 * squares / (3 * 8))
    else:
        assert row["vision_rho"] is None  # two sizes are a comparison, not a trend
    assert (row["vision_models"], row["language_rho"], row["language_models"]) == (3, None, 2)


def test_untrained_spaces_pixels_and_controls_are_left_out() -> None:
    others = {
        "v-random": replace(RECIPE, weights="random-init:seed=0", parameters=5),
        "v-pixels": replace(RECIPE, weights="none"),
    }
    pairs = grid(*SIZES, *others)
    frame = pl.concat(
        [
            maps(pairs),
            maps({("v1", "t1"): 2.0}, control="mismatched"),
            maps({("v1", "bag-of-words"): 2.0}, control="bag-of-words"),
        ]
    )
    rows = by_size(store(SIZES, **others), frame)
    assert rows.equals(by_size(store(), maps(grid(*SIZES))))


def test_a_model_that_nobody_counted_is_named_and_in_no_rho() -> None:
    rows = by_size(store({**SIZES, "v2": None}), maps(grid(*SIZES)))
    assert rows["uncounted"].to_list() == [["v2"]] * 6
    assert rows.filter(vision="v2")["vision_parameters"].to_list() == [None, None]
    assert rows["vision_models"].unique().to_list() == [2]
    assert rows["vision_rho"].null_count() == 6


def test_scores_all_alike_have_no_rho() -> None:
    rows = by_size(store(), maps(dict.fromkeys(grid(*SIZES), 0.5)))
    assert rows["vision_rho"].null_count() == rows.height == 6


def test_directions_are_apart() -> None:
    there = maps(grid(*SIZES), direction="vision->language")
    back = maps({pair: -s for pair, s in grid(*SIZES).items()}, direction="language->vision")
    rows = by_size(store(), pl.concat([there, back]))
    rhos = dict(rows.select("direction", "vision_rho").unique().iter_rows())
    assert rhos == pytest.approx({"vision->language": 1.0, "language->vision": -1.0})
    models = over_models(rows, "vision").filter(direction="vision->language")
    assert models["vision"].to_list() == ["v1", "v3", "v2"]
    assert models["score"].to_list() == pytest.approx([0.115, 0.315, 0.515])


def test_without_a_trained_pair_there_are_no_rows_but_all_columns() -> None:
    random = replace(RECIPE, weights="random-init:seed=0")
    rows = by_size(store({"t1": 1}, v1=random), maps({("v1", "t1"): 0.5}))
    assert rows.is_empty()
    assert rows.columns == by_size(store(), maps(grid(*SIZES))).columns
