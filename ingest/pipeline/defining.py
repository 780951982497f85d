"""What a store holds of the variants it is given: what each is, and the words that some of them draw on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ingest.variants.naming import fingerprint_of
from vdb import variants

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ingest.pipeline.altering import Vocabulary
    from ingest.pipeline.wanted import Wanted
    from vdb.database import Database

CAPTIONS_READ = 5_000
"""Captions of a data set, the first by id, that its vocabulary is made of."""

_SOURCE = "vdb ingest"


def define(db: Database, wanted: Iterable[Wanted], *, dry_run: bool = False) -> None:
    """Write what each computed variant is, or check that the store says the same.

    Parameters
    ----------
    db : Database
    wanted : iterable of Wanted
    dry_run : bool
        Only check.

    Raises
    ------
    RecipeMismatchError
        The store has another definition; what differs is named.
    """
    for one in wanted:
        if one.chosen is None:
            continue
        if dry_run and not _defined(db, one):
            continue
        definition = one.definition()
        kind, fingerprint = one.chosen.variant.kind, fingerprint_of(definition)
        variants.define(db, one.name, one.modality, kind, definition, fingerprint, _SOURCE)


def vocabularies(
    db: Database, wanted: Sequence[Wanted], datasets: Sequence[str], *, keep: bool = True
) -> dict[str, dict[str, Vocabulary]]:
    """Return the words of each data set for each variant that needs them.

    What the store holds is used; what it lacks is made of the data set's first captions and kept, so that a data set
    that grows does not change its variants.

    Parameters
    ----------
    db : Database
    wanted : sequence of Wanted
        Defined already, where ``keep``.
    datasets : sequence of str
        Of the captions that are to be altered.
    keep : bool
        Whether a vocabulary that is made is written into the store.

    Returns
    -------
    dict
        Variant -> data set -> vocabulary.
    """
    made: dict[tuple[str, str], Vocabulary] = {}  # several variants may share a tagger
    found: dict[str, dict[str, Vocabulary]] = {}
    for one in wanted:
        if not one.needs("vocabulary"):
            continue
        held = variants.definition_of(db, one.modality, one.name) if _defined(db, one) else None
        there = (held or {}).get(variants.VOCABULARY, {})
        found[one.name] = {}
        for dataset in datasets:
            if dataset in there:
                entry = there[dataset]
            else:
                entry = _built(db, one, dataset, made)
                if keep:  # another process may have been first: then its words stand
                    entry = variants.extend_vocabulary(
                        db, one.modality, one.name, dataset, dict(entry)
                    )
            found[one.name][dataset] = {key: tuple(words) for key, words in entry.items()}
    return found


def _built(
    db: Database, wanted: Wanted, dataset: str, made: dict[tuple[str, str], Vocabulary]
) -> Vocabulary:
    from ingest.variants.vocabulary import build  # noqa: PLC0415 - with a tagger alone

    tagger = wanted.tagger
    if tagger is None:
        raise ValueError(f"{wanted.name!r} needs a vocabulary and has no tagger")
    if (tagger.identity, dataset) not in made:
        captions = db.captions().filter(pl.col("dataset") == dataset)
        first = captions.select("caption_id", "text").sort("caption_id").head(CAPTIONS_READ)
        made[tagger.identity, dataset] = build(first.collect()["text"].to_list(), tagger)
    return made[tagger.identity, dataset]


def _defined(db: Database, wanted: Wanted) -> bool:
    mine = (pl.col("variant") == wanted.name) & (pl.col("modality") == wanted.modality)
    return not db.variants().filter(mine).collect().is_empty()
