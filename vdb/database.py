"""A store: its items, its spaces, its books, all as Polars LazyFrames that push down to Lance."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from vdb import layouts, overview, schema, tables
from vdb.asking import ask
from vdb.errors import NotFoundError, RecipeMismatchError
from vdb.names import check_space_name
from vdb.recipe import Recipe
from vdb.schema import key_of
from vdb.space import Space, now

if TYPE_CHECKING:
    from collections.abc import Sequence

_SPACE = "space."
_RESULT = "result."


class Database:
    """A store of items and of the vectors that models made of them; made by :func:`vdb.open`.

    Attributes
    ----------
    uri : str
        Where it is.
    """

    def __init__(self, uri: str, connection: Any) -> None:  # noqa: ANN401 - lancedb is untyped
        self.uri = uri
        self._connection = connection

    def __repr__(self) -> str:
        return f"vdb.open({self.uri!r})"

    # Items ------------------------------------------------------------------------------------------------------------

    def concepts(self) -> pl.LazyFrame:
        """Return what images and captions are exemplars of: ``concept_id``, ``name``, ``dataset``, ``source``."""
        return self.read("concepts")

    def images(self) -> pl.LazyFrame:
        """Return the images: ``image_id``, ``concept_id``, ``uri``, ``sha256``, ``dataset``, ``source``."""
        return self.read("images")

    def captions(self) -> pl.LazyFrame:
        """Return the captions: ``caption_id``, ``concept_id``, ``text``, ``gloss``, ``dataset``, ``source``."""
        return self.read("captions")

    def pairs(self) -> pl.LazyFrame:
        """Return which image and which caption belong together: ``image_id``, ``caption_id``, ..."""
        return self.read("pairs")

    def segments(self) -> pl.LazyFrame:
        """Return the masks: ``image_id``, ``segmentation``, ``category``, ``is_thing``, ``is_crowd``, size, RLE."""
        return self.read("segments")

    def trials(self) -> pl.LazyFrame:
        """Return the forced choices: ``direction``, ``query_id``, ``candidate_0``, ``candidate_1``, ``label``, ..."""
        return self.read("trials")

    def variants(self) -> pl.LazyFrame:
        """Return the variants in use: ``variant``, ``modality``, ``kind``, ``definition``, ``fingerprint``."""
        return self.read("variants")

    def image_variants(self) -> pl.LazyFrame:
        """Return the altered images that somebody else made: ``image_id``, ``variant``, ``uri``, ``sha256``, ..."""
        return self.read("image_variants")

    def caption_variants(self) -> pl.LazyFrame:
        """Return the altered captions that somebody else made: ``caption_id``, ``variant``, ``text``, ..."""
        return self.read("caption_variants")

    def datasets(self) -> pl.DataFrame:
        """Count what each data set holds; see :func:`vdb.overview.datasets`."""
        return overview.datasets(self)

    # The store's own books --------------------------------------------------------------------------------------------

    def spaces(self) -> pl.LazyFrame:
        """Return the spaces: ``space``, ``model``, ``modality``, ``fingerprint``, ``recipe``, ``created_at``."""
        return self.read("spaces")

    def failures(self) -> pl.LazyFrame:
        """Return what could not be ingested: ``space``, ``item_id``, ``variant``, ``status``, ``reason``, ..."""
        return self.read("failures")

    def runs(self) -> pl.LazyFrame:
        """Return what was done: ``run_id``, ``command``, ``parameters``, ``versions``, ``seed``, times, outcome."""
        return self.read("runs")

    def pictures(self) -> pl.LazyFrame:
        """Return the pictures analyses drew: ``run_id``, ``name``, ``title``, ``spec``, ``svg``, ``png``."""
        return self.read("pictures")

    def result(self, analysis: str, run_id: str | None = None) -> pl.LazyFrame:
        """Return every kept row of an analysis, with its ``run_id``; of one run, in the order they were kept in.

        Raises
        ------
        NotFoundError
            Nothing was kept under that name.
        """
        kept = self.results()
        if analysis not in kept:
            raise NotFoundError.named(
                "result", analysis, kept, f"run `vdb analyze {analysis}` first"
            )
        rows = pl.scan_lance(self._connection.open_table(_RESULT + analysis))
        if run_id is not None:
            place = pl.col("key").str.extract(r"(\d+)$").cast(pl.Int64)
            rows = rows.filter(pl.col("run_id") == run_id).sort(place)
        return rows.drop("key")

    def results(self) -> list[str]:
        """List the analyses with kept results."""
        return self._named(_RESULT)

    # Spaces -----------------------------------------------------------------------------------------------------------

    def space(self, name: str) -> Space:
        """Return the space ``name``.

        Raises
        ------
        NotFoundError
            There is none; near misses are suggested.
        """
        found = self.spaces().filter(pl.col("space") == name).collect()
        if found.is_empty():
            known = self.spaces().select("space").collect()["space"].to_list()
            raise NotFoundError.named("space", name, known, "`vdb ingest --model NAME` makes one")
        recipe = Recipe.from_json(found["recipe"][0])
        return Space(name, recipe, partial(self._space_table, name, recipe))

    def create_space(self, name: str, recipe: Recipe) -> Space:
        """Return the space ``name`` for writing, made if it is not there.

        Raises
        ------
        InputError
            ``name`` cannot name a space.
        RecipeMismatchError
            The space is there under another recipe; the fields that differ are named.
        """
        check_space_name(name)
        row = {
            "key": key_of(name),
            "space": name,
            "model": recipe.model,
            "modality": recipe.modality,
            "fingerprint": recipe.fingerprint,
            "recipe": recipe.to_json(),
            "created_at": now(),
        }
        tables.insert(self.table("spaces"), pa.Table.from_pylist([row], layouts.SPACES))
        self.check_recipe(name, recipe)
        return self.space(name)

    def check_recipe(self, name: str, recipe: Recipe) -> None:
        """Check that vectors of ``recipe`` may go into the space ``name``: it is not there, or holds just that.

        Raises
        ------
        RecipeMismatchError
            It holds another recipe; the fields that differ are named.
        """
        found = self.spaces().filter(pl.col("space") == name).collect()
        if not found.is_empty() and found["fingerprint"][0] != recipe.fingerprint:
            there = Recipe.from_json(found["recipe"][0])
            raise RecipeMismatchError(
                f"space {name!r} holds another recipe: {'; '.join(there.differences(recipe))}; "
                "use the same settings, or another name for the space (--space NAME)"
            )

    def scan(
        self,
        space: str,
        layers: Sequence[int | str] | None = None,
        variant: str | None = None,
    ) -> pl.LazyFrame:
        """Return the rows of a space: its id column, ``concept_id``, ``variant`` and the layers asked for.

        Parameters
        ----------
        space : str
        layers : sequence of int or str, optional
            Indices (negative ones count from the last) or names; all by default.
        variant : str, optional
            Only this variant.
        """
        return self.space(space).scan(layers, variant)

    # Asking -----------------------------------------------------------------------------------------------------------

    def sql(self, query: str) -> pl.LazyFrame:
        """Ask in SQL; reads only.

        Every table stands under its name (``images``, ``captions``, ``concepts``, ``pairs``, ``segments``, ``trials``,
        ``variants``, ``image_variants``, ``caption_variants``, ``spaces``, ``failures``, ``runs``, ``pictures``), a
        space under its own and a result under its analysis's; a name with a dash wants double quotes:
        ``SELECT image_id FROM "vit-l" WHERE variant = 'original'``.

        Raises
        ------
        InputError
            The query cannot be read, is not a question, reads a file, or names a table or column that is not there.
        """
        frames = {name: self.read(name) for name in schema.TABLES if name not in {"meta", "blobs"}}
        for name in self._named(_SPACE):
            table = tables.open_if_there(self._connection, _SPACE + name)
            if table is not None:
                frames[name] = pl.scan_lance(table).drop("key")
        for name in self.results():  # where a space has the analysis's name: "result.NAME"
            frames[_RESULT + name if name in frames else name] = self.result(name)
        return ask(query, frames)

    def neighbours(
        self,
        space: str,
        *,
        layer: int | str,
        of: str,
        k: int = 10,
        variant: str = schema.ORIGINAL,
    ) -> pl.DataFrame:
        """Find the ``k`` items nearest to one by cosine similarity, exactly.

        Returns
        -------
        pl.DataFrame
            The id column and ``similarity``, the nearest first; the item itself is left out.

        Raises
        ------
        NotFoundError
            The item has no vector in that space and variant.
        """
        return self.space(space).neighbours(layer=layer, of=of, k=k, variant=variant)

    # For ingest and analyses ------------------------------------------------------------------------------------------

    def read(self, name: str) -> pl.LazyFrame:
        """Return one of the store's own tables without its key; empty where nothing was written yet."""
        table = tables.open_if_there(self._connection, name)
        if table is None:
            return pl.from_arrow(schema.TABLES[name].empty_table()).lazy().drop("key")  # type: ignore[union-attr] # a frame
        return pl.scan_lance(table).drop("key")

    def table(self, name: str) -> Any:  # noqa: ANN401 - lancedb is untyped
        """Open one of the store's own tables for writing, made if it is not there."""
        return tables.ensure(self._connection, name, schema.TABLES[name])

    def tables(self) -> list[Any]:
        """Open every table there is, spaces and results too; for looking after the store as a whole."""
        found = map(partial(tables.open_if_there, self._connection), tables.names(self._connection))
        return [table for table in found if table is not None]

    def keep_result(self, analysis: str, frame: pl.DataFrame, run_id: str) -> None:
        """Add the rows of ``frame`` to what is kept of ``analysis``; a column new to it is null in older ones."""
        rows = frame.select(
            pl.format("{}|{}", pl.lit(run_id), pl.int_range(pl.len())).alias("key"),
            pl.lit(run_id).alias("run_id"),
            pl.all(),
        ).to_arrow(compat_level=pl.CompatLevel.oldest())
        key = layouts.META.field("key")
        layout = pa.schema(
            [key, *(schema.plain(field) for field in rows.schema if field.name != "key")]
        )
        table = tables.ensure_wide(self._connection, _RESULT + analysis, layout)
        kept = rows.cast(layout)
        for field in table.schema:  # what an older or newer analysis says and this one does not
            if field.name not in kept.column_names:
                kept = kept.append_column(field, pa.nulls(len(kept), field.type))
        tables.insert(table, kept)

    def _space_table(self, name: str, recipe: Recipe) -> Any:  # noqa: ANN401 - untyped
        layout = schema.space_schema(recipe.modality, recipe.layers, recipe.stored_dtype)
        return tables.ensure(self._connection, _SPACE + name, layout)

    def _named(self, prefix: str) -> list[str]:
        found = tables.names(self._connection)
        return sorted(name.removeprefix(prefix) for name in found if name.startswith(prefix))
