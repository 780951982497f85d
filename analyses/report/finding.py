"""What comes of putting a claim to a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from analyses.report.claims import Verdict


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim put to the store.

    Attributes
    ----------
    claim : str
        What the study found.
    pair : str
        The spaces and the metric that it is asked of; empty where it is not asked.
    direction : str
        From which to which.
    seen : str
        What came out, with its interval.
    controls : tuple of str
        What came out of each control.
    verdict : {"holds", "does not hold", "not testable here", "not yet asked of this store"}
    rule : str
        What decides the verdict.
    name : str
        The claim in a few words.
    words : str
        Why the verdict is what it is, in a line.
    """

    claim: str
    pair: str
    direction: str
    seen: str
    controls: tuple[str, ...]
    verdict: Verdict
    rule: str
    name: str = ""
    words: str = ""
