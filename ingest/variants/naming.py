"""Variants as people write them, ``patch-shuffle:grid=14``, and what each comes to exactly."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from ingest.variants.base import rng_of
from ingest.variants.registry import find_variant
from vdb.errors import InputError, NotFoundError
from vdb.schema import ORIGINAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingest.variants.base import ImageItem, Setting, TextItem, Variant


@dataclass(frozen=True, slots=True)
class Chosen:
    """A variant with its settings.

    Attributes
    ----------
    variant : Variant
    settings : mapping of str to int, float or str
        All of them, in the order of the variant's parameters.
    """

    variant: Variant
    settings: Mapping[str, Setting]

    @property
    def name(self) -> str:
        """What the column ``variant`` holds: the name, and each setting that is not the default.

        However it was written, one choice has one name, and :func:`choose` reads it again: in the value of a setting
        ``,``, ``=`` and ``%``, and white space at its ends, are written as in a URI (``which=salt%2C pepper``).
        """
        told = [
            f"{name}={escaped(str(value))}"
            for name, value in self.settings.items()
            if value != self.variant.parameters[name].default
        ]
        return ":".join([self.variant.name, *told])

    def definition(self, **more: str) -> dict[str, Any]:
        """Say everything that decides the outcome, for the fingerprint.

        ``more`` is the tagger and its version; they stand for the setting ``tagger``, since ``auto`` may come to the
        same tagger as a name.
        """
        variant = self.variant
        settings = {name: value for name, value in self.settings.items() if name != "tagger"}
        libraries = {name: version(name) for name in variant.libraries(self.settings)}
        return {
            "name": variant.name,
            "version": variant.version,
            "settings": settings,
            "libraries": libraries,
            **more,
        }

    def apply(self, item: ImageItem | TextItem) -> Any:  # noqa: ANN401 - a PIL image or a str, by variant.modality
        """Alter an item.

        Raises
        ------
        Inapplicable
            There is nothing to alter.
        """
        # Seen to outside: they come to the generator, the tokens and the segments.
        known = {"seed", "tagger", "masks"}
        settings = {name: value for name, value in self.settings.items() if name not in known}
        seed = int(self.settings.get("seed", 0))
        return self.variant.apply(item, rng_of(self.variant.name, seed, item.item_id), **settings)


_SETTING = re.compile(r":(?=[^:=]*=)")  # a value may hold a colon: tagger=spacy:en_core_web_sm


_SPECIAL = re.compile(r"[%,=]|^\s+|\s+$")
"""A colon is not: what comes after one is a setting only up to the ``=`` that a value cannot have."""


def escaped(value: str) -> str:
    """Write the value of a setting so that nothing in it can be taken for another setting or variant.

    >>> escaped("salt, pepper"), escaped("a:fill=blur"), escaped("spacy:en_core_web_sm")
    ('salt%2C pepper', 'a:fill%3Dblur', 'spacy:en_core_web_sm')
    """
    return _SPECIAL.sub(lambda found: quote(found.group(), safe=""), value)


def fingerprint_of(definition: Mapping[str, Any]) -> str:
    """Return the first 16 hexadecimal digits of the SHA-256 of a definition."""
    text = json.dumps(definition, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def split_names(written: Iterable[str]) -> list[str]:
    """Split ``["grayscale,blur", "blur"]`` into names, each once, in order.

    Raises
    ------
    InputError
        One is empty.
    """
    names = [name.strip() for one in written for name in one.split(",")]
    if "" in names:
        raise InputError(f"an empty name among the variants {', '.join(written)!r}")
    return list(dict.fromkeys(names))


def choose(written: str) -> Chosen:
    """Read one variant with settings: ``NAME``, or ``NAME:SETTING=VALUE:...``, a value as :func:`escaped` writes it.

    Raises
    ------
    NotFoundError
        There is no such variant or setting; near misses are suggested.
    InputError
        A setting is malformed or out of range, or stands twice.
    """
    name, colon, rest = written.partition(":")
    if name == ORIGINAL:
        raise InputError(f"{written!r}: {ORIGINAL} is no variant that is made")
    variant = find_variant(name)
    given: dict[str, str] = {}
    for setting in _SETTING.split(rest) if colon else ():
        key, equals, value = setting.partition("=")
        if not (key and equals and value):
            raise InputError(f"variant {written!r}: {setting!r} is not SETTING=VALUE")
        if key not in variant.parameters:
            raise NotFoundError.named(
                "setting", key, variant.parameters, place=f"of variant {name!r}"
            )
        if key in given:
            raise InputError(f"variant {written!r}: {key} stands twice")
        given[key] = unquote(value)
    settings = {
        key: parameter.parse(f"variant {name!r}: {key}", given[key])
        if key in given
        else parameter.default
        for key, parameter in variant.parameters.items()
    }
    return Chosen(variant, settings)
