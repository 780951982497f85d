"""Number and person of English verbs."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingest.variants.captions.text import like

if TYPE_CHECKING:
    from ingest.variants.base import Token

_TABLE: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "grammar.toml").read_text(encoding="utf-8")
)
_PLURALS: Final[dict[str, str]] = _TABLE["plurals"]
_SINGULARS: Final = {many: one for one, many in _PLURALS.items()} | _TABLE["singulars"]

OBJECTS: Final[dict[str, str]] = _TABLE["objects"]
"""Pronoun as a subject -> as an object."""

FIRST_PERSON: Final[dict[str, str]] = _TABLE["first_person"]
"""A verb as it stands after ``they`` -> after ``I``, where the two differ."""

NEGATIVE: Final = frozenset(_TABLE["negative"].split())
"""Words that negate what they stand in."""

SUBJECTS: Final = {as_object: subject for subject, as_object in OBJECTS.items()}


def agreeing(verb: Token, *, plural: bool) -> str:
    """Return a finite verb as it stands after a subject of the third person.

    >>> from ingest.variants.base import Token
    >>> agreeing(Token("carries", "VERB", "carry", 0), plural=True)
    'carry'
    >>> agreeing(Token("are", "AUX", "be", 0), plural=False)
    'is'
    """
    word, lemma = verb.text.lower(), verb.lemma.lower()
    if known := (_PLURALS if plural else _SINGULARS).get(word):
        return like(verb.text, known)
    if verb.tag == "AUX":  # can, must, been
        return verb.text
    if plural:
        return like(verb.text, lemma) if is_third_person(verb) else verb.text
    return like(verb.text, third_person(lemma)) if word == lemma else verb.text


def is_third_person(verb: Token) -> bool:
    """Tell whether a verb has the ``s`` of the third person singular."""
    word, lemma = verb.text.lower(), verb.lemma.lower()
    return word != lemma and (word == third_person(lemma) or word in _PLURALS)


def third_person(lemma: str) -> str:
    """Return the third person singular of a verb.

    >>> [third_person(lemma) for lemma in ("ride", "watch", "carry", "play")]
    ['rides', 'watches', 'carries', 'plays']
    """
    if lemma.endswith(("s", "x", "z", "ch", "sh", "o")):
        return f"{lemma}es"
    if lemma.endswith("y") and lemma[-2:-1] not in set("aeiou"):
        return f"{lemma[:-1]}ies"
    return f"{lemma}s"
