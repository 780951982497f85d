"""What people can agree on: how often one judge chooses as the others do, and the most that one answer can score."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np

from analyses.metrics.choosing import accuracies, attainable, person

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from numpy.typing import NDArray


class People:
    """The judges of trials that have a preference.

    Parameters
    ----------
    trials : DataFrame
        Rows of ``db.trials()``. A trial's judges are those of its ``scores_0`` and ``scores_1``; where it has none,
        all trials that put the same two candidates to the same query, in either order, one judge each.
    """

    def __init__(self, trials: pl.DataFrame) -> None:
        labels = trials["label"].to_numpy()
        first, second = trials["candidate_0"].to_list(), trials["candidate_1"].to_list()
        turned = np.array([a > b for a, b in zip(first, second, strict=True)], bool)
        self._choices = [
            "\n".join((query, *sorted((a, b))))
            for query, a, b in zip(trials["query_id"], first, second, strict=True)
        ]
        self._labels = np.where(turned, 1 - labels, labels)
        votes: dict[str, list[float]] = defaultdict(list)
        for choice, label in zip(self._choices, self._labels.tolist(), strict=True):
            votes[choice].append(2 * label - 1)
        scores = zip(trials["scores_0"].to_list(), trials["scores_1"].to_list(), strict=True)
        self._agreement = np.array(
            [
                person([x - y for x, y in zip(a, b, strict=False)]) if a and b else person(votes[c])
                for (a, b), c in zip(scores, self._choices, strict=True)
            ],
            np.float64,
        )

    def ceiling(
        self,
        rows: NDArray[np.bool_],
        weights: NDArray[np.float64],
        clusters: Sequence[str],
        seed: int,
    ) -> dict[str, Any]:
        """Return ``human`` with its interval, null where no trial has two judges, and ``attainable``, of some trials.

        Parameters
        ----------
        rows : (n,) bool array
            Which trials.
        weights, clusters
            Of all trials.
        """
        known = rows & np.isfinite(self._agreement)
        most = attainable(
            [self._choices[i] for i in np.flatnonzero(rows)], self._labels[rows], weights[rows]
        )
        if not known.any():
            return {"human": None, "human_low": None, "human_high": None, "attainable": most}
        one = accuracies(
            self._agreement[None, known],
            weights[known],
            [clusters[i] for i in np.flatnonzero(known).tolist()],
            seed=seed,
            flips=1,
        )
        return {
            "human": float(one.score[0]),
            "human_low": float(one.low[0]),
            "human_high": float(one.high[0]),
            "attainable": most,
        }
