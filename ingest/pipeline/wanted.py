"""Which variants are asked for, and what each of them is: the original, one that is computed, one that lies ready."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from ingest.pipeline.categories import by_category
from ingest.variants.naming import Chosen, choose, split_names
from ingest.variants.registry import all_variants
from vdb.errors import NotFoundError
from vdb.masks import PANOPTIC, ByMasks, by_masks
from vdb.schema import ORIGINAL, READY_MADE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ingest.variants.base import Need
    from ingest.variants.taggers import Tagger
    from vdb.database import Database
    from vdb.recipe import Modality


@dataclass(frozen=True, slots=True)
class Wanted:
    """A variant that is asked for.

    Attributes
    ----------
    name : str
        What the column ``variant`` holds.
    modality : {"image", "text"}
    chosen : Chosen, optional
        How it is computed; None for the original and for what lies ready in the store.
    tagger : Tagger, optional
        Of the captions, where it needs one.
    """

    name: str
    modality: Modality
    chosen: Chosen | None = None
    tagger: Tagger | None = None

    @property
    def ready_made(self) -> bool:
        """Whether the store holds its files or texts."""
        return self.chosen is None and self.name != ORIGINAL

    def needs(self, need: Need) -> bool:
        """Tell whether it has to know this beyond the item itself."""
        return self.chosen is not None and need in self.chosen.variant.needs

    @property
    def masks(self) -> ByMasks | None:
        """What it asks of the masks of an image; None where it needs none."""
        if self.chosen is None or not self.needs("masks"):
            return None
        return by_masks(self.chosen.settings) or ByMasks(PANOPTIC, None)

    def with_masks(self, segmentation: str) -> str:
        """Name the same variant by the masks of another segmentation; "" where it cannot be had."""
        if self.chosen is None or "masks" not in self.chosen.settings:
            return ""
        return replace(self.chosen, settings={**self.chosen.settings, "masks": segmentation}).name

    def definition(self) -> dict[str, Any]:
        """Say everything that decides the outcome; for one that is computed."""
        if self.chosen is None:
            raise ValueError(f"{self.name!r} is not computed")
        tagger = {} if self.tagger is None else {"tagger": self.tagger.identity}
        return self.chosen.definition(**tagger)


def wanted_variants(
    db: Database, written: Sequence[str], datasets: Sequence[str] = ()
) -> dict[Modality, tuple[Wanted, ...]]:
    """Read what was asked for; taggers are loaded, so that one that is missing is told now.

    Parameters
    ----------
    db : Database
    written : sequence of str
        ``original``, names of the registry with settings, and names of ready-made variants; commas join several.
    datasets : sequence of str
        Only these are looked at for the categories that ``which=each`` stands for; all by default.

    Returns
    -------
    dict of {"image", "text"} to tuple of Wanted
        The original first, then by name, whatever the order they were written in: so one set of variants is always
        ingested in one order.

    Raises
    ------
    NotFoundError
        A name is neither in the registry nor ready-made, or a category or segmentation is not in the store; near
        misses are suggested.
    InputError
        A setting is malformed, or a category is asked for where there are none.
    """
    names = split_names(written)
    there = ready_made(db) if set(names) != {ORIGINAL} else {}
    found = {
        (one.modality, one.name): one
        for name in names
        for one in _understood(db, name, there, datasets)
    }
    ordered = sorted(found.values(), key=lambda one: (one.name != ORIGINAL, one.name))
    modalities: tuple[Modality, ...] = ("image", "text")
    return {
        modality: tuple(one for one in ordered if one.modality == modality)
        for modality in modalities
    }


def ready_made(db: Database) -> dict[Modality, list[str]]:
    """List the variants of which the store holds files or texts."""
    return {
        modality: db.read(table)
        .select("variant")
        .unique()
        .sort("variant")
        .collect()["variant"]
        .to_list()
        for modality, table in READY_MADE.items()
    }


def _understood(
    db: Database, written: str, there: Mapping[Modality, Sequence[str]], datasets: Sequence[str]
) -> Iterator[Wanted]:
    if written == ORIGINAL:
        yield from (Wanted(ORIGINAL, "image"), Wanted(ORIGINAL, "text"))
        return
    ready = [modality for modality, names in there.items() if written in names]
    for modality in ready:
        yield Wanted(written, modality)
    name = written.partition(":")[0]
    if name != ORIGINAL and name not in all_variants():
        if ready:
            return
        known = {ORIGINAL, *all_variants(), *(one for names in there.values() for one in names)}
        raise NotFoundError.named("variant", name, known, "`vdb variants` lists them")
    chosen = choose(written)
    if chosen.variant.modality not in ready:  # what lies ready under the whole name comes first
        for one in by_category(db, chosen, datasets):
            yield Wanted(one.name, one.variant.modality, one, _tagger(one))


def _tagger(chosen: Chosen) -> Tagger | None:
    if not chosen.variant.needs & {"tagger", "vocabulary"}:
        return None
    from ingest.variants.taggers import tagger_of  # noqa: PLC0415 - taggers load slowly

    return tagger_of(chosen)
