"""What a store's variants are: their definitions, and the words of each data set that some of them draw on.

A definition is written once, by whoever computes the variant first; whoever comes later with another one is refused,
as two outcomes under one name could not be told apart afterwards. A data set's vocabulary belongs to the definition
without being part of its fingerprint: it is fixed by the first run over that data set, and decides nothing elsewhere.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from vdb import layouts, tables
from vdb.differences import differences
from vdb.errors import NotFoundError, RecipeMismatchError
from vdb.schema import key_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from vdb.database import Database
    from vdb.recipe import Modality

VOCABULARY = "vocabulary"
"""The key of a definition under which each data set's entry stands."""


def define(
    db: Database,
    variant: str,
    modality: Modality,
    kind: str | None,
    definition: Mapping[str, Any],
    fingerprint: str,
    source: str,
) -> dict[str, Any]:
    """Write what a variant is, or check that the store says the same; safe whoever else does so at once.

    Parameters
    ----------
    db : Database
    variant : str
        As the column ``variant`` of a space has it.
    modality : {"image", "text"}
    kind : {"appearance", "semantic"}, optional
    definition : mapping
        Everything that decides the outcome; anything JSON can hold. A ``vocabulary``, data set -> anything, adds
        entries as :func:`extend_vocabulary` does.
    fingerprint : str
        Of the definition without its vocabulary.
    source : str
        Who says so.

    Returns
    -------
    dict
        The definition that the store holds, with the vocabulary of every data set that has one.

    Raises
    ------
    RecipeMismatchError
        The store holds another definition; what differs is named.
    """
    bare = {name: value for name, value in definition.items() if name != VOCABULARY}
    row = {
        "key": key_of(modality, variant),
        "variant": variant,
        "modality": modality,
        "kind": kind,
        "definition": json.dumps(bare, sort_keys=True, ensure_ascii=False),
        "fingerprint": fingerprint,
        "source": source,
    }
    tables.insert(db.table("variants"), pa.Table.from_pylist([row], layouts.VARIANTS))
    held = _row(db, modality, variant)
    if held is None:
        raise NotFoundError(f"variant {variant!r} was removed while it was defined; try again")
    if held["fingerprint"] != fingerprint:
        raise _mismatch(variant, json.loads(held["definition"]), bare)
    for dataset, entry in definition.get(VOCABULARY, {}).items():
        _keep(db, modality, variant, dataset, entry)
    return _whole(db, modality, variant, held)


def definition_of(db: Database, modality: Modality, variant: str) -> dict[str, Any] | None:
    """Return what a variant is by the store, with its vocabularies under ``vocabulary``; None where it says nothing."""
    held = _row(db, modality, variant)
    if held is None:
        return None
    return _whole(db, modality, variant, held)


def extend_vocabulary(
    db: Database,
    modality: Modality,
    variant: str,
    dataset: str,
    entry: Any,  # noqa: ANN401 - JSON
) -> Any:  # noqa: ANN401 - JSON
    """Fix a data set's vocabulary for a variant, unless it is fixed: of two processes at once, the first one's stands.

    Parameters
    ----------
    db : Database
    modality : {"image", "text"}
    variant, dataset : str
    entry : JSON value

    Returns
    -------
    JSON value
        The entry that the store holds: the one given, or the earlier one, which must be used in its place.

    Raises
    ------
    NotFoundError
        The variant was not defined.
    """
    if _row(db, modality, variant) is None:
        raise NotFoundError(f"variant {variant!r} of modality {modality!r} is not defined")
    _keep(db, modality, variant, dataset, entry)
    return _entries(db, modality, variant)[VOCABULARY][dataset]


def vocabulary_keys(
    db: Database,
    *,
    variant: str | None = None,
    datasets: Collection[str] = (),
    definitions: Collection[tuple[str, str]] = (),
) -> list[str]:
    """Return the keys in ``meta`` of the vocabularies of a variant, of data sets, or of (modality, variant) pairs."""
    return [
        key
        for key, entry in _all_entries(db)
        if entry["variant"] == variant
        or entry["dataset"] in datasets
        or (entry["modality"], entry["variant"]) in definitions
    ]


def _row(db: Database, modality: str, variant: str) -> dict[str, Any] | None:
    where = pc.field("key") == key_of(modality, variant)
    rows = tables.read(db.table("variants"), ["definition", "fingerprint"], where).to_pylist()
    return rows[0] if rows else None


def _whole(db: Database, modality: str, variant: str, held: Mapping[str, Any]) -> dict[str, Any]:
    definition: dict[str, Any] = json.loads(held["definition"])
    return definition | _entries(db, modality, variant)


def _mismatch(
    variant: str, there: Mapping[str, Any], wanted: Mapping[str, Any]
) -> RecipeMismatchError:
    differ = "; ".join(differences(there, wanted)) or "its fingerprint"
    instead = f", or name the old tagger ({there['tagger']})" if "tagger" in there else ""
    return RecipeMismatchError(
        f"variant {variant!r} is defined otherwise in this store: {differ}; "
        f"`vdb remove variant {variant}` makes room for the new one{instead}"
    )


# An entry a row of `meta`, inserted by key: Lance lets one of two inserts at once stand. Rewriting the definition's
# row instead could lose one of two entries.


def _keep(db: Database, modality: str, variant: str, dataset: str, entry: Any) -> None:  # noqa: ANN401 - JSON
    value = {"modality": modality, "variant": variant, "dataset": dataset, "entry": entry}
    row = {
        "key": key_of(VOCABULARY, modality, variant, dataset),
        "value": json.dumps(value, ensure_ascii=False),
    }
    tables.insert(db.table("meta"), pa.Table.from_pylist([row], layouts.META))


def _all_entries(db: Database) -> list[tuple[str, dict[str, Any]]]:
    where = pc.starts_with(pc.field("key"), f"{VOCABULARY}|")
    rows = tables.read(db.table("meta"), ["key", "value"])
    return [(row["key"], json.loads(row["value"])) for row in rows.filter(where).to_pylist()]


def _entries(db: Database, modality: str, variant: str) -> dict[str, dict[str, Any]]:
    """Return ``{"vocabulary": {data set: entry}}``, or nothing where there is no entry."""
    mine = {
        entry["dataset"]: entry["entry"]
        for _, entry in _all_entries(db)
        if (entry["modality"], entry["variant"]) == (modality, variant)
    }
    return {VOCABULARY: dict(sorted(mine.items()))} if mine else {}
