"""Keeping what an analysis found: its run, its rows and its pictures; and finding it again instead of asking twice."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl

from analyses.pictures import render
from vdb import books

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import altair as alt

    from vdb.database import Database
    from vdb.progress import Progress
    from vdb.space import Space


VERSION = 2
"""Raised whenever an analysis would give other numbers of the same vectors: what was kept before is no answer then."""

QUESTION = "question"
"""The parameter of a run that holds the mark of what was asked."""

COLUMNS = "columns"
"""The parameter of a run that names the columns it kept: the table has those of every vdb that wrote to it."""

NOTICES = "notices"
"""The parameter of a run that holds what was said of its answer, to be said again with it."""


def question(
    analysis: str, parameters: Mapping[str, Any], spaces: Sequence[Space], items: str
) -> str:
    """Return the mark of a question: sixteen hexadecimal digits of everything that decides the answer.

    Parameters
    ----------
    analysis : str
    parameters : mapping
        Those of the run, anything JSON can hold; what decides no number (device, command) left out.
    spaces : sequence of Space
        Their fingerprints count.
    items : str
        The digest of what is compared, :attr:`analyses.matching.Matched.digest`: with more items stored, it is
        another question.
    """
    marks = [space.recipe.fingerprint for space in spaces]
    told = json.dumps([VERSION, analysis, parameters, marks, items], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def answered(
    db: Database, analysis: str, mark: str, progress: Progress | None = None
) -> pl.DataFrame | None:
    """Return what a finished run kept for a question, row for row and column for column as it was computed.

    Returns
    -------
    DataFrame or None
        None where the question was never answered: a run that failed or was interrupted is no answer.
    """
    if analysis not in db.results():
        return None
    runs = db.runs().filter(pl.col("outcome") == "finished").sort("started_at")
    asked = runs.select("run_id", "parameters").collect()
    told = [(run_id, json.loads(parameters)) for run_id, parameters in asked.iter_rows()]
    same = [(run_id, one) for run_id, one in told if one.get(QUESTION) == mark and COLUMNS in one]
    if not same:
        return None
    run_id, parameters = same[-1]
    rows = db.result(analysis, run_id).select(parameters[COLUMNS]).collect()
    if rows.is_empty():
        return None
    if progress is not None:
        progress.say(f"{analysis}: answered before, by run {run_id}; --force computes it again")
        for notice in parameters.get(NOTICES, ()):
            progress.say(notice)
    return rows


class Book:
    """Where one run of an analysis is entered; one that is not kept swallows what it is given."""

    def __init__(
        self, db: Database, analysis: str, run_id: str | None, entered: dict[str, Any]
    ) -> None:
        self._db, self._analysis, self._run_id, self._entered = db, analysis, run_id, entered

    def say(self, notice: str, progress: Progress) -> None:
        """Say what an answer lacks, now and whenever it is found again."""
        progress.say(notice)
        self._entered.setdefault(NOTICES, []).append(notice)

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
        self._entered[COLUMNS] = frame.columns
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
    entered = dict(parameters)  # the book adds to it, and it is written when the run ends
    if not kept:
        yield Book(db, analysis, None, entered)
        return
    with books.run(db, command or f"vdb analyze {analysis}", entered, seed) as run_id:
        yield Book(db, analysis, run_id, entered)
