"""Calibrated metrics, geometry, and ridge written out with scikit-learn, on real photos and captions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
import torch
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold

from analyses.alignment import alignment
from analyses.matching import match, mean_rows
from analyses.metrics import choose_metric
from analyses.metrics.folds import folds_of
from analyses.metrics.ridge.linear_predictivity import DEFAULT_ALPHAS, score_map
from analyses.metrics.ridge.primal import primal_maps
from analyses.metrics.ridge.targets import prepare_target
from analyses.streamed import streamed_maps

if TYPE_CHECKING:
    from collections.abc import Callable

    from vdb.database import Database

pytestmark = [pytest.mark.real, pytest.mark.slow]

BLOCK, STATE = 10, 5


@pytest.mark.parametrize("metric", ["mutual-knn", "cka", "rsa"])
def test_own_pairs_are_above_every_permutation(real_db: Database, metric: str) -> None:
    frame = alignment(
        real_db, "vit", "minilm", metric=metric, datasets=["dev"], controls=(), kept=False
    )
    late = frame.filter(vision_layer=BLOCK, language_layer=STATE).row(0, named=True)
    assert late["n"] == 600
    assert late["permutations"] == 200
    assert late["p_max"] < 0.05
    assert late["calibrated"] > 0
    first = frame.filter(vision_layer=0, language_layer=STATE).row(0, named=True)
    assert late["calibrated"] > first["calibrated"]


def test_geometry_is_finite(real_answer: Callable[..., pl.DataFrame]) -> None:
    frame = real_answer("geometry", "--space", "vit", "--dataset", "dev")
    assert frame.height
    for name in frame.select(pl.col(pl.Float64)).columns:
        assert frame[name].drop_nulls().is_finite().all(), name


def test_the_recipe_is_what_scikit_learn_gives(real_db: Database) -> None:
    rows = match(real_db, real_db.space("vit"), real_db.space("minilm"), "one", ["dev"])
    [X] = mean_rows(real_db.space("vit"), [[one] for one in rows.image_ids], [BLOCK])
    [Y] = mean_rows(real_db.space("minilm"), rows.caption_ids, [STATE])
    scores = []
    for train, test in KFold(5, shuffle=True, random_state=42).split(X):
        sides = []
        for part in (X[train], X[test], Y[train], Y[test]):
            wide = part.astype(np.float64)
            sides.append((wide - wide.mean(axis=0)) / wide.std(axis=0))
        model = RidgeCV(alphas=np.logspace(-8, 8, 17)).fit(sides[0], sides[2])
        predicted = model.predict(sides[1])
        units = [np.corrcoef(predicted[:, i], sides[3][:, i])[0, 1] for i in range(Y.shape[1])]
        scores.append(np.mean(units))
    chosen = choose_metric("linear-predictivity:recipe=he-2025")
    found = chosen.compute(
        [torch.from_numpy(X)],
        [torch.from_numpy(Y)],
        groups=rows.groups,
        folds=5,
        seed=0,
        directions=["vision->language"],
    )["vision->language"]
    assert abs(float(found.scores[0, 0]) - float(np.mean(scores))) < 1e-6


def test_streamed_and_primal_are_the_dual(real_db: Database) -> None:
    chosen = choose_metric("linear-predictivity:select=gcv")
    vit, minilm = real_db.space("vit"), real_db.space("minilm")
    rows = match(real_db, vit, minilm, "one", ["dev"])
    images = mean_rows(vit, [[one] for one in rows.image_ids], [BLOCK])
    texts = mean_rows(minilm, rows.caption_ids, [STATE])
    sides = [torch.from_numpy(one) for one in (*images, *texts)]
    folds = folds_of(rows.groups, len(rows), 5, 0)
    dual = score_map(
        sides[:1],
        [prepare_target(sides[1])],
        folds,
        alphas=DEFAULT_ALPHAS,
        scale="zscore",
        select="gcv",
        progress=lambda done, total: None,  # noqa: ARG005 - nobody watches
    )
    forth, _ = primal_maps(sides[:1], sides[1:], folds, alphas=DEFAULT_ALPHAS)
    streamed = streamed_maps(
        vit, minilm, rows, chosen, folds=5, seed=0, directions=["vision->language"]
    )["vision->language"]
    assert abs(forth.scores[0, 0] - dual.scores[0, 0]) < 1e-6
    assert abs(streamed.scores[BLOCK, STATE] - dual.scores[0, 0]) < 1e-6
