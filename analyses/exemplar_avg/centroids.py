"""Centroids kept as a space of their own: the mean of all exemplars of each group, at every layer."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from analyses.matching import mean_rows
from vdb.errors import InputError
from vdb.names import check_space_name
from vdb.recipe import CENTROIDS
from vdb.schema import ORIGINAL
from vdb.writer import Row, SpaceWriter

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyses.exemplar_avg.exemplars import Averaged, Group, Grouping, Side
    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.recipe import Recipe
    from vdb.space import Space

SIDES: dict[Averaged, tuple[Side, ...]] = {
    "images": ("images",),
    "captions": ("captions",),
    "both": ("images", "captions"),
}
_GROUPS_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Saved:
    """Centroids that are to be stored.

    Attributes
    ----------
    name : str
        Of the space.
    source : Space
        Whose vectors are averaged.
    recipe : Recipe
        The source's, with what was averaged: another set of exemplars is another recipe.
    rows : list of Row
        One a group, under the id of the exemplar that stands for it.
    exemplars : list of tuple of str
        Of each row, what is averaged.
    """

    name: str
    source: Space
    recipe: Recipe
    rows: list[Row]
    exemplars: list[tuple[str, ...]]


def plan(
    name: str, sides: tuple[Space, Space], groups: Sequence[Group], by: Grouping, averaged: Averaged
) -> list[Saved]:
    """Say what :func:`save` would store: a space for each averaged side.

    Parameters
    ----------
    name : str
        Of the space; where both sides are averaged, ``NAME-images`` and ``NAME-captions``.
    sides : (vision, language) spaces
    groups : sequence of Group
        Those that have no exemplar of a side get no centroid of it.
    by : {"image", "caption", "concept"}
    averaged : {"images", "captions", "both"}

    Raises
    ------
    InputError
        ``name`` cannot name a space, or a group shares every exemplar with another one, so that none can stand for
        it alone.
    """
    names = [f"{name}-{side}" if averaged == "both" else name for side in SIDES[averaged]]
    for one in names:
        check_space_name(one)
    made = zip(names, SIDES[averaged], strict=True)
    return [_side(one, side, sides, groups, by) for one, side in made]


def _side(
    name: str, side: Side, sides: tuple[Space, Space], groups: Sequence[Group], by: Grouping
) -> Saved:
    source = sides[0] if side == "images" else sides[1]
    every = {group.name: _exemplars(group, side) for group in groups}
    every = {group: own for group, own in every.items() if own}
    carriers = _carriers(every, side, by)
    concepts = dict(
        source.scan([], ORIGINAL).select(source.id_column, "concept_id").collect().iter_rows()
    )
    rows = [
        Row(carriers[group], group if by == "concept" else concepts[carriers[group]], ORIGINAL)
        for group in every
    ]
    told = json.dumps(every, sort_keys=True)
    counts = [len(own) for own in every.values()]
    averaged = {
        "of": source.recipe.fingerprint,
        "group": by,
        "groups": len(every),
        "fewest": min(counts, default=0),
        "most": max(counts, default=0),
        "exemplars": hashlib.sha256(told.encode()).hexdigest()[:16],
    }
    recipe = replace(
        source.recipe,
        pooling=f"{source.recipe.pooling}, centroid of exemplars",
        stored_dtype="float32",
        preprocessing={**source.recipe.preprocessing, CENTROIDS: averaged},
    )
    return Saved(name, source, recipe, rows, list(every.values()))


def _exemplars(group: Group, side: Side) -> tuple[str, ...]:
    """Return every exemplar of one side, each once; those of the first pair first, that pairs stand for the group."""
    if side == "captions":
        return tuple(dict.fromkeys(one for own in group.captions for one in own))
    if not group.paired:
        return group.images
    both = list(zip(group.images, group.captions, strict=True))
    return tuple(one for one, own in both if own) + tuple(one for one, own in both if not own)


def _carriers(every: dict[str, tuple[str, ...]], side: Side, by: Grouping) -> dict[str, str]:
    """Choose of each group its first exemplar that no other group has."""
    uses: dict[str, int] = {}
    for own in every.values():
        for one in own:
            uses[one] = uses.get(one, 0) + 1
    alone = {group: [one for one in own if uses[one] == 1] for group, own in every.items()}
    without = [group for group, own in alone.items() if not own]
    if without:
        raise InputError(
            f"{len(without)} of {len(every)} {by}s share all their {side} with another, {without[0]!r} among them: "
            f"their centroids would need an id of their own; leave --save out, or save by another --group"
        )
    return {group: own[0] for group, own in alone.items()}


def check(db: Database, saved: Sequence[Saved]) -> None:
    """Check, before any work, that nothing else stands under the names.

    Raises
    ------
    RecipeMismatchError
        A space of that name holds another recipe; what differs is named.
    """
    for one in saved:
        db.check_recipe(one.name, one.recipe)


def save(db: Database, saved: Saved, progress: Progress) -> Space:
    """Store centroids that are not stored yet; what is committed stays when it is interrupted.

    Raises
    ------
    RecipeMismatchError
        A space of that name holds another recipe.
    StoreError
        A centroid is all zero or not finite.
    """
    space = db.create_space(saved.name, saved.recipe)
    there = space.stored()
    todo = [i for i, row in enumerate(saved.rows) if row.key not in there]
    with (
        progress.task(f"{saved.name}: centroids", len(todo)) as task,
        SpaceWriter(space) as writer,
    ):
        for start in range(0, len(todo), _GROUPS_AT_ONCE):
            part = todo[start : start + _GROUPS_AT_ONCE]
            layers = mean_rows(saved.source, [saved.exemplars[i] for i in part])
            writer.write([saved.rows[i] for i in part], np.concatenate(layers, axis=1))
            task.advance(done=len(part))
    progress.say(f"{saved.name}: {len(todo)} centroids stored, {len(saved.rows)} in all")
    return space
