"""The catalogue: models by short names, as data in catalogue.toml. Light: no torch."""

from __future__ import annotations

import tomllib
from dataclasses import MISSING, dataclass, fields
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from vdb.recipe import Modality

_LIBRARIES = {"timm": "image", "transformers": "text", "sentence-transformers": "text"}
_POOLINGS = {"image": {"cls", "mean"}, "text": {"cls", "mean", "last"}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What the catalogue says of one model.

    Attributes
    ----------
    name : str
        What it is called here: ``vit-l``.
    library : str
        ``timm``, ``transformers`` or ``sentence-transformers``.
    id : str
        The library's own name for it: a timm model with its tag, or a repository.
    repository : str
        Where its weights lie on the hub.
    modality : {"image", "text"}
    family : str
        Models that belong together: ``ViT augreg``, ``Pythia``.
    licence : str
        Of the weights, as their publisher names it.
    layers : int
        How many vectors an item gets: one a block for images; the embedding and one a block for texts.
    widths : tuple of int
        Lengths of those vectors, each length named once, in order.
    parameters : float
        Millions.
    pooling : {"cls", "mean", "last"}
        The default.
    aliases : tuple of str
    prompt : str, optional
        What is put before each text.
    revision : str, optional
        Commit of the repository, where it is pinned.
    gated : bool
        Whether the hub asks for an accepted licence.
    """

    name: str
    library: str
    id: str
    repository: str
    modality: Modality
    family: str
    licence: str
    layers: int
    widths: tuple[int, ...]
    parameters: float
    pooling: str
    aliases: tuple[str, ...] = ()
    prompt: str | None = None
    revision: str | None = None
    gated: bool = False


@cache
def catalogue() -> dict[str, Card]:
    """Return every card by name, in the order of the file."""
    return parse(files("ingest").joinpath("catalogue.toml").read_text(encoding="utf-8"))


def find(name: str) -> Card:
    """Return the card of a name, an alias or the library's own name.

    Raises
    ------
    NotFoundError
        There is none; the nearest names are suggested.
    """
    cards = catalogue()
    by_alias = {n: card for card in cards.values() for n in (card.name, *card.aliases, card.id)}
    if name not in by_alias:
        hint = "`vdb models` lists them; a library id (hf:REPO, st:REPO, timm:NAME) or a directory does as well"
        raise NotFoundError.named("model", name, by_alias, hint)
    return by_alias[name]


def parse(text: str) -> dict[str, Card]:
    """Read a catalogue.

    Each ``[[family]]`` holds the fields that its models share, and a list ``models`` of the fields that they do not;
    the family's ``name`` becomes each model's ``family``.

    Raises
    ------
    InputError
        A field is unknown, missing or out of range, or two models answer to one name.
    """
    cards: dict[str, Card] = {}
    taken: dict[str, str] = {}
    for family in tomllib.loads(text)["family"]:
        shared = {key: value for key, value in family.items() if key not in {"name", "models"}}
        for entry in family["models"]:
            card = _card({"family": family["name"], **shared, **entry})
            for name in (card.name, *card.aliases):
                if name in taken:
                    raise InputError(
                        f"catalogue: {taken[name]} and {card.name} both answer to {name!r}"
                    )
                taken[name] = card.name
            cards[card.name] = card
    return cards


def _card(entry: dict[str, Any]) -> Card:
    name = entry.get("name", "a model without a name")
    library = entry.get("library", "")
    if library not in _LIBRARIES:
        raise InputError(
            f"catalogue: {name}: no library {library!r}; there are: {', '.join(_LIBRARIES)}"
        )
    entry = {"modality": _LIBRARIES[library], "repository": _repository(entry), **entry}
    entry["widths"] = tuple(entry.get("widths", ()))
    entry["aliases"] = tuple(entry.get("aliases", ()))
    known = {field.name for field in fields(Card)}
    required = {field.name for field in fields(Card) if field.default is MISSING}
    for problem, names in (("unknown", entry.keys() - known), ("missing", required - entry.keys())):
        if names:
            raise InputError(f"catalogue: {name}: {problem} field {', '.join(sorted(names))}")
    card = Card(**entry)
    if card.pooling not in _POOLINGS[card.modality]:
        raise InputError(f"catalogue: {name}: no pooling {card.pooling!r} for {card.modality}s")
    if card.layers < 1 or not card.widths or min(card.widths) < 1 or card.parameters <= 0:
        raise InputError(f"catalogue: {name}: layers, widths and parameters must be positive")
    return card


def _repository(entry: dict[str, Any]) -> str:
    """Timm publishes each model under its own name."""
    return f"timm/{entry.get('id')}" if entry.get("library") == "timm" else str(entry.get("id"))
