"""Variants as people write them, ``patch-shuffle:grid=14``, and what each comes to exactly."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from ingest.variants.base import rng_of
from ingest.variants.registry import find_variant
from vdb.errors import InputError
from vdb.schema import ORIGINAL
from vdb.settings import read_settings, write_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from ingest.variants.base import ImageItem, TextItem, Variant
    from vdb.settings import Setting


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
        return write_name(self.variant.name, self.settings, self.variant.parameters)

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
    name = written.partition(":")[0]
    if name == ORIGINAL:
        raise InputError(f"{written!r}: {ORIGINAL} is no variant that is made")
    variant = find_variant(name)
    return Chosen(variant, read_settings("variant", written, variant.parameters))
