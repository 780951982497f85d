"""Asking a store in SQL: what may be asked, and what an answer says when there is none.

Polars reads the SQL; its table functions (``read_csv('...')``) would open any file that the process may read, so a
question that calls one is refused before polars sees it.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING

import polars as pl

from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_QUESTIONS = ("select", "with", "show", "explain")

_TOKEN = re.compile(
    r"""
      (?P<line>--[^\r\n]*)
    | (?P<block>/\*)
    | (?P<text>\b[eE]'(?:\\.|''|[^'\\])*' | '(?:''|[^'])*' | \$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    | (?P<name>"(?:""|[^"])*" | `[^`]*` | \w+)
    | .
    """,
    re.VERBOSE | re.DOTALL,
)
_BLOCK_EDGE = re.compile(r"/\*|\*/")
_READER = re.compile(r"[\"`]?((?:read|scan)_\w+)[\"`]?", re.IGNORECASE)


def ask(query: str, frames: Mapping[str, pl.LazyFrame]) -> pl.LazyFrame:
    """Answer a question about some tables.

    Parameters
    ----------
    query : str
    frames : mapping of str to pl.LazyFrame
        Name -> table: all that can be read.

    Returns
    -------
    pl.LazyFrame

    Raises
    ------
    InputError
        The query is not a question, reads a file, cannot be read, or names what is not there.
    """
    words = _words(query)
    first = next((word for word in words if word != "("), "")
    if first.lower() not in _QUESTIONS:
        raise InputError(f"only {', '.join(_QUESTIONS).upper()} can be asked, not {query!r}")
    for word, after in pairwise(words):
        if after == "(" and (reader := _READER.fullmatch(word)):
            raise InputError(
                f"{reader[1]} reads a file outside the store, in {query!r}; "
                f"the tables are {', '.join(sorted(frames))}"
            )
    try:
        answer = pl.SQLContext(frames, register_globals=False).execute(query, eager=False)
        answer.collect_schema()  # a column that is not there is found now, not when it is collected
    except (pl.exceptions.PolarsError, pl.exceptions.SQLInterfaceError) as error:
        raise InputError(
            f"cannot answer {query!r}: {str(error).splitlines()[0]}; "
            f"the tables are {', '.join(sorted(frames))}"
        ) from error
    return answer


def _words(query: str) -> list[str]:
    """Split SQL into names and signs; comments and blanks are left out, texts stand as ``''``."""
    words: list[str] = []
    at = 0
    while found := _TOKEN.match(query, at):
        at = found.end()
        if found["block"]:
            at = _end_of_block(query, at)
        elif found["text"]:
            words.append("''")
        elif not found["line"] and not found[0].isspace():
            words.append(found[0])
    return words


def _end_of_block(query: str, at: int) -> int:
    """Return where the comment ends whose inside begins at ``at``; comments nest."""
    depth = 1
    while depth and (edge := _BLOCK_EDGE.search(query, at)):
        at = edge.end()
        depth += 1 if edge[0] == "/*" else -1
    return len(query) if depth else at
