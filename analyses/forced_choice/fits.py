"""Which pairs a map is fitted on before it is asked a trial: none that shares anything with it, however indirectly."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analyses.forced_choice.trials import components
from analyses.matching import match
from analyses.metrics.folds import assign_folds
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from analyses.forced_choice.trials import Trials
    from analyses.matching import Captions
    from vdb.database import Database
    from vdb.space import Space

FEWEST = 10
"""Pairs that a fit needs."""


@dataclass(frozen=True, slots=True)
class Fit:
    """One fit and the trials that it answers.

    Attributes
    ----------
    train : (n,) int64 array
        Rows of the pairs.
    trials : (m,) int64 array
        Rows of the trials, none of which shares anything with any of the pairs.
    """

    train: NDArray[np.int64]
    trials: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is fitted for the trials of one direction.

    Attributes
    ----------
    image_ids, caption_ids
        The pairs, as :class:`analyses.matching.Matched` has them.
    groups : list of str
        Of each pair its component.
    fits : list of Fit
        Each trial is in one of them.
    rule : str
        How trials and pairs were kept apart.
    digest : str
        Changes with any pair or its content, any group, and any fit's pairs or trials: folds depend on what connects
        items that are in no pair, too.
    """

    image_ids: list[str]
    caption_ids: list[list[str]]
    groups: list[str]
    fits: list[Fit]
    rule: str
    digest: str

    @property
    def fewest(self) -> int:
        """Pairs of the smallest fit."""
        return min(len(fit.train) for fit in self.fits)


def plan(
    db: Database,
    spaces: tuple[Space, Space],
    trials: Trials,
    *,
    captions: Captions,
    fit_datasets: Sequence[str],
    folds: int,
    most: int,
    seed: int,
) -> Plan:
    """Decide what each trial's map is fitted on.

    With ``fit_datasets``, one fit on their pairs less those connected with any trial. Without, folds: where trials do
    not tie most of the pairs together, of components over pairs and trials, so that a trial lies in one fold. Where
    they do, as where every photo is a candidate of many captions, of components over pairs alone; a trial's items
    then lie in up to three folds, and its map is fitted on the others: one fit for each set of folds that some trial
    touches.

    Raises
    ------
    InputError
        Too few pairs are left for a fit.
    NotFoundError
        No item of the store is of one of ``fit_datasets``.
    """
    rows = match(db, *spaces, captions, fit_datasets)
    found = components(db)
    groups = [found["image_id", image] for image in rows.image_ids]
    kept = _at_most(groups, most, seed)
    groups = [groups[i] for i in kept]
    if fit_datasets:
        asked = frozenset().union(*trials.components)
        train = np.array([i for i, one in enumerate(groups) if one not in asked], np.int64)
        fits = [Fit(train, np.arange(len(trials)))]
        rule = f"pairs of {', '.join(fit_datasets)} that share nothing with any trial"
    else:
        fits, rule = _crossed(db, groups, trials, folds, seed)
    for fit in fits:
        if len(fit.train) < FEWEST:
            raise InputError(
                f"{len(fit.train)} pairs share nothing with {trials.frame['trial_id'][int(fit.trials[0])]!r} and "
                f"the trials that are answered with it, of {len(groups)}: a fit needs at least {FEWEST}; fit on "
                "another data set (--fit-dataset), or use more folds"
            )
    image_ids = [rows.image_ids[i] for i in kept]
    caption_ids = [rows.caption_ids[i] for i in kept]
    made = [[fit.train.tolist(), fit.trials.tolist()] for fit in fits]
    told = json.dumps([rows.digest, image_ids, caption_ids, groups, made])
    digest = hashlib.sha256(told.encode()).hexdigest()[:16]
    return Plan(image_ids, caption_ids, groups, fits, rule, digest)


def _at_most(groups: list[str], most: int, seed: int) -> list[int]:
    """Keep whole groups, in an order drawn by ``seed``, as long as no more than ``most`` rows are kept."""
    if len(groups) <= most:
        return list(range(len(groups)))
    members: dict[str, list[int]] = defaultdict(list)
    for i, group in enumerate(groups):
        members[group].append(i)
    names = sorted(members)
    kept: list[int] = []
    for at in np.random.default_rng([seed, 11]).permutation(len(names)).tolist():
        if len(kept) + len(members[names[at]]) <= most:
            kept += members[names[at]]
    return sorted(kept)


def _crossed(
    db: Database, groups: list[str], trials: Trials, folds: int, seed: int
) -> tuple[list[Fit], str]:
    together = components(db, trials.frame)
    named = {own: together[key] for key, own in components(db).items()}
    joined = [named[group] for group in groups]
    sizes = np.unique(joined, return_counts=True)[1]
    if len(sizes) >= folds and 2 * int(sizes.max()) <= len(groups):
        assigned = assign_folds(joined, folds, seed)
        rule = f"{folds} folds of components of pairs and trials"
    else:
        if len(set(groups)) < folds:
            raise InputError(
                f"{len(groups)} pairs in {len(set(groups))} groups that share an image, a caption or a concept: too "
                f"few for {folds} folds; use fewer (--folds), or fit on another data set (--fit-dataset)"
            )
        assigned = assign_folds(groups, folds, seed)
        rule = f"{folds} folds of components of pairs; a trial's map is fitted on those it does not touch"
    fold_of = dict(zip(groups, assigned.tolist(), strict=True))
    touched: dict[frozenset[int], list[int]] = defaultdict(list)
    for row, names in enumerate(trials.components):
        touched[frozenset(fold_of[name] for name in names if name in fold_of)].append(row)
    fits = [
        Fit(np.flatnonzero(~np.isin(assigned, list(ours))), np.array(members, np.int64))
        for ours, members in sorted(touched.items(), key=lambda pair: sorted(pair[0]))
    ]
    return fits, rule
