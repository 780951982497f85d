"""The small family of errors that vdb raises on purpose.

Each message is one line that says what is wrong, where it is (file and line, item id, model, layer) and what to do.
The command line prints the message alone; anything outside this family is a bug and keeps its traceback.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from vdb.visible import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

_LONGEST = 2000  # characters of a message


class VdbError(Exception):
    """Base of every error that vdb raises on purpose.

    Messages quote what was given, so what would not stay on one line, or would steer a terminal, is escaped, and of
    a very long message the middle is left out.
    """

    def __init__(self, message: str) -> None:
        if len(message) > _LONGEST:
            message = f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"
        super().__init__(visible(message))


class InputError(VdbError):
    """What was given cannot be taken in: a malformed file, a duplicate id, an option out of range."""


class NotFoundError(VdbError):
    """A store, space, model, layer or item that was named is not there."""

    @classmethod
    def named(
        cls, kind: str, name: str, known: Iterable[str], hint: str = "", place: str = ""
    ) -> NotFoundError:
        """Make the error for ``name``, suggesting the nearest of the ``known`` names.

        Parameters
        ----------
        kind : str
            What was looked for, as a word: "model", "space".
        name : str
            The name that was given.
        known : iterable of str
            Names that exist.
        hint : str
            A last sentence: what to do.
        place : str
            Where it was looked for: "in items.csv".

        Examples
        --------
        >>> print(NotFoundError.named("column", "imge", ["image", "text"], place="in items.csv"))
        no column 'imge' in items.csv; did you mean image?
        >>> print(NotFoundError.named("space", "vit", ["bert"], "`vdb status` lists them"))
        no space 'vit'; there are: bert; `vdb status` lists them
        """
        options = sorted(known)
        near = get_close_matches(name, options, n=3, cutoff=0.6)
        message = f"no {kind} {name!r}{f' {place}' if place else ''}"
        if near:
            message += (
                f"; did you mean {' or '.join(filter(None, (', '.join(near[:-1]), near[-1])))}?"
            )
            return cls(f"{message} {hint[:1].upper()}{hint[1:]}".strip())
        if options and len(options) <= 12:  # noqa: PLR2004 - what fits on one line
            message += f"; there are: {', '.join(options)}"
        return cls(f"{message}; {hint}" if hint else message)


class NoStoreError(NotFoundError):
    """There is no store at ``uri``."""

    def __init__(self, uri: str) -> None:
        super().__init__(f"no store at {uri}; `vdb add` makes one, or vdb.open(..., create=True)")
        self.uri = uri


class RecipeMismatchError(VdbError):
    """A space holds vectors of another recipe than the one that would be written into it."""


class StoreError(VdbError):
    """The store cannot be read or written: a newer schema, a damaged table, a write that failed its check."""


class ModelError(VdbError):
    """A model cannot be loaded, or does not behave as its recipe says."""
