"""As sets: whether queries are aligned better with the candidates that people preferred than with the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from analyses.cell import Cell, best, choosing_half, given, last
from analyses.forced_choice.rows import layers
from analyses.forced_choice.trials import disjoint, sides
from analyses.matching import mean_rows
from analyses.metrics.cells import score_cells
from analyses.metrics.folds import check_folds
from analyses.metrics.inference.paired import paired

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from analyses.forced_choice.trials import Trials
    from analyses.metrics import ChosenMetric
    from analyses.metrics.metric import MetricMap
    from vdb.progress import Progress
    from vdb.space import Space

    Row = dict[str, Any]

SETS = ("preferred", "rejected")


def set_level(
    spaces: tuple[Space, Space],
    direction: str,
    trials: Trials,
    metric: ChosenMetric,
    *,
    vision_layer: int | str | None,
    language_layer: int | str | None,
    folds: int,
    seed: int,
    device: str,
    progress: Progress,
) -> list[Row]:
    """Score (query, preferred) and (query, rejected) over the same rows and folds, and their difference.

    Raises
    ------
    InputError
        Too few trials share no item, so that there are too few rows for the folds.
    """
    rows = disjoint(trials, seed)
    check_folds([str(row) for row in rows], folds, metric.metric.rows_a_fold)
    read = _Read(spaces, direction, trials, rows, device)
    named = given(spaces, vision_layer, language_layer)
    with progress.task(f"{direction}: preferred against rejected", 4) as task:

        def maps(chosen: NDArray[np.int64]) -> dict[str, dict[str, MetricMap]]:
            found = {}
            for name in SETS:
                found[name] = metric.compute(
                    *read.layers(name, chosen),
                    groups=[read.names[i] for i in chosen],
                    folds=folds,
                    seed=seed,
                )
                task.advance(1)
            return found

        every = maps(np.arange(len(rows)))
        half = None if named else choosing_half(read.names, seed)
        if half is None:
            cell = named or last(spaces, len(rows))
            scored = np.arange(len(rows))
            task.advance(2)
        else:
            choosing = maps(np.flatnonzero(half))
            # By the mean over both sets, which says nothing of their difference.
            both = {f"{name} {fit}": one for name in SETS for fit, one in choosing[name].items()}
            at = best(both, (spaces[0].name, spaces[1].name))
            cell = Cell(*at, f"best over both sets on {int(half.sum())} other trials")
            scored = np.flatnonzero(~half)
    out = _map_rows(spaces, every, len(rows))
    out += _cell_rows(spaces, read, cell, scored, metric, folds, seed)
    shared = {
        "vision": spaces[0].name,
        "language": spaces[1].name,
        "vision_fingerprint": spaces[0].recipe.fingerprint,
        "language_fingerprint": spaces[1].recipe.fingerprint,
        "control": "none",
        "level": "set",
        "direction": direction,
        "metric": metric.name,
        "cluster_rule": "trials no two of which share an item",
        "human_ties": trials.human_ties,
        "left_out": trials.left_out + len(trials) - len(rows),
    }
    return [{**row, **shared} for row in out]


class _Read:
    """Vectors of the rows: of the query once, of the preferred and the rejected candidates."""

    def __init__(
        self,
        spaces: tuple[Space, Space],
        direction: str,
        trials: Trials,
        rows: NDArray[np.int64],
        device: str,
    ) -> None:
        frame = trials.frame[rows]
        first = frame["label"].to_numpy() == 1
        a, b = frame["candidate_0"].to_numpy(), frame["candidate_1"].to_numpy()
        vision, language = spaces
        pictured = sides(direction)[0] == "image_id"
        query, candidate = (vision, language) if pictured else (language, vision)

        def read(space: Space, ids: list[str]) -> list[torch.Tensor]:
            return [torch.from_numpy(x).to(device) for x in mean_rows(space, [[i] for i in ids])]

        self.names = frame["trial_id"].to_list()
        self._pictured = pictured
        self._query = read(query, frame["query_id"].to_list())
        self._candidates = {
            "preferred": read(candidate, np.where(first, a, b).tolist()),
            "rejected": read(candidate, np.where(first, b, a).tolist()),
        }

    def layers(
        self, name: str, rows: NDArray[np.int64]
    ) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
        """Return vision layers and language layers of one set."""
        at = torch.from_numpy(rows).to(self._query[0].device)
        query = [layer[at] for layer in self._query]
        candidate = [layer[at] for layer in self._candidates[name]]
        return (query, candidate) if self._pictured else (candidate, query)


def _map_rows(
    spaces: tuple[Space, Space], maps: dict[str, dict[str, MetricMap]], n: int
) -> list[Row]:
    rows = []
    for fit, preferred in maps["preferred"].items():
        rejected = maps["rejected"][fit]
        sets = {
            "preferred": (preferred.scores, preferred.chance),
            "rejected": (rejected.scores, rejected.chance),
            "difference": (preferred.scores - rejected.scores, 0.0),
        }
        for name, (scores, chance) in sets.items():
            rows += [
                {
                    **layers(spaces[0].layers, spaces[1].layers, at),
                    "scope": "map",
                    "fit": fit,
                    "pairs": name,
                    "chance": chance,
                    "score": float(scores[at]),
                    "n": n,
                    "clusters": n,
                }
                for at in np.ndindex(*scores.shape)
            ]
    return rows


def _cell_rows(
    spaces: tuple[Space, Space],
    read: _Read,
    cell: Cell,
    rows: NDArray[np.int64],
    metric: ChosenMetric,
    folds: int,
    seed: int,
) -> list[Row]:
    names = [read.names[i] for i in rows]
    check_folds(names, folds, metric.metric.rows_a_fold)
    conditions = []
    for name in SETS:
        vision, language = read.layers(name, rows)
        conditions.append([(vision[cell.vision], language[cell.language])])
    preferred, rejected = score_cells(metric, conditions, names, folds=folds, seed=seed)
    out = []
    for fit, one in preferred.items():
        other = rejected[fit]
        apart = paired(one, other)
        for name, of, p in (
            ("preferred", one, None),
            ("rejected", other, None),
            ("difference", apart, apart.p),
        ):
            out.append(
                {
                    **layers(spaces[0].layers, spaces[1].layers, (cell.vision, cell.language)),
                    "scope": "cell",
                    "cell_rule": cell.rule,
                    "fit": fit,
                    "pairs": name,
                    "score": of.estimate,
                    "low": of.low,
                    "high": of.high,
                    "p": p,
                    "n": len(rows),
                    "clusters": len(rows),
                    "chance": 0.0 if name == "difference" else None,
                }
            )
    return out
