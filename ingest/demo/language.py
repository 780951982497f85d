"""Saying a scene in the invented language, always with an English reading beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ingest.demo.lexicon import DOES, ENDINGS, ROOTS, SYNONYMS
from ingest.demo.scenes import relation, side

if TYPE_CHECKING:
    from collections.abc import Callable

    from ingest.demo.dice import Dice
    from ingest.demo.scenes import Scene, Thing

_MENTION: Final = 0.92  # chance that a caption mentions a thing,
_SETTING: Final = 0.6  # the background,
_SIZE, _COLOUR, _TEXTURE = 0.3, 0.15, 0.5  # and an attribute of a thing it mentions
_SIZED_ENDING: Final = 0.5
_LENGTH: Final = 6  # sentences of a document
_CAPTIONS: Final = 0.4  # of them captions, after the first, which always is one


class Phrase(NamedTuple):
    """Words in the language, and what they say in English."""

    text: str
    gloss: str


_FULL_STOP, _COMMA = Phrase(".", "."), Phrase(",", ",")


def caption(scene: Scene, dice: Dice) -> Phrase:
    """Describe a scene: most of its things, where they are, often their looks and the background."""
    first, *rest = dice.shuffled(
        [thing for thing in scene.things if dice.chance(_MENTION)] or [dice.choose(scene.things)]
    )
    parts = [_word(dice, "opening", ""), _described(first, dice)]
    if not rest:
        parts += [_side(first, dice)] if dice.chance(0.7) else []
    elif dice.chance(0.6):
        parts += [_relation(first, rest[0], dice), _described(rest[0], dice)]
    else:
        parts += [_side(first, dice), _same("and"), _described(rest[0], dice), _side(rest[0], dice)]
    if dice.chance(_SETTING):
        parts.append(_setting(scene, dice))
    for thing in rest[1:]:
        parts += [_COMMA, _described(thing, dice)]
        if dice.chance(0.5):
            parts.append(_side(thing, dice))
        else:
            parts += [_relation(thing, rest[0], dice), _named(rest[0], "the", dice)]
    return _say(*parts, _FULL_STOP)


def document(scene: Scene, dice: Dice) -> str:
    """Write a few sentences about one scene: captions of it, and statements about its things."""
    said = [caption(scene, dice)]
    while len(said) < _LENGTH:
        said.append(caption(scene, dice) if dice.chance(_CAPTIONS) else statement(scene, dice))
    return " ".join(phrase.text for phrase in said)


def statement(scene: Scene, dice: Dice) -> Phrase:
    """Say one thing about one thing of a scene."""
    kind = dice.weighted(tuple(_STATEMENTS), tuple(_STATEMENTS.values()))
    return _say(*kind(scene, dice.choose(scene.things), dice), _FULL_STOP)


def _does(_: Scene, thing: Thing, dice: Dice) -> list[Phrase]:
    # Either article, here and in captions, so that a verb may follow any name: the verbs are what tells
    # a reader of text alone which names mean the same.
    verb = dice.choose(DOES[thing.category][thing.size])
    return [_named(thing, dice.choose(("a", "the")), dice), _same(verb)]


def _is_sized(_: Scene, thing: Thing, dice: Dice) -> list[Phrase]:
    return [_named(thing, "the", dice), _same("is"), _word(dice, "size", thing.size)]


def _is_textured(_: Scene, thing: Thing, dice: Dice) -> list[Phrase]:
    return [_named(thing, "the", dice), _same("is"), _word(dice, "texture", thing.texture)]


def _is_placed(_: Scene, thing: Thing, dice: Dice) -> list[Phrase]:
    return [_named(thing, "the", dice), _same("is"), _side(thing, dice)]


def _is_related(scene: Scene, thing: Thing, dice: Dice) -> list[Phrase]:
    others = [other for other in scene.things if other is not thing]
    if not others:
        return _is_placed(scene, thing, dice)
    other = dice.choose(others)
    how = _relation(thing, other, dice)
    return [_named(thing, "the", dice), _same("is"), how, _named(other, "the", dice)]


def _is_a(_: Scene, thing: Thing, dice: Dice) -> list[Phrase]:
    return [_named(thing, "a", dice), _same("is a kind of"), _named(thing, "", dice)]


def _is_set(scene: Scene, _: Thing, dice: Dice) -> list[Phrase]:
    return [_same("it is all"), _setting(scene, dice)]


_STATEMENTS: Final[dict[Callable[[Scene, Thing, Dice], list[Phrase]], float]] = {
    _does: 0.35,
    _is_textured: 0.15,
    _is_placed: 0.12,
    _is_a: 0.12,
    _is_sized: 0.1,
    _is_related: 0.1,
    _is_set: 0.06,
}


def _described(thing: Thing, dice: Dice) -> Phrase:
    """Name a thing after an article and what is said of its looks."""
    article = dice.choose(("a", "the"))
    size = _word(dice, "size", thing.size) if dice.chance(_SIZE) else None
    colour = _word(dice, "colour", thing.colour) if dice.chance(_COLOUR) else None
    texture = _word(dice, "texture", thing.texture) if dice.chance(_TEXTURE) else None
    name, size_told = _name(thing, dice)
    looks = [phrase for phrase in (size, colour, texture) if phrase]
    return Phrase(
        " ".join([article, *(look.text for look in looks), name]),
        _gloss(
            article,
            thing.size if size or size_told else "",
            thing.colour if colour else "",
            thing.texture if texture else "",
            thing.category,
        ),
    )


def _named(thing: Thing, article: str, dice: Dice) -> Phrase:
    """Name a thing after an article, or after none."""
    name, size_told = _name(thing, dice)
    size = thing.size if size_told else ""
    return Phrase(f"{article} {name}".strip(), _gloss(article, size, thing.category))


def _name(thing: Thing, dice: Dice) -> tuple[str, bool]:
    """Return a name of a thing, and whether its ending tells the size."""
    tells = dice.chance(_SIZED_ENDING)
    ending = dice.choose(ENDINGS[thing.size if tells else "neutral"])
    return dice.choose(ROOTS[thing.category]) + ending, tells


def _setting(scene: Scene, dice: Dice) -> Phrase:
    name = dice.choose(ROOTS[scene.background]) + dice.choose(ENDINGS["neutral"])
    where = _word(dice, "setting", "on the")
    return Phrase(f"{where.text} {name}", f"{where.gloss} {scene.background}")


def _relation(a: Thing, b: Thing, dice: Dice) -> Phrase:
    return _word(dice, "relation", relation(a, b))


def _side(thing: Thing, dice: Dice) -> Phrase:
    return _word(dice, "side", side(thing))


def _word(dice: Dice, kind: str, meaning: str) -> Phrase:
    """Say a meaning in one of its ways; what stands for nothing reads as itself."""
    text = dice.choose(SYNONYMS[kind][meaning])
    return Phrase(text, meaning or text)


def _same(text: str) -> Phrase:
    return Phrase(text, text)


def _say(*phrases: Phrase) -> Phrase:
    """Join phrases; punctuation is a word of the text, and closes up in the gloss."""
    text = " ".join(phrase.text for phrase in phrases if phrase.text)
    gloss = " ".join(phrase.gloss for phrase in phrases if phrase.gloss)
    return Phrase(text, gloss.replace(" ,", ",").replace(" .", "."))


def _gloss(*words: str) -> str:
    article, *rest = [word for word in words if word] if words[0] else ["", *filter(None, words)]
    if article == "a" and rest[0][0] in "aeiou":
        article = "an"
    return " ".join([article, *rest]).strip()
