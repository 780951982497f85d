"""Every tagger by its name, and which one is taken when none is named."""

from __future__ import annotations

import re
from functools import partial
from importlib import import_module
from importlib.metadata import entry_points
from importlib.util import find_spec
from threading import Lock
from typing import TYPE_CHECKING, Final

from ingest.variants.taggers.base import Tagger
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.variants.naming import Chosen

AUTO: Final = "auto"
GROUP: Final = "vdb.taggers"
SPACY_MODELS: Final = ("en_core_web_lg", "en_core_web_md", "en_core_web_sm", "en_core_web_trf")
"""spaCy's English models in the order in which ``auto`` takes them: by accuracy, but the slow one last."""


def _load(module: str, argument: str) -> Tagger:
    loaded = import_module(module).load(argument)
    if not isinstance(loaded, Tagger):
        raise InputError(f"{module} gives no tagger")
    return loaded


TAGGERS: Final[dict[str, Callable[[str], Tagger]]] = {
    "hanta": partial(_load, "ingest.variants.taggers.hanta"),
    "spacy": partial(_load, "ingest.variants.taggers.with_spacy"),
}
"""Name -> what loads it from what stands after the colon (``spacy:MODEL``), which may be empty."""

_loaded: dict[str, Tagger] = {}
_loading = Lock()


def find_tagger(name: str = AUTO) -> Tagger:
    """Return a tagger; each is loaded once.

    Parameters
    ----------
    name : str
        ``hanta``; ``spacy`` for the English model of spaCy that is installed, or ``spacy:MODEL`` for a package or
        directory; ``auto`` for spaCy when one of its English models is installed and HanTa otherwise; or one that a
        package offers under ``vdb.taggers``: a function from what stands after the colon to a :class:`Tagger`.

    Raises
    ------
    NotFoundError
        There is no such tagger or model.
    InputError
        What is offered under that name cannot be loaded, or is no tagger.
    """
    if name == AUTO:
        name = "spacy" if installed_spacy_model() else "hanta"
    with _loading:
        if name not in _loaded:
            scheme, _, argument = name.partition(":")
            _loaded[name] = _loader(scheme)(argument)
        return _loaded[name]


def tagger_of(chosen: Chosen) -> Tagger | None:
    """Return the tagger that a variant was chosen with: its setting ``tagger``; None where it needs none."""
    if not chosen.variant.needs & {"tagger", "vocabulary"}:
        return None
    return find_tagger(str(chosen.settings.get("tagger", AUTO)))


def installed_spacy_model() -> str | None:
    """Return the first English model of spaCy that is installed, or None."""
    if find_spec("spacy") is None:
        return None
    return next((model for model in SPACY_MODELS if find_spec(model)), None)


def _loader(scheme: str) -> Callable[[str], Tagger]:
    if scheme in TAGGERS:
        return TAGGERS[scheme]
    offered = {point.name: point for point in entry_points(group=GROUP)}
    if scheme not in offered:
        raise NotFoundError.named("tagger", scheme, [AUTO, *TAGGERS, *offered])
    point = offered[scheme]
    return partial(_offered, scheme, re.sub(r"\s", "", point.value), point.load)


def _offered(
    scheme: str, place: str, load: Callable[[], Callable[[str], Tagger]], argument: str
) -> Tagger:
    try:
        tagger = load()(argument)
    except Exception as error:
        raise InputError(f"the tagger {scheme!r} of {place!r} cannot be loaded: {error}") from error
    if not isinstance(tagger, Tagger):
        raise InputError(f"{place!r} in {GROUP} gives no Tagger")
    return tagger
