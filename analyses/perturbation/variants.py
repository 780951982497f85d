"""Which alterations a perturbation compares, and on which rows each of them can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, get_args

import numpy as np
import polars as pl

from analyses.matching import Matched, check_choice, match, rows_of, stored_pairs
from vdb.errors import InputError, NotFoundError
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from analyses.matching import Captions
    from vdb.database import Database
    from vdb.space import Space

Side = Literal["images", "captions", "both"]
"""What is altered."""

AND = "+"
"""Between the variant of the images and that of the captions where both are altered."""


@dataclass(frozen=True, slots=True)
class Alteration:
    """One alteration of the items of a study.

    Attributes
    ----------
    name : str
        The variant's; ``IMAGE+CAPTION`` where both sides are altered under two names.
    altered : {"images", "captions", "both"}
    vision, language : str
        The variant of each side; ``original`` for one that is left as it is.
    kind : str or None
        ``appearance`` or ``semantic`` by the store; None where nobody said. Of both sides: semantic if one is,
        appearance if both are.
    """

    name: str
    altered: Side
    vision: str
    language: str
    kind: str | None


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that have all of some alterations.

    Attributes
    ----------
    matched : Matched
    alterations : tuple of Alteration
    left_out : int
        Rows of the originals that are not among them.
    """

    matched: Matched
    alterations: tuple[Alteration, ...]
    left_out: int


def alterations(
    db: Database,
    sides: tuple[Space, Space],
    named: Sequence[str] | None,
    altered: Side | None,
) -> list[Alteration]:
    """Read what is to be compared.

    Parameters
    ----------
    db : Database
    sides : (Space, Space)
        Vision and language.
    named : sequence of str, optional
        Variants; ``IMAGE+CAPTION`` alters both sides. All that the spaces hold by default: of images and of captions,
        each alone, unless ``altered`` says otherwise.
    altered : {"images", "captions", "both"}, optional
        Without it a name tells by the space that holds it; both, if both do.

    Raises
    ------
    NotFoundError
        No space holds such a variant; near misses are suggested.
    InputError
        There is no variant but the originals, or ``original`` is named as one.
    """
    if altered is not None:
        check_choice("side to alter", altered, get_args(Side))
    held = tuple({one for one in side.counts() if one != ORIGINAL} for side in sides)
    kinds = _kinds(db)
    if named is None:
        found = _every(held, altered)
        if not found:
            what = {"images": "vision space", "captions": "language space"}.get(altered or "")
            raise InputError(
                f"no variant {'of both sides at once ' if altered == 'both' else ''}is stored in the "
                f"{what or 'spaces'} {' and '.join(_names(sides, altered))}: ingest the models again with --variant "
                "NAME (`vdb variants` lists what there is)"
            )
    else:
        found = [_read(one, sides, held, altered) for one in dict.fromkeys(named)]
    return [Alteration(*one, _kind(one[2], one[3], kinds)) for one in dict.fromkeys(found)]


def row_sets(
    db: Database,
    sides: tuple[Space, Space],
    wanted: Sequence[Alteration],
    captions: Captions,
    datasets: Sequence[str],
    skipped: Callable[[str], None] | None,
) -> tuple[Matched, list[Rows]]:
    """Match the rows of the originals, and those that have each alteration; what has the same rows shares them.

    Parameters
    ----------
    skipped : callable, optional
        Told of each alteration that no row has, which is then left out; without it such a one is an error.

    Returns
    -------
    Matched, list of Rows
        Of the originals; of the alterations, in their order.
    """
    pairs, unmatched = stored_pairs(db, *sides, datasets)
    base = rows_of(pairs, captions, unmatched)
    held = [_held(space, pairs[space.id_column]) for space in sides]
    found: dict[bytes, tuple[Matched, list[Alteration]]] = {}
    for one in wanted:
        there = np.logical_and(
            *(
                ids.get(name, _NONE)
                for ids, name in zip(held, (one.vision, one.language), strict=True)
            )
        ) & np.ones(len(pairs), np.bool_)
        key = there.tobytes()
        if key in found:
            found[key][1].append(one)
            continue
        try:
            matched = base if there.all() else together(db, sides, [one], captions, datasets)
        except InputError as error:
            if skipped is None:
                raise
            skipped(f"{one.name} is left out: {error}")
            continue
        found[key] = matched, [one]
    return base, [
        Rows(matched, tuple(members), len(base) - len(matched))
        for matched, members in found.values()
    ]


