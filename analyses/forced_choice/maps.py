"""What every pair of layers chooses, trial by trial: one factorisation a source layer and fit, one product a pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.controls import BAG_OF_WORDS, MISMATCHED, bag_of_words, latent_words, mismatches
from analyses.forced_choice.trials import sides as sides_of
from analyses.matching import mean_rows
from analyses.metrics.choosing import agreement, choose, similarity
from analyses.metrics.ridge_predictions import FitTargets, predict_unseen
from vdb.recipe import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from analyses.forced_choice.fits import Fit, Plan
    from analyses.forced_choice.trials import Trials
    from analyses.metrics.choosing import Similarity
    from analyses.metrics.ridge_predictions import Predicted
    from vdb.database import Database
    from vdb.space import Space

    Tell = Callable[[], None]

FITS = ("language->vision", "vision->language")
DRAWS = 10
"""Mismatches that the control is averaged over: one map of wrong pairs leans somewhere, and all its choices with it."""
_BLOCK = 4096


@dataclass(frozen=True, slots=True)
class Side:
    """One side's layers over the pairs and, below them, over the items of the trials.

    Attributes
    ----------
    name, fingerprint : str
        Of the space; a control's own, and empty, where there is none.
    layers : sequence of Layer
    values : list of (pairs + items, width) float32 tensors
        One a layer.
    at : dict
        The row of each item of the trials.
    """

    name: str
    fingerprint: str
    layers: Sequence[Layer]
    values: list[torch.Tensor]
    at: dict[str, int]


@dataclass(frozen=True, slots=True)
class Read:
    """All that the trials of one direction need: both sides, and the control's language side where it is asked for."""

    vision: Side
    language: Side
    bag: Side | None


def one_layer(side: Side, layer: int) -> Side:
    """Return a side with one of its layers alone."""
    return replace(side, layers=[side.layers[layer]], values=[side.values[layer]])


def read_sides(
    db: Database,
    spaces: tuple[Space, Space],
    plan: Plan,
    trials: Trials,
    direction: str,
    controls: Sequence[str],
    device: str,
) -> Read:
    """Read the vectors of the pairs and of the trials' items; count the words of the captions for the control."""
    query, _ = sides_of(direction)
    asked = trials.frame["query_id"].unique().sort().to_list()
    both = {*trials.frame["candidate_0"].to_list(), *trials.frame["candidate_1"].to_list()}
    images, captions = sorted(both), asked
    if query == "image_id":
        images, captions = captions, images
    pairs = len(plan.image_ids)
    pictured = [[one] for one in (*plan.image_ids, *images)]
    said = [*plan.caption_ids, *([one] for one in captions)]
    vision, language = spaces

    def side(space: Space, ids: Sequence[Sequence[str]], items: Sequence[str]) -> Side:
        values = [torch.from_numpy(layer).to(device) for layer in mean_rows(space, ids)]
        at = {one: pairs + i for i, one in enumerate(items)}
        return Side(space.name, space.recipe.fingerprint, space.layers, values, at)

    right = side(language, said, captions)
    bag = None
    if BAG_OF_WORDS in controls:
        counts = bag_of_words(_texts(db, said))
        forms = {"word counts": counts, "tf-idf components": latent_words(counts)}
        bags = tuple(Layer(name, form.shape[1], 0.0) for name, form in forms.items())
        values = [torch.from_numpy(form).to(device) for form in forms.values()]
        bag = Side(BAG_OF_WORDS, "", bags, values, right.at)
    return Read(side(vision, pictured, images), right, bag)


def _texts(db: Database, caption_ids: Sequence[Sequence[str]]) -> list[list[str]]:
    text = dict(db.captions().select("caption_id", "text").collect().iter_rows())
    return [[text[one] for one in row] for row in caption_ids]


def steps(read: Read, plan: Plan, controls: Sequence[str]) -> int:
    """Count how often :func:`right_choices` will tell, over all controls and both fits."""
    languages = [read.language, *([read.bag] if read.bag else [])]
    maps = sum(len(read.vision.layers) + len(one.layers) for one in languages)
    return len(plan.fits) * (maps + (2 * DRAWS if MISMATCHED in controls else 0))


