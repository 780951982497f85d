"""Spaces that stand beside others: random-init twins of trained ones, and the statistics of the images' pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from vdb.errors import NotFoundError
from vdb.recipe import Recipe

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.database import Database
    from vdb.space import Space

RANDOM_INIT: Final = "random-init"
PIXEL_STATISTICS: Final = "pixel-statistics"
SPACE_CONTROLS: Final = (RANDOM_INIT, PIXEL_STATISTICS)
"""Controls that are spaces of their own, and whose pairs are rows like any other."""

_TRAINED: Final = "pretrained"


def untrained_spaces(db: Database) -> frozenset[str]:
    """Name the spaces whose weights were never trained, whether or not a trained one stands beside them."""
    return frozenset(name for name, one in _recipes(db).items() if one.weights != _TRAINED)


def random_twins(db: Database) -> dict[str, list[str]]:
    """Give each trained space its random-init twins, all alike but the weights; those without any are left out."""
    recipes = _recipes(db)
    untrained = untrained_spaces(db)
    twins = {
        name: [twin for twin in sorted(untrained) if recipes[twin].architecture == one.architecture]
        for name, one in recipes.items()
        if name not in untrained
    }
    return {name: found for name, found in twins.items() if found}


def beside(
    db: Database, visions: Sequence[Space], controls: Sequence[str], languages: Sequence[Space]
) -> tuple[list[Space], list[Space]]:
    """Find the spaces that controls put beside those that were named.

    Returns
    -------
    list of Space, list of Space
        Further ones of images and of texts.

    Raises
    ------
    NotFoundError
        One is not stored; the message says what makes it.
    """
    more: tuple[list[Space], list[Space]] = [], []
    named = {space.name for space in (*visions, *languages)}
    if RANDOM_INIT in controls:
        twins, untrained = random_twins(db), untrained_spaces(db)
        for found, spaces in zip(more, (visions, languages), strict=True):
            for space in spaces:
                if space.name in untrained:
                    continue
                if space.name not in twins:
                    raise NotFoundError(
                        f"no random-init twin of space {space.name!r}: `vdb analyze alignment --control random-init` "
                        f"makes one, and so does `vdb ingest --model MODEL --random-init 0 --space {space.name}-random`"
                    )
                found.append(db.space(twins[space.name][0]))
    if PIXEL_STATISTICS in controls:
        known = db.spaces().select("space").collect()["space"]
        if PIXEL_STATISTICS not in known:
            raise NotFoundError(
                f"no space {PIXEL_STATISTICS!r}: `vdb ingest --model {PIXEL_STATISTICS}` makes it"
            )
        more[0].append(db.space(PIXEL_STATISTICS))
    first, second = ([one for one in found if one.name not in named] for found in more)
    return first, second


def _recipes(db: Database) -> dict[str, Recipe]:
    rows = db.spaces().select("space", "recipe").sort("space").collect().iter_rows()
    return {name: Recipe.from_json(text) for name, text in rows}
