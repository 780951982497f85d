"""Keeping what an analysis found: its run, its rows and its pictures."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from analyses.pictures import render
from vdb import books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import altair as alt
    import polars as pl

    from vdb.database import Database


class Book:
    """Where one run of an analysis is entered; one that is not kept swallows what it is given."""

    def __init__(self, db: Database, analysis: str, run_id: str | None) -> None:
        self._db, self._analysis, self._run_id = db, analysis, run_id

    def keep(
        self,
        frame: pl.DataFrame,
        pictures: Mapping[str, Callable[[pl.DataFrame], alt.Chart]],
        drawn: pl.DataFrame | None = None,
    ) -> None:
        """Draw the pictures, then keep them and the rows: what cannot be drawn is not kept either.

        ``drawn`` are the rows that the pictures show, where these are not all.
        """
        if self._run_id is None:
            return
        shown = frame if drawn is None else drawn
        made = {name: render(draw(shown)) for name, draw in pictures.items()}
        self._db.keep_result(self._analysis, frame, self._run_id)
        for name, picture in made.items():
            title = f"{self._analysis}: {name}"
            books.keep_picture(
                self._db, self._run_id, name, title, picture.spec, picture.svg, picture.png
            )


@contextmanager
def run(
    db: Database,
    analysis: str,
    command: str,
    parameters: Mapping[str, Any],
    seed: int,
    *,
    kept: bool,
) -> Iterator[Book]:
    """Record a run of an analysis, unless it is not to be kept."""
    if not kept:
        yield Book(db, analysis, None)
        return
    with books.run(db, command or f"vdb analyze {analysis}", parameters, seed) as run_id:
        yield Book(db, analysis, run_id)
