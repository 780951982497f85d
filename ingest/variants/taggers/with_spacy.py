"""A spaCy pipeline as a tagger."""

from __future__ import annotations

import hashlib
from importlib import import_module
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

from ingest.variants.base import Token
from ingest.variants.taggers.base import Tagger
from ingest.variants.taggers.registry import installed_spacy_model
from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from types import ModuleType

_UNUSED = ["ner", "parser", "senter"]  # what parts of speech and lemmas do not need
_FORMS = {"Fin": "finite", "Inf": "infinitive", "Part": "participle", "Ger": "participle"}


def load(argument: str) -> Tagger:
    """Load a pipeline: a package, a directory, or the English model that is installed.

    Raises
    ------
    NotFoundError
        spaCy or the model is not installed.
    InputError
        The model cannot be loaded, or gives no parts of speech.
    """
    try:
        spacy = import_module("spacy")
    except ImportError as error:
        raise NotFoundError("spaCy is not installed: pip install 'vdb[spacy]'") from error
    model = argument or installed_spacy_model()
    if model is None:
        raise NotFoundError(
            "no English model of spaCy is installed: python -m spacy download en_core_web_sm, "
            "or name another as spacy:MODEL"
        )
    return SpacyTagger(spacy, model)


class SpacyTagger(Tagger):
    """A pipeline of spaCy; one text at a time, since pipelines are not promised to be safe in threads."""

    def __init__(self, spacy: ModuleType, model: str) -> None:
        self._pipeline = _load_pipeline(spacy, model)
        meta = self._pipeline.meta
        self.name = "spacy"
        self.version = f"{spacy.__version__} {meta['lang']}_{meta['name']} {meta['version']}"
        if Path(model).is_dir():  # what one trains oneself keeps its version
            self.version += f" {_digest(Path(model))}"
        self._lock = Lock()
        if all(token.tag == "X" for token in self.tag("A dog runs.")):
            raise InputError(f"the spaCy model {model!r} tells no parts of speech")

    def tag(self, text: str) -> tuple[Token, ...]:
        """Return the words and marks of a text, in order; what lies between them is white space."""
        with self._lock:
            document = self._pipeline(text)
        return tuple(_token(token) for token in document if not token.is_space)


def _token(token: Any) -> Token:  # noqa: ANN401 - spaCy is an extra
    form = _FORMS.get("".join(token.morph.get("VerbForm")[:1]), "")
    plural = "Plur" in token.morph.get("Number") and token.pos_ in {"NOUN", "PROPN"}
    return Token(
        token.text,
        token.pos_ or "X",
        token.lemma_ or token.text.lower(),
        token.idx,
        plural,
        form if token.pos_ in {"VERB", "AUX"} else "",
    )


def _load_pipeline(spacy: ModuleType, model: str) -> Any:  # noqa: ANN401 - spaCy is an extra
    try:
        return spacy.load(model, exclude=_UNUSED)
    except OSError as error:
        raise NotFoundError(
            f"no spaCy model {model!r}: neither a package of that name nor a directory with a pipeline"
        ) from error
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"the spaCy model {model!r} cannot be loaded: {first}") from error


def _digest(directory: Path) -> str:
    """Return the first 12 hexadecimal digits of the SHA-256 of a directory's files and their names."""
    digest = hashlib.sha256()
    for path in sorted(path for path in directory.rglob("*") if path.is_file()):
        digest.update(f"{path.relative_to(directory).as_posix()}\0{path.stat().st_size}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]
