"""What a tagger is."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from ingest.variants.base import Token


@runtime_checkable
class Tagger(Protocol):
    """Tells the words of a text and their parts of speech; a class that derives from it is given ``identity``.

    Attributes
    ----------
    name : str
        What it is: ``hanta``.
    version : str
        Changes whenever the same text may be tagged in another way: of the library, its model and its rules.
    """

    name: str
    version: str

    @property
    def identity(self) -> str:
        """Name and version, as the fingerprint of a variant has them."""
        return f"{self.name} {self.version}"

    @abstractmethod
    def tag(self, text: str) -> tuple[Token, ...]:
        """Return the words and marks of a text, in order; what lies between them is white space.

        Safe in threads; any text will do.
        """
        ...
