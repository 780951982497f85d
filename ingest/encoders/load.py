"""From what a user calls a model to an encoder: a catalogue name, a library id or a local directory."""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, cast

from ingest.catalogue import catalogue, find
from ingest.encoders.base import EncoderOptions, Target
from ingest.encoders.weights import read_json
from vdb.errors import ModelError, NotFoundError

if TYPE_CHECKING:
    from ingest.catalogue import Card
    from ingest.encoders.base import Encoder, Loader

LIBRARIES: dict[str, str] = {
    "timm": "ingest.encoders.timm_encoder",
    "hf": "ingest.encoders.transformers_encoder",
    "st": "ingest.encoders.sentence_encoder",
    "pixels": "ingest.encoders.pixel_statistics",
}
"""Prefix of a library id, and the module whose ``load`` answers it; imported when it is first needed."""

PREFIXES: dict[str, str] = {
    "timm": "timm",
    "transformers": "hf",
    "sentence-transformers": "st",
}
"""Prefix of each library that the catalogue names."""

PIXEL_STATISTICS = "pixel-statistics"
"""The one name that is no model's: a space of what images say without any (:mod:`ingest.encoders.pixel_statistics`)."""

ENTRY_POINT_GROUP = "vdb.encoders"
"""A package offers an encoder as ``prefix = "module:load"`` in this group; it answers to ``prefix:anything``."""

_ORGANISATION = {"st": "sentence-transformers/"}
"""Where a library looks for a repository that is named without an owner."""


def load_encoder(name: str, options: EncoderOptions | None = None) -> Encoder:
    """Load a model and make it ready to encode.

    Parameters
    ----------
    name : str
        A catalogue name (``vit-l``), a library id (``timm:vit_base_patch16_224.augreg_in21k``, ``hf:gpt2``,
        ``st:all-MiniLM-L6-v2``), a directory (``./my-vit``), or both (``hf:./my-model``).
    options : EncoderOptions, optional

    Raises
    ------
    NotFoundError
        No model has this name.
    ModelError
        It cannot be had or does not behave as its recipe says.
    """
    prefix, target = resolve(name)
    return _loader(prefix)(target, options or EncoderOptions())


def resolve(name: str) -> tuple[str, Target]:
    """Find which library loads ``name``, and what it loads; nothing is opened but a directory's config.

    Raises
    ------
    NotFoundError, ModelError
        As :func:`load_encoder`.
    """
    if name == PIXEL_STATISTICS:
        return "pixels", Target(name, name)
    prefix, colon, rest = name.partition(":")
    if colon and (prefix in LIBRARIES or prefix in _offered()):
        return prefix, _library_target(name, prefix, rest)
    if _looks_like_a_path(name) or (Path(name).is_dir() and name not in _names()):
        directory = _directory(name, name)
        return _library_of(directory, name), Target(directory.name, "", directory)
    if colon:
        raise NotFoundError.named(
            "library", prefix, [*LIBRARIES, *_offered()], "say hf:gpt2, for one"
        )
    if "/" in name and name not in _names():
        raise NotFoundError(
            f"no directory {name!r}; for a repository on the hub say hf:{name}, st:{name} or timm:{name}"
        )
    card = find(name)
    return PREFIXES[card.library], _card_target(card)


def _card_target(card: Card) -> Target:
    return Target(
        model=card.name,
        location=card.id,
        revision=card.revision,
        pooling=card.pooling,
        prompt=card.prompt,
        gated=card.gated,
    )


def _library_target(name: str, prefix: str, rest: str) -> Target:
    if not rest:
        raise ModelError(f"{name!r} names a library and no model; say {prefix}:MODEL")
    if prefix in LIBRARIES and (_looks_like_a_path(rest) or Path(rest).is_dir()):
        directory = _directory(rest, name)
        return Target(directory.name, "", directory)
    location = rest if "/" in rest else _ORGANISATION.get(prefix, "") + rest
    return Target(name, location)


def _looks_like_a_path(name: str) -> bool:
    return name.startswith((".", "~", "/")) or "\\" in name


def _directory(path: str, name: str) -> Path:
    directory = Path(path).expanduser().absolute()
    if directory.name in {"", ".."}:
        directory = directory.resolve()  # a link keeps the name that it is given
    if not directory.is_dir():
        raise ModelError(f"{name}: there is no such directory")
    return directory


def _library_of(directory: Path, name: str) -> str:
    """Tell by its files which library a directory is for."""
    if (directory / "modules.json").exists():
        return "st"
    if not (directory / "config.json").exists():
        raise ModelError(f"{name}: this directory holds no model: it has no config.json")
    config = read_json(directory / "config.json", name)
    if "architecture" in config:
        return "timm"
    if "model_type" in config or "auto_map" in config:
        return "hf"
    raise ModelError(
        f"{name}: cannot tell which library this directory is for; its config.json has neither an architecture "
        "(timm) nor a model_type (transformers), and there is no modules.json (sentence-transformers)"
    )


def _loader(prefix: str) -> Loader:
    if prefix in LIBRARIES:
        return cast("Loader", import_module(LIBRARIES[prefix]).load)
    (entry,) = entry_points(group=ENTRY_POINT_GROUP, name=prefix)
    return cast("Loader", entry.load())


def _offered() -> list[str]:
    return sorted(entry_points(group=ENTRY_POINT_GROUP).names)


def _names() -> set[str]:
    return {n for card in catalogue().values() for n in (card.name, *card.aliases, card.id)}
