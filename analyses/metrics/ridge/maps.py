"""Ridge regression between layers as the registry holds it: linear predictivity (r), and cross-validated R2."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from analyses.metrics.folds import check_folds, folds_of
from analyses.metrics.inputs import check_groups, check_layers
from analyses.metrics.metric import Direction, Metric, MetricMap
from analyses.metrics.ridge.both_directions import both_directions
from analyses.metrics.ridge.explained_variance import r2_map
from analyses.metrics.ridge.linear_predictivity import (
    DEFAULT_ALPHAS,
    ROWS_A_FOLD,
    LinearPredictivity,
    score_map,
)
from analyses.metrics.ridge.primal import primal_is_cheaper, primal_map
from analyses.metrics.ridge.targets import prepare_target
from vdb.errors import InputError
from vdb.settings import Parameter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from torch import Tensor

    from analyses.metrics.ridge.both_directions import Progress
    from analyses.metrics.ridge.selection import Rule
    from analyses.metrics.ridge.source import Scale

LOO_ROWS = 2000
"""Rows up to which alpha is chosen by leave-one-out unless told otherwise: its work grows with their third power."""

Select = Literal["auto", "loo", "gcv", "inner"]
Alpha = Literal["shared", "per-unit"]
Recipe = Literal["vdb", "he-2025"]

HE_2025_ALPHAS: tuple[float, ...] = tuple(float(alpha) for alpha in np.logspace(-8, 8, 17))
HE_2025_FOLDS, HE_2025_SEED = 5, 42


def linear_predictivity_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    select: Select = "auto",
    alpha: Alpha = "shared",
    scale: Scale = "zscore",
    recipe: Recipe = "vdb",
) -> dict[str, MetricMap]:
    """Compute both directions of :func:`~analyses.metrics.ridge.linear_predictivity.linear_predictivity`.

    ``vision->language`` fits vision to predict language. Both directions use the same folds. Under a permutation the
    folds stay with the rows of the side that predicts.

    ``select="auto"`` is leave-one-out up to 2,000 rows, which it needs all of at once, and generalised cross-validation
    above. The latter is computed in the form that costs less, dual or primal: which of them changes no score by more
    than 1e-6. ``recipe="he-2025"`` repeats public code of the field: ``KFold(5, shuffle=True, random_state=42)`` over
    the rows in the order given, whatever their groups and ``seed`` are; 17 alphas from 1e-8 to 1e8; held-out rows
    of the source z-scored by their own mean and standard deviation.

    Raises
    ------
    InputError
        If layers, folds or alphas cannot be used, or a setting is one that the recipe fixes otherwise.
    """
    rows = check_layers(vision, language)
    facts: dict[str, int | str] = {}
    if recipe == "he-2025":
        if (folds, select in {"auto", "loo"}, alpha, scale) != (
            HE_2025_FOLDS,
            True,
            "shared",
            "zscore",
        ):
            raise InputError(
                "recipe he-2025 has 5 folds, select=loo, alpha=shared and scale=zscore: leave these as they are"
            )
        assigned = _he_2025_folds(rows)
        alphas, scale, select = HE_2025_ALPHAS, "each-split", "loo"
        facts["folds"] = "KFold(5, shuffle=True, random_state=42) over rows; groups and seed unused"
    else:
        check_folds(check_groups(groups, rows), folds, ROWS_A_FOLD)
        assigned = folds_of(groups, rows, folds, seed)

    rule: Rule = select if select != "auto" else "loo" if rows <= LOO_ROWS else "gcv"

    def run(
        sources: Sequence[Tensor],
        targets: Sequence[Tensor],
        orders: NDArray[np.int64] | None,
        report: Progress,
    ) -> LinearPredictivity:
        facts["select"] = rule
        if alpha == "shared" and rule == "gcv" and _primal(sources, targets, folds, len(alphas)):
            facts["form"] = "primal"
            return _primal_with_null(sources, targets, assigned, orders, alphas, scale, report)
        facts["form"] = "dual"
        return score_map(
            sources,
            [prepare_target(target) for target in targets],
            assigned,
            alphas=alphas,
            scale=scale,
            select=rule,
            per_unit=alpha == "per-unit",
            groups=groups,
            permutations=orders,
            progress=report,
        )

    facts["alpha"] = alpha
    return both_directions(vision, language, directions, permutations, progress, run, facts)


def r2_maps(
    vision: Sequence[Tensor],
    language: Sequence[Tensor],
    *,
    groups: Sequence[str] | None = None,
    folds: int = 5,
    seed: int = 0,
    directions: Sequence[Direction] | None = None,
    permutations: NDArray[np.int64] | None = None,
    progress: Progress | None = None,
    alphas: Sequence[float] = DEFAULT_ALPHAS,
    select: Rule = "loo",
    scale: Scale = "zscore",
) -> dict[str, MetricMap]:
    """Compute both directions of :func:`~analyses.metrics.ridge.explained_variance.r2_map`."""
    rows = check_layers(vision, language)
    check_folds(check_groups(groups, rows), folds, ROWS_A_FOLD)
    assigned = folds_of(groups, rows, folds, seed)

    def run(
        sources: Sequence[Tensor],
        targets: Sequence[Tensor],
        orders: NDArray[np.int64] | None,
        report: Progress,
    ) -> LinearPredictivity:
        return r2_map(
            sources,
            [prepare_target(target) for target in targets],
            assigned,
            alphas=alphas,
            scale=scale,
            select=select,
            groups=groups,
            permutations=orders,
            progress=report,
        )

    facts: dict[str, int | str] = {"form": "dual", "select": select, "alpha": "shared"}
    return both_directions(vision, language, directions, permutations, progress, run, facts)


def _primal(sources: Sequence[Tensor], targets: Sequence[Tensor], folds: int, alphas: int) -> bool:
    widths = [[layer.shape[1] for layer in side] for side in (sources, targets)]
    return primal_is_cheaper(len(sources[0]), widths[0], widths[1], folds, alphas)


def _primal_with_null(
    sources: Sequence[Tensor],
    targets: Sequence[Tensor],
    folds: NDArray[np.int64],
    orders: NDArray[np.int64] | None,
    alphas: Sequence[float],
    scale: Scale,
    progress: Progress,
) -> LinearPredictivity:
    """Score a map in the primal; its cross-moments are other ones under every permutation."""
    drawn = [np.arange(len(folds)), *(() if orders is None else orders)]
    found = []
    for turn, order in enumerate(drawn):

        def report(done: int, total: int, turn: int = turn) -> None:
            progress(done + turn * total, total * len(drawn))

        moved = [layer[order] for layer in targets] if turn else targets
        found.append(primal_map(sources, moved, folds, alphas=alphas, scale=scale, progress=report))
    if orders is None:
        return found[0]
    return replace(found[0], null=np.array([one.scores for one in found[1:]]))


def _he_2025_folds(rows: int) -> NDArray[np.int64]:
    check_folds([str(i) for i in range(rows)], HE_2025_FOLDS, ROWS_A_FOLD)
    order = np.arange(rows)
    np.random.RandomState(HE_2025_SEED).shuffle(order)
    assigned = np.empty(rows, dtype=np.int64)
    for fold, held in enumerate(np.array_split(order, HE_2025_FOLDS)):
        assigned[held] = fold
    return assigned


SCALE = Parameter("zscore", "what the source's units are divided by", choices=("zscore", "none"))
RULES = ("loo", "gcv", "inner")

LINEAR_PREDICTIVITY = Metric(
    name="linear-predictivity",
    title="Linear predictivity (r)",
    range=(-1.0, 1.0),
    invariances=(
        "shift and scale of each target unit, alphas given",
        "shift and scale of each source unit (z-scored source)",
        "rotation of the source (unscaled source)",
    ),
    source="Ridge encoding models; He, Trott and Khosla, EMNLP 2025, arXiv 2509.20751",
    directional=True,
    bias="About 0 on independent data: alpha is chosen on the training rows, r is held out.",
    correction="none needed; a permutation null bounds the best of many cells",
    compute=linear_predictivity_maps,
    parameters={
        "select": Parameter(
            "auto",
            "what chooses alpha; auto: loo up to 2,000 rows, gcv above",
            choices=("auto", *RULES),
        ),
        "alpha": Parameter(
            "shared", "one for all units of a target, or one each", choices=("shared", "per-unit")
        ),
        "scale": SCALE,
        "recipe": Parameter(
            "vdb", "he-2025: public code of the field, step by step", choices=("vdb", "he-2025")
        ),
    },
    rows_a_fold=ROWS_A_FOLD,
    permutations=0,
)

R2 = Metric(
    name="r2",
    title="Cross-validated R2",
    range=(-np.inf, 1.0),
    invariances=(
        "rotation of the target",
        "scale of all target units at once",
        "shift and scale of each source unit (z-scored source)",
        "rotation of the source (unscaled source)",
    ),
    source="Ridge encoding models; variance-weighted, held out, against the training mean",
    directional=True,
    bias="At most about 0 on independent data.",
    correction="none needed; a permutation null bounds the best of many cells",
    compute=r2_maps,
    parameters={
        "select": Parameter("loo", "what chooses alpha", choices=RULES),
        "scale": SCALE,
    },
    rows_a_fold=ROWS_A_FOLD,
    permutations=0,
)
