"""HanTa as a tagger: English, offline, a model of 2 MB that comes with its package.

Its C5 tags are mapped to universal parts of speech by ``c5.toml``. The words are cut by
:mod:`ingest.variants.taggers.words`. HanTa never sees what has no Latin letter or digit, nor a word of more than 40
characters (its time grows with the square): such words are ``X``, and stand there as an unknown word for their
neighbours.
"""

from __future__ import annotations

import tomllib
import unicodedata
from functools import lru_cache
from importlib import import_module
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ingest.variants.base import Token
from ingest.variants.taggers.base import Tagger
from ingest.variants.taggers.words import Word, cut, is_word
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_RULES: Final = 2  # raised when the cutting, the table or the rules below give other tokens
_MODEL: Final = "morphmodel_en.pgz"
_LONGEST_WORD: Final = 40
_LONGEST_SENTENCE: Final = 200  # words; its search adds logarithms up
_STAND_IN: Final = "thing"

_TABLE: Final[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parent / "c5.toml").read_text(encoding="utf-8")
)
_UNIVERSAL: Final[dict[str, str]] = {
    c5: tag for tag, group in _TABLE["tags"].items() for c5 in group.split()
}
_FORMS: Final[dict[str, str]] = _TABLE["forms"]
_PLURAL: Final = {key: frozenset(words.split()) for key, words in _TABLE["plural"].items()}


def load(argument: str) -> Tagger:
    """Load HanTa; it has no models to choose from.

    Raises
    ------
    InputError
        ``argument`` is not empty.
    """
    if argument:
        raise InputError(f"the tagger 'hanta' has one model: write hanta, not hanta:{argument}")
    return HantaTagger()


class HantaTagger(Tagger):
    """HanTa's English model. Safe in threads: HanTa writes to nothing once it is loaded."""

    def __init__(self) -> None:
        self.name = "hanta"
        self.version = f"{version('hanta')}+{_RULES}"
        self._model: Any = import_module("HanTa.HanoverTagger").HanoverTagger(_MODEL)
        self._lemma = lru_cache(maxsize=20_000)(self._analysed)

    def tag(self, text: str) -> tuple[Token, ...]:
        """Return the words and marks of a text, in order; what lies between them is white space."""
        cased = any(map(str.islower, text))  # in a text all in capitals they say nothing
        return tuple(
            token
            for sentence in _sentences(cut(text))
            for token in self._tagged(sentence, cased=cased)
        )

    def _tagged(self, words: Sequence[Word], *, cased: bool) -> Iterator[Token]:
        seen = [_readable(word.text) for word in words]
        asked = [one or _STAND_IN for one in seen]
        tags = self._model.tag_sent(asked, 0, cased)
        for i, (word, c5) in enumerate(zip(words, tags, strict=True)):
            if not is_word(word.text):
                yield Token(word.text, _mark(word.text), word.text, word.start)
            elif not seen[i]:
                yield Token(word.text, "X", word.text.lower(), word.start)
            else:
                tag = _universal(tags, i)
                lemma = self._lemma(asked[i].lower(), c5)
                plural = tag == "NOUN" and _is_plural(asked, tags, i, lemma)
                form = _form(tags, i) if tag in {"VERB", "AUX"} else ""
                yield Token(word.text, tag, lemma, word.start, plural, form)

    def _analysed(self, word: str, c5: str) -> str:
        """Return the lemma of a word that is tagged so."""
        lemma, _ = self._model.analyze(word, c5, 1)
        return str(lemma).lower()


def _readable(word: str) -> str:
    """Write a word as HanTa can read it: without accents; empty when it cannot."""
    if len(word) > _LONGEST_WORD:
        return ""
    plain = unicodedata.normalize("NFKD", word.replace("\u2019", "'"))
    plain = plain.encode("ascii", "ignore").decode()
    whole = is_word(plain) or not is_word(word)
    return plain if whole and plain.strip() else ""


def _mark(text: str) -> str:
    return "PUNCT" if unicodedata.category(text[0])[0] == "P" else "SYM"


def _universal(tags: Sequence[str], i: int) -> str:
    """Map a C5 tag: do is an auxiliary of a bare verb that follows, have of a participle."""
    c5 = tags[i]
    following = {"VD": "IB", "VH": "N"}.get(c5[:2])
    if following:
        rest = [t for t in tags[i + 1 :] if t not in {"XX0", "AV0", "PNP"}]
        if rest and rest[0][0] == "V" and rest[0][-1] in following:
            return "AUX"
    return _UNIVERSAL.get(c5, "X")


def _form(tags: Sequence[str], i: int) -> str:
    """Tell a verb's form; HanTa's infinitive is finite where no verb and no ``to`` stands before (``dogs run``)."""
    form = _FORMS.get(tags[i][-1], "")
    bare = not any(tag == "TO0" or tag[0] == "V" for tag in tags[:i])
    return "finite" if form == "infinitive" and bare else form


def _is_plural(words: Sequence[str], tags: Sequence[str], i: int, lemma: str) -> bool:
    """Tell a noun's number; one of a single form is plural after ``three`` and singular after ``a``."""
    word = words[i].lower()
    if word in _PLURAL["words"]:
        return True
    if tags[i] in _PLURAL["always"]:
        return word != lemma or word.endswith("s")  # HanTa calls some unknown singulars plural
    if tags[i] not in _PLURAL["by_context"]:
        return False
    phrase = takewhile(
        lambda j: tags[j][:2] in {"AJ", "CR", "DT", "AT", "NN"}, range(i - 1, -1, -1)
    )
    before = [(words[j].lower(), tags[j]) for j in phrase]
    if any(word in _PLURAL["singular_after"] for word, _ in before):
        return False
    return any(c5 == "CRD" or word in {"these", "those", "many", "several"} for word, c5 in before)


def _sentences(words: list[Word]) -> Iterator[list[Word]]:
    """Part sentences: after a final mark that a capital follows."""
    start = 0
    for i in range(1, len(words) + 1):
        ends = i == len(words) or i - start == _LONGEST_SENTENCE
        if ends or (words[i - 1].text[0] in ".!?" and words[i].text[0].isupper()):
            yield words[start:i]
            start = i
