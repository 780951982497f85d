"""What a space holds: the recipe of its vectors, its fingerprint, and how two recipes differ."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from vdb.differences import differences

if TYPE_CHECKING:
    from collections.abc import Mapping

Modality = Literal["image", "text"]
StoredDtype = Literal["float16", "float32"]

CENTROIDS = "centroids"
"""Where a recipe's preprocessing says that, and of what, its vectors are centroids."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A named point in a model.

    Attributes
    ----------
    name : str
        The module path or state it is read from, e.g. ``blocks.11`` or ``hidden_states.12 (final norm)``.
    width : int
        Length of its vector.
    depth : float
        Relative depth in [0, 1]: 0 for the embedding, 1 for the last layer.
    """

    name: str
    width: int
    depth: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides the numbers in a space.

    Attributes
    ----------
    model : str
        The name it was asked for by: a catalogue name, a library id or a directory's name.
    library : str
        ``timm``, ``transformers``, ``sentence-transformers``, or an entry point's name.
    source : str
        Repository or content identity of the weights, never a machine's path.
    revision : str
        The exact commit of the repository, or ``sha256:...`` of a local checkpoint.
    weights : str
        ``pretrained``, or ``random-init:seed=0`` for an untrained twin.
    modality : {"image", "text"}
        What it encodes.
    pooling : {"cls", "mean", "last"}
        How the tokens of a layer become one vector.
    dtype : str
        Precision of the forward pass: ``float32``, ``bfloat16``, ``float16``.
    stored_dtype : {"float16", "float32"}
        Precision of the stored vectors.
    preprocessing : mapping
        Everything done to an item before the model: sizes, crop, interpolation, mean and std for images;
        padding, truncation and prompt for texts.
    versions : mapping
        Libraries whose version can change the numbers.
    layers : tuple of Layer
        In order of depth.
    parameters : int, optional
        Number of weights of the model, its size; None where nobody counted.
    """

    model: str
    library: str
    source: str
    revision: str
    weights: str
    modality: Modality
    pooling: str
    dtype: str
    stored_dtype: StoredDtype
    layers: tuple[Layer, ...]
    preprocessing: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    parameters: int | None = None

    def to_json(self) -> str:
        """Return the recipe as canonical JSON: keys sorted, no spaces to differ by."""
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Recipe:
        """Read what :meth:`to_json` wrote."""
        fields = json.loads(text)
        return cls(**{**fields, "layers": tuple(Layer(**layer) for layer in fields["layers"])})

    @property
    def fingerprint(self) -> str:
        """The first 16 hexadecimal digits of the SHA-256 of what decides the numbers.

        ``model`` is left out: it is what somebody called it, and two names may mean one recipe. So is ``parameters``,
        which follows from the rest.
        """
        told = json.loads(self.to_json())
        identity = {k: v for k, v in told.items() if k not in {"model", "parameters"}}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def architecture(self) -> tuple[object, ...]:
        """What a trained model and its random-init twin have in common."""
        return self.library, self.source, self.modality, self.pooling, self.layers

    def differences(self, other: Recipe) -> list[str]:
        """Name each field in which ``other`` differs, as ``field: this -> that``."""
        mine, theirs = (
            json.loads(replace(one, model="", parameters=None).to_json()) for one in (self, other)
        )
        return differences(mine, theirs)
