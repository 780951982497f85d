"""Which trials are asked, and what a map must not have seen to be asked them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from analyses.matching import check_choice, pair_groups
from vdb.errors import InputError
from vdb.schema import TEXT_TO_IMAGE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.database import Database
    from vdb.space import Space

_ENOUGH = 20
"""Clusters of shared items below which a bootstrap over them would say little."""

_ITEMS = ("query_id", "candidate_0", "candidate_1")


@dataclass(frozen=True, slots=True)
class Trials:
    """Trials of one direction in which people had a preference, and whose items all have vectors.

    Attributes
    ----------
    frame : DataFrame
        The rows of ``db.trials()``, sorted by id.
    components : list of frozenset of str
        Of each trial the components (:func:`components`) of its three items.
    clusters : list of str
        Trials that share an item, by id or by content; or, where that ties nearly all together, a query.
    cluster_rule : str
        Which of the two.
    human_ties, left_out : int
        Trials in which people had no preference, and those with an item that has no vector.
    """

    frame: pl.DataFrame
    components: list[frozenset[str]]
    clusters: list[str]
    cluster_rule: str
    human_ties: int
    left_out: int

    def __len__(self) -> int:
        return len(self.frame)

    @property
    def digest(self) -> str:
        """Sixteen hexadecimal digits that change with any trial, component or cluster, and with what was left out."""
        told = self.frame.select((*_ITEMS, "label", "weight", "gap", "scores_0", "scores_1"))
        found = [sorted(one) for one in self.components]
        counts = [self.human_ties, self.left_out]
        text = json.dumps([told.write_json(), found, self.clusters, self.cluster_rule, counts])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


def sides(direction: str) -> tuple[str, str]:
    """Return what the query and what the candidates are: ``caption_id`` and ``image_id``, or the reverse."""
    both = ("caption_id", "image_id")
    return both if direction == TEXT_TO_IMAGE else both[::-1]


def components(db: Database, trials: pl.DataFrame | None = None) -> dict[tuple[str, str], str]:
    """Name the component of every image and every caption: items connected by sharing anything, however indirectly.

    What connects are pairs, the bytes of a photo, the words of a caption, a concept; and, where ``trials`` are given,
    being put side by side in one of them.

    Returns
    -------
    dict
        From ``("image_id" or "caption_id", id)`` to the component's name.
    """
    images = db.images().select("image_id", "concept_id", "sha256").unique().collect()
    captions = db.captions().select("caption_id", "concept_id", "text").unique().collect()
    links = [images, captions, db.pairs().select("image_id", "caption_id").unique().collect()]
    for (direction,), some in () if trials is None else trials.group_by("direction"):
        query, candidate = sides(str(direction))
        links += [
            some.select(pl.col("query_id").alias(query), pl.col(name).alias(candidate)).unique()
            for name in _ITEMS[1:]
        ]
    # Named by the least item of each, so that a component is called the same whatever order its rows come in.
    name = pl.coalesce(pl.format("image {}", "image_id"), pl.format("caption {}", "caption_id"))
    rows = pl.concat(links, how="diagonal").select(name.alias("name"), pl.all())
    named = rows.with_columns(component=pl.Series(pair_groups(rows)))
    return {
        (column, one): component
        for column in ("image_id", "caption_id")
        for one, component in named.select(column, "component").drop_nulls().unique().iter_rows()
    }


def read_trials(
    db: Database, vision: Space, language: Space, direction: str, datasets: Sequence[str] = ()
) -> Trials | None:
    """Read the trials of one direction; None where there is none.

    Raises
    ------
    NotFoundError
        The store has no trial of one of ``datasets``.
    InputError
        There are trials, and none with a preference whose items all have vectors in both spaces.
    """
    every = stored_trials(db, datasets).filter(pl.col("direction") == direction).sort("trial_id")
    if every.is_empty():
        return None
    there = {"image_id": set(vision.ids()), "caption_id": set(language.ids())}
    query, candidate = sides(direction)
    known = every.filter(
        pl.col("query_id").is_in(there[query])
        & pl.col("candidate_0").is_in(there[candidate])
        & pl.col("candidate_1").is_in(there[candidate])
    )
    preferred = known.filter(pl.col("label") != 0.5)  # noqa: PLR2004 - a tie
    if preferred.is_empty():
        raise InputError(
            f"of {len(every)} {direction} trials {len(every) - len(known)} have an item without a vector in "
            f"{vision.name!r} or {language.name!r} and {len(known)} are ties: `vdb ingest` both models over their items"
        )
    found = components(db)
    named = [
        frozenset({found[query, q], found[candidate, a], found[candidate, b]})
        for q, a, b in preferred.select(_ITEMS).iter_rows()
    ]
    clusters, rule = _clusters(db, preferred, query, candidate)
    return Trials(
        preferred, named, clusters, rule, len(known) - len(preferred), len(every) - len(known)
    )


def stored_trials(db: Database, datasets: Sequence[str] = ()) -> pl.DataFrame:
    """Read the trials of some data sets, or of all.

    Raises
    ------
    NotFoundError
        The store has no trial of one of ``datasets``.
    InputError
        It has no trials at all.
    """
    trials = db.trials().collect()
    if trials.is_empty():
        raise InputError(
            "the store has no trials: `vdb add trials`, `flickr8k` or `pickapic` adds some"
        )
    for dataset in datasets:
        check_choice("data set with trials", dataset, trials["dataset"].unique().to_list())
    return trials.filter(pl.col("dataset").is_in(datasets)) if datasets else trials


def _clusters(
    db: Database, trials: pl.DataFrame, query: str, candidate: str
) -> tuple[list[str], str]:
    """Tie trials together that share an item, or only those of one query where little would be left apart."""
    content = {
        "image_id": dict(db.images().select("image_id", "sha256").collect().iter_rows()),
        "caption_id": dict(db.captions().select("caption_id", "text").collect().iter_rows()),
    }
    asked = [content[query][one] for one in trials["query_id"]]
    # Both candidates stand in one column: the same photo may be candidate 0 here and 1 there.
    rows = pl.concat(
        pl.DataFrame(
            {
                "trial": trials["trial_id"],
                "query": asked,
                "candidate": [content[candidate][one] for one in trials[name]],
            }
        )
        for name in _ITEMS[1:]
    )
    clusters = pair_groups(rows)[: len(trials)]
    apart, largest = np.unique(clusters, return_counts=True)
    if len(apart) >= _ENOUGH and 2 * int(largest.max()) <= len(trials):
        return clusters, "trials that share an item"
    return asked, "trials of one query (nearly all share an item, however indirectly)"


def disjoint(trials: Trials, seed: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Choose trials no two of which share an item or whatever else connects items, in an order drawn by ``seed``.

    Returns
    -------
    (m,) int64 array
        Rows of ``trials``, sorted: as many as come one after the other without sharing anything.
    """
    order = np.random.default_rng([seed, 7]).permutation(len(trials))
    taken: set[str] = set()
    chosen = []
    for row in order.tolist():
        if taken.isdisjoint(trials.components[row]):
            taken |= trials.components[row]
            chosen.append(row)
    return np.array(sorted(chosen), np.int64)