def right_choices(
    vision: Side,
    language: Side,
    plan: Plan,
    trials: Trials,
    *,
    direction: str,
    fit: str,
    kind: Similarity,
    mismatched: int | None = None,
    seed: int,
    tell: Tell,
) -> NDArray[np.float32]:
    """Say for every pair of layers and every trial whether the choice is that of people.

    A fit from the query's modality predicts the query in the candidates' space, and takes the candidate nearer to it;
    a fit the other way predicts both candidates in the query's space, and takes the one whose prediction is nearer to
    the query. Predictions and what they are compared with are taken less the mean of the target over the fit's pairs:
    what all items have in common is no preference.

    ``mismatched`` is a draw, from 0 to DRAWS - 1, of pairs that do not belong together, to fit on instead.

    Returns
    -------
    (V, L, n) float32 array
        1, 0, or 0.5 where the candidates cannot be told apart.
    """
    forward = fit == "vision->language"
    source, target = (vision, language) if forward else (language, vision)
    pairs = len(plan.image_ids)
    queried = (sides_of(direction)[0] == "image_id") == forward
    device = source.values[0].device
    fitted = FitTargets.of([layer[:pairs] for layer in target.values])
    labels = trials.frame["label"].to_numpy()
    right = np.empty((len(vision.layers), len(language.layers), len(trials)), np.float32)
    for part in plan.fits:
        asked = _Asked.of(trials, part, source, target, queried=queried, device=device)
        train = torch.from_numpy(part.train).to(device)
        partners = None
        if mismatched is not None:
            groups = [plan.groups[i] for i in part.train.tolist()]
            drawn = mismatches(groups, DRAWS, np.random.default_rng(seed))[mismatched]
            partners = train[torch.from_numpy(drawn).to(device)]
        predictions = predict_unseen(source.values, fitted, train, asked.test, partners=partners)
        for told, one in enumerate(predictions, 1):
            choices = asked.choices(one, target.values[one.target], kind)
            at = (one.source, one.target) if forward else (one.target, one.source)
            right[*at, part.trials] = agreement(choices, labels[part.trials])
            if told % len(target.layers) == 0:
                tell()
    return right


@dataclass(frozen=True, slots=True)
class _Asked:
    """The trials of one fit as rows of its predictions and of target layers, two of each: one a candidate."""

    test: torch.Tensor
    source: tuple[torch.Tensor, torch.Tensor]
    target: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def of(
        cls,
        trials: Trials,
        part: Fit,
        source: Side,
        target: Side,
        *,
        queried: bool,
        device: torch.device,
    ) -> _Asked:
        rows = trials.frame[part.trials]
        query, first, second = (
            rows[name].to_list() for name in ("query_id", "candidate_0", "candidate_1")
        )
        predicted = (query, query) if queried else (first, second)
        compared = (first, second) if queried else (query, query)
        test = sorted({source.at[one] for ids in predicted for one in ids})
        place = {row: i for i, row in enumerate(test)}

        def tensor(values: list[int]) -> torch.Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        left, other = (tensor([place[source.at[one]] for one in ids]) for ids in predicted)
        truth, false = (tensor([target.at[one] for one in ids]) for ids in compared)
        return cls(tensor(test), (left, other), (truth, false))

    def choices(self, one: Predicted, layer: torch.Tensor, kind: Similarity) -> NDArray[np.float32]:
        """Choose in every trial, a block of trials at a time: their vectors stand side by side."""
        found = []
        varies = layer.amax(dim=0) != layer.amin(dim=0)
        for start in range(0, len(self.source[0]), _BLOCK):
            rows = slice(start, start + _BLOCK)
            likeness = [
                similarity(
                    one.values[predicted[rows]],
                    # A constant unit's computed mean is off by rounding: it must not become a preference.
                    torch.where(varies, layer[truth[rows]].to(torch.float64) - one.centre, 0.0),
                    kind,
                )
                for predicted, truth in zip(self.source, self.target, strict=True)
            ]
            found.append(choose(*likeness))
        return np.concatenate(found)
