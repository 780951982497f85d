"""What every dataset adapter yields, and the checks they share.

An adapter is a function that yields :class:`Batch` after :class:`Batch`. A format that fits in
memory yields one batch for the whole file, so that a mistake on its last line leaves nothing
half-added. Storing is not an adapter's work.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

import polars as pl

from vdb.errors import InputError
from vdb.names import LONGEST_ID, id_problem
from vdb.schema import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Where = Callable[[int], str]
    """Says where row i came from: ``items.csv:12``, ``captions.json annotations[3]``."""

_CONTROL = r"\p{Cc}"


@cache
def columns_of(table: str) -> pl.Schema:
    """Return the columns that an adapter fills in a table: those of the store without ``key``.

    Parameters
    ----------
    table : str
        A table of items: "images", "trials", ...
    """
    schema = TABLES[table]
    empty = pl.DataFrame(schema.empty_table())
    return pl.Schema({name: dtype for name, dtype in empty.schema.items() if name != "key"})


def frame(table: str, columns: Mapping[str, Any]) -> pl.DataFrame:
    """Make the rows of a table, its columns in the store's order and of the store's types.

    Parameters
    ----------
    table : str
        A table of items: "images", "trials", ...
    columns : mapping of str to Series, sequence or scalar
        A scalar fills its column. A nullable column may be left out and is null.

    Raises
    ------
    KeyError
        A column is left out that may not be null, or is not the table's: the adapter's mistake,
        not its user's.
    """
    schema = columns_of(table)
    unknown = columns.keys() - schema.keys()
    left_out = {
        f.name for f in TABLES[table] if f.name in schema and not f.nullable
    } - columns.keys()
    if unknown or left_out:
        raise KeyError(f"{table}: unknown {sorted(unknown)}, left out {sorted(left_out)}")
    for value in columns.values():
        if isinstance(value, str):
            value.encode()  # of a scalar that is no text Polars would make another one
    made = pl.DataFrame(columns)
    return made.select(
        (pl.col(name) if name in columns else pl.lit(None)).cast(dtype).alias(name)
        for name, dtype in schema.items()
    )


def concept_frame(concept_id: Any, *, name: Any, dataset: str, source: Any) -> pl.DataFrame:  # noqa: ANN401 - scalars or columns
    """Make rows of ``concepts``; each argument is a column or, for all rows, a scalar."""
    return frame(
        "concepts",
        {"concept_id": concept_id, "name": name, "dataset": dataset, "source": source},
    )


def image_frame(
    image_id: Any,  # noqa: ANN401 - a Series, a sequence or a scalar
    *,
    uri: Any,  # noqa: ANN401 - as above
    sha256: Any,  # noqa: ANN401 - as above
    dataset: str,
    source: Any,  # noqa: ANN401 - as above
    concept_id: Any = None,  # noqa: ANN401 - as above
) -> pl.DataFrame:
    """Make rows of ``images``; each argument is a column or, for all rows, a scalar."""
    return frame(
        "images",
        {
            "image_id": image_id,
            "concept_id": concept_id,
            "uri": uri,
            "sha256": sha256,
            "dataset": dataset,
            "source": source,
        },
    )


def caption_frame(
    caption_id: Any,  # noqa: ANN401 - a Series, a sequence or a scalar
    *,
    text: Any,  # noqa: ANN401 - as above
    dataset: str,
    source: Any,  # noqa: ANN401 - as above
    concept_id: Any = None,  # noqa: ANN401 - as above
    gloss: Any = None,  # noqa: ANN401 - as above
) -> pl.DataFrame:
    """Make rows of ``captions``; each argument is a column or, for all rows, a scalar."""
    return frame(
        "captions",
        {
            "caption_id": caption_id,
            "concept_id": concept_id,
            "text": text,
            "gloss": gloss,
            "dataset": dataset,
            "source": source,
        },
    )


def pair_frame(image_id: Any, caption_id: Any, *, dataset: str, source: Any) -> pl.DataFrame:  # noqa: ANN401 - as above
    """Make rows of ``pairs``; each argument is a column or, for all rows, a scalar."""
    return frame(
        "pairs",
        {"image_id": image_id, "caption_id": caption_id, "dataset": dataset, "source": source},
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that are added together or not at all.

    Attributes
    ----------
    concepts, images, captions, pairs, segments, trials, variants, image_variants, caption_variants : pl.DataFrame
        Rows of the tables of those names in vdb.schema, without ``key``; empty unless given.
    contents : mapping of str to bytes
        SHA-256 and encoded bytes of the images that have no file of their own: the store holds them, and their ``uri``
        is :func:`vdb.blobs.embedded_uri`'s.
    notices : tuple of str
        What the user should be told although nothing is wrong: files left out, empty folders.
    """

    concepts: pl.DataFrame = field(default_factory=lambda: frame_of_none("concepts"))
    images: pl.DataFrame = field(default_factory=lambda: frame_of_none("images"))
    captions: pl.DataFrame = field(default_factory=lambda: frame_of_none("captions"))
    pairs: pl.DataFrame = field(default_factory=lambda: frame_of_none("pairs"))
    segments: pl.DataFrame = field(default_factory=lambda: frame_of_none("segments"))
    trials: pl.DataFrame = field(default_factory=lambda: frame_of_none("trials"))
    variants: pl.DataFrame = field(default_factory=lambda: frame_of_none("variants"))
    image_variants: pl.DataFrame = field(default_factory=lambda: frame_of_none("image_variants"))
    caption_variants: pl.DataFrame = field(
        default_factory=lambda: frame_of_none("caption_variants")
    )
    contents: Mapping[str, bytes] = field(default_factory=dict)
    notices: tuple[str, ...] = ()

    def tables(self) -> dict[str, pl.DataFrame]:
        """Return the rows by table, as :func:`vdb.items.add` takes them."""
        return {
            "concepts": self.concepts,
            "images": self.images,
            "captions": self.captions,
            "pairs": self.pairs,
            "segments": self.segments,
            "trials": self.trials,
            "variants": self.variants,
            "image_variants": self.image_variants,
            "caption_variants": self.caption_variants,
        }

    def __post_init__(self) -> None:
        for table, rows in self.tables().items():
            if rows.schema != columns_of(table):
                raise TypeError(f"{table}: {rows.schema} is not {columns_of(table)}")