_NONE: Final = np.zeros(1, np.bool_)


def _held(space: Space, ids: pl.Series) -> dict[str, NDArray[np.bool_]]:
    """Tell of each variant of a space which of some ids have it: the space is read once for all of them."""
    rows = space.scan([]).select(space.id_column, "variant").collect()
    return {
        str(variant): ids.is_in(part[space.id_column].implode()).to_numpy()
        for (variant,), part in rows.group_by(["variant"])
    }


def together(
    db: Database,
    sides: tuple[Space, Space],
    members: Iterable[Alteration],
    captions: Captions,
    datasets: Sequence[str],
) -> Matched:
    """Match the rows that have the originals and every one of some alterations."""
    vision, language = [ORIGINAL], [ORIGINAL]
    for one in members:
        vision.append(one.vision)
        language.append(one.language)
    return match(db, *sides, captions, datasets, vision, language)


def definitions(db: Database, wanted: Iterable[Alteration]) -> list[list[str | None]]:
    """Return what tells two states of the alterations apart: each name with the kind and what it is by the store."""
    stored = db.variants().select("modality", "variant", "fingerprint").collect()
    prints = {(modality, variant): told for modality, variant, told in stored.iter_rows()}
    return [
        [
            one.name,
            one.altered,
            one.kind,
            prints.get(("image", one.vision)),
            prints.get(("text", one.language)),
        ]
        for one in wanted
    ]


_Read = tuple[str, Side, str, str]


def _every(held: tuple[set[str], ...], altered: Side | None) -> list[_Read]:
    images: list[_Read] = [(one, "images", one, ORIGINAL) for one in sorted(held[0])]
    captions: list[_Read] = [(one, "captions", ORIGINAL, one) for one in sorted(held[1])]
    both: list[_Read] = [(one, "both", one, one) for one in sorted(held[0] & held[1])]
    return {None: images + captions, "images": images, "captions": captions, "both": both}[altered]


def _read(
    name: str, sides: tuple[Space, Space], held: tuple[set[str], ...], altered: Side | None
) -> _Read:
    if name == ORIGINAL:
        raise InputError(
            f"--variant {ORIGINAL}: every other variant is compared with it; name another"
        )
    image, plus, caption = name.partition(AND)
    if name in held[0] | held[1] or not plus:
        image = caption = name
    inferred: Side
    if (plus and image != name) or (name in held[0] and name in held[1]):
        inferred = "both"
    else:
        inferred = "captions" if name in held[1] else "images"
    side: Side = altered or inferred
    if plus and image != name and side != "both":
        raise InputError(
            f"--variant {name} alters both sides: leave --altered {side} out, or name one"
        )
    known = held[0] | held[1] if altered is None and side != "both" else None
    for space, mine, variant, sort in (
        (sides[0], held[0], image, "images"),
        (sides[1], held[1], caption, "captions"),
    ):
        if side in {sort, "both"} and variant not in mine:
            place = f"space {space.name!r}" if known is None else _either(sides)
            raise NotFoundError.named("variant", variant, known or mine, place=f"in {place}")
    return (
        name,
        side,
        ORIGINAL if side == "captions" else image,
        ORIGINAL if side == "images" else caption,
    )


def _either(sides: tuple[Space, Space]) -> str:
    return f"space {sides[0].name!r} or {sides[1].name!r}"


def _names(sides: tuple[Space, Space], altered: Side | None) -> list[str]:
    chosen = {"images": sides[:1], "captions": sides[1:]}.get(altered or "", sides)
    return [repr(one.name) for one in chosen]


def _kinds(db: Database) -> dict[tuple[str, str], str | None]:
    rows = db.variants().select("modality", "variant", pl.col("kind")).collect()
    return {(modality, variant): kind for modality, variant, kind in rows.iter_rows()}


def _kind(vision: str, language: str, kinds: Mapping[tuple[str, str], str | None]) -> str | None:
    asked = [("image", vision), ("text", language)]
    said = {kinds.get(one) for one in asked if one[1] != ORIGINAL}
    if "semantic" in said:
        return "semantic"
    return "appearance" if said == {"appearance"} else None
