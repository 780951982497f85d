"""What a variant is: an item altered on purpose, by a pure function of the item, its settings and a seed.

A variant belongs to the registry (:data:`ingest.variants.VARIANTS`) or comes from an entry point in the group
``vdb.variants``. What is asked for on the command line, ``patch-shuffle:grid=14``, is a variant with settings:
a :class:`Chosen`.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from vdb.errors import VdbError
from vdb.settings import Parameter, Setting

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray
    from PIL import Image

    from vdb.recipe import Modality

Kind = Literal["appearance", "semantic"]
"""Whether only what an item looks or reads like is altered, or also what is in it or said by it."""

Need = Literal["masks", "tagger", "vocabulary"]
"""What a variant has to know beyond the item itself."""


class Inapplicable(VdbError):  # noqa: N818 - not an error: the item has nothing to alter
    """An item cannot have a variant: it has no mask, no noun, no number. Counted and told, never a failure."""


SEED = Parameter(0, "seed of everything random", low=0, high=2**63 - 1)
"""The parameter of every variant that draws."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One mask of an image.

    Attributes
    ----------
    category : str
    is_thing : bool
        A thing is countable (a dog); stuff is not (grass).
    is_crowd : bool
        Many things under one mask.
    mask : (height, width) array of bool
        In the pixels of the decoded image, and of its size.
    """

    category: str
    is_thing: bool
    is_crowd: bool
    mask: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class ImageItem:
    """What a variant of an image sees.

    Attributes
    ----------
    item_id : str
    image : PIL.Image.Image
        Upright 8-bit RGB; not to be changed in place.
    segments : tuple of Segment
        For variants that need ``masks``: never empty then, all of the segmentation that the setting ``masks`` names.
    """

    item_id: str
    image: Image.Image
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True)
class Token:
    """One word or mark of a caption.

    Attributes
    ----------
    text : str
        As it stands in the caption.
    tag : str
        Universal part of speech (universaldependencies.org/u/pos): NOUN, VERB, ADJ, DET, ADP, PUNCT, ...
    lemma : str
        The form a dictionary has.
    start : int
        Index of its first character in the caption; what lies between tokens is white space.
    plural : bool
        Of a noun: whether its form is plural.
    form : {"", "finite", "infinitive", "participle"}
        Of a verb or auxiliary, where the tagger tells it; a participle is in -ing too.
    """

    text: str
    tag: str
    lemma: str
    start: int
    plural: bool = False
    form: str = ""


@dataclass(frozen=True, slots=True)
class TextItem:
    """What a variant of a caption sees.

    Attributes
    ----------
    item_id : str
    text : str
    tokens : tuple of Token
        For variants that need a ``tagger``; empty otherwise.
    vocabulary : mapping of str to tuple
        For variants that need a ``vocabulary``: words of the item's data set by what they can stand in for, and how
        often they stand there, as :mod:`ingest.variants.vocabulary` makes it.
    """

    item_id: str
    text: str
    tokens: tuple[Token, ...] = ()
    vocabulary: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to alter items.

    Attributes
    ----------
    name : str
        Lower case, words joined by dashes: ``patch-shuffle``.
    modality : {"image", "text"}
    kind : {"appearance", "semantic"}
    summary : str
        One line, for lists and docs.
    apply : callable
        ``apply(item, rng, **settings)`` gives the altered PIL image (RGB) or text. Pure: no state, no clock, nothing
        random but ``rng``; safe in threads. Raises :class:`Inapplicable` where there is nothing to alter.
    parameters : mapping of str to Parameter
        With :data:`SEED` under ``seed`` where ``apply`` draws, ``tagger`` and ``masks`` where it needs those (``apply``
        itself is not handed these three: they come to it as the generator, the tokens and the segments).
    needs : frozenset of str
    version : int
        Raised whenever the same settings give another outcome: a part of the fingerprint.
    libraries : callable
        From the settings to the packages whose version decides the outcome, for the fingerprint: those that resample,
        blur, convert or compress (Pillow, with the JPEG library that its wheels hold), inpaint (OpenCV) or transform
        (SciPy). Not what the definition of an operation decides alone: a mirrored or mapped pixel, a maximum. An
        upgrade that changes no pixel is refused too, as nobody can tell: the recipes of image encoders hold Pillow's
        version as well, so a space does not outlive it in either way. NumPy is none of them: what it draws from a seed
        is held to fixed numbers by a test, and ``version`` is raised should it ever draw others.
    """

    name: str
    modality: Modality
    kind: Kind
    summary: str
    apply: Callable[..., Any]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    needs: frozenset[Need] = frozenset()
    version: int = 1
    libraries: Callable[[Mapping[str, Setting]], tuple[str, ...]] = lambda settings: ()  # noqa: ARG005


def by_pillow(_: Mapping[str, Setting]) -> tuple[str, ...]:
    """Name Pillow as what decides the outcome, whatever the settings: the ``libraries`` of a variant."""
    return ("pillow",)


def rng_of(name: str, seed: int, item_id: str) -> np.random.Generator:
    """Make the generator of one item under one variant: the same in any order, process and batch."""
    digest = hashlib.sha256(f"{name}\0{seed}\0{item_id}".encode()).digest()
    return np.random.default_rng(np.frombuffer(digest, np.uint32))