def frame_of_none(table: str) -> pl.DataFrame:
    """Make a table of no rows."""
    return pl.DataFrame(schema=columns_of(table))


def check_ids(ids: pl.Series, where: Where) -> pl.Series:
    """Return ``ids`` if each is fit to be one; null stands for "not given" and passes.

    The rule is :func:`vdb.names.id_problem`'s, asked of a whole column: 1 to 512 characters, none
    of them a control character. Anything else is kept as it is: slashes, quotes, emoji.

    Raises
    ------
    InputError
        Naming the first place where one is not.
    """
    suspect = (
        ids.str.contains(_CONTROL) | ~ids.str.len_chars().is_between(1, LONGEST_ID)
    ).arg_true()
    for index in suspect:
        problem = id_problem(ids[index])
        if problem:
            raise InputError(f"{where(index)}: {problem}")
    return ids


def prefixed(ids: pl.Series, prefix: str, where: Where) -> pl.Series:
    """Return ``ids`` with ``prefix`` before each, once they are fit to be ids without and with it."""
    checked = check_ids(ids, where)
    return check_ids((prefix + checked).alias(ids.name), where) if prefix else checked


def check_id(text: str, where: str) -> str:
    """Return ``text`` if it is fit to be an id; see :func:`check_ids`."""
    return str(check_ids(text_column([text], lambda _: where), lambda _: where)[0])


def check_texts(texts: pl.Series, where: Where) -> pl.Series:
    """Return the captions if none is empty or blank; null stands for "not given" and passes."""
    blank = (texts.str.strip_chars().str.len_bytes() == 0).fill_null(value=False)
    if blank.any():
        raise InputError(f"{where(blank.arg_max() or 0)}: the caption is empty; leave it out")
    return texts


def text_column(values: Sequence[str | None], where: Where) -> pl.Series:
    r"""Make a string column, refusing what is no text: JSON's ``\ud83d`` without its other half."""
    try:
        return pl.Series(values, dtype=pl.String, strict=True)
    except (UnicodeEncodeError, pl.exceptions.PolarsError):
        for index, value in enumerate(values):
            try:
                (value or "").encode()
            except UnicodeEncodeError:
                message = f"{where(index)}: {value!r} holds half a character (a lone surrogate)"
                raise InputError(message) from None
        raise


def one_each(rows: pl.DataFrame, key: str, content: Sequence[str]) -> pl.DataFrame:
    """Keep the first row of each id, in order, once all rows of an id are known to agree.

    Parameters
    ----------
    rows : pl.DataFrame
        With the columns ``key``, ``source`` and those of ``content``.
    content : sequence of str
        What must agree. A null in ``concept_id`` says nothing: it agrees with any concept and
        takes it over.

    Raises
    ------
    InputError
        Two rows claim one id for different content; both places are named.
    """
    if rows[key].is_unique().all():
        return rows
    if "concept_id" in content:
        rows = rows.with_columns(
            pl.coalesce("concept_id", pl.col("concept_id").drop_nulls().first().over(key))
        )
    distinct = rows.unique([key, *content], keep="first", maintain_order=True)
    again = distinct.filter(pl.col(key).is_duplicated())
    if again.height:
        first = again.row(0, named=True)
        second = again.filter(pl.col(key) == first[key]).row(1, named=True)
        differ = [name for name in content if first[name] != second[name]]
        raise InputError(
            f"{key} {first[key]!r} stands for different things: {first['source']} and "
            f"{second['source']} differ in {' and '.join(differ)}; give one of them another id"
        )
    return distinct
