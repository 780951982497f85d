"""What every pair of layers chooses, trial by trial: one factorisation a source layer and fit, one product a pair."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch

from analyses.controls import BAG_OF_WORDS, bag_of_words, latent_words, mismatches
from analyses.forced_choice.trials import sides as sides_of
from analyses.matching import mean_rows
from analyses.metrics.choosing import agreement, choose, similarity
from analyses.metrics.ridge.predictions import FitTargets, predict_unseen
from vdb.recipe import Layer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from analyses.forced_choice.fits import Fit, Plan
    from analyses.forced_choice.trials import Trials
    from analyses.metrics.choosing import Similarity
    from vdb.database import Database
    from vdb.space import Space

    Tell = Callable[[], None]
    Asked = Mapping[str, tuple[Trials, Plan]]
    """By direction, trials and what their maps are fitted on: fits of the same pairs."""

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
    """All that trials need: both sides, and the control's language side where it is asked for."""

    vision: Side
    language: Side
    bag: Side | None


def one_layer(side: Side, layer: int) -> Side:
    """Return a side with one of its layers alone."""
    return replace(side, layers=[side.layers[layer]], values=[side.values[layer]])


def beside(language: Side, bag: Side | None) -> Side:
    """Lay the control's layers after those of the language space: what is fitted to both is factorised once."""
    if bag is None:
        return language
    layers, values = [*language.layers, *bag.layers], [*language.values, *bag.values]
    return replace(language, layers=layers, values=values)


def read_sides(
    db: Database,
    spaces: tuple[Space, Space],
    asked: Asked,
    controls: Sequence[str],
    device: str,
) -> Read:
    """Read the vectors of the pairs and of all trials' items; count the words of the captions for the control."""
    found: dict[str, set[str]] = {"image_id": set(), "caption_id": set()}
    for direction, (trials, _) in asked.items():
        query, candidate = sides_of(direction)
        found[query].update(trials.frame["query_id"])
        found[candidate].update(trials.frame["candidate_0"], trials.frame["candidate_1"])
    images, captions = sorted(found["image_id"]), sorted(found["caption_id"])
    plan = next(iter(asked.values()))[1]
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


def fits_of(asked: Asked) -> list[list[tuple[str, Fit]]]:
    """Gather the fits of all directions that are made of the same pairs: one factorisation answers them all."""
    same: dict[bytes, list[tuple[str, Fit]]] = {}
    for direction, (_, plan) in asked.items():
        for fit in plan.fits:
            same.setdefault(fit.train.tobytes(), []).append((direction, fit))
    return list(same.values())


def right_choices(
    vision: Side,
    language: Side,
    asked: Asked,
    *,
    fit: str,
    kind: Similarity,
    draws: int = 0,
    seed: int,
    tell: Tell,
) -> dict[str, NDArray[np.float32]]:
    """Say for every pair of layers and every trial whether the choice is that of people.

    A fit from the query's modality predicts the query in the candidates' space, and takes the candidate nearer to it;
    a fit the other way predicts both candidates in the query's space, and takes the one whose prediction is nearer to
    the query. Predictions and what they are compared with are taken less the mean of the target over the fit's pairs:
    what all items have in common is no preference.

    With ``draws`` the maps are fitted on pairs that do not belong together, so many times, all of one factorisation.

    Returns
    -------
    dict of (D, V, L, n) float32 arrays
        By direction: 1, 0, or 0.5 where the candidates cannot be told apart. D is 1, or ``draws``.
    """
    forward = fit == "vision->language"
    source, target = (vision, language) if forward else (language, vision)
    device = source.values[0].device
    plan = next(iter(asked.values()))[1]
    pairs = len(plan.image_ids)
    fitted = FitTargets.of([layer[:pairs] for layer in target.values])
    varies = [layer.amax(dim=0) != layer.amin(dim=0) for layer in target.values]
    shape = (draws or 1, len(vision.layers), len(language.layers))
    right = {
        direction: np.empty((*shape, len(trials)), np.float32)
        for direction, (trials, _) in asked.items()
    }
    for parts in fits_of(asked):
        rows = parts[0][1].train
        train = torch.from_numpy(rows).to(device)
        stacks = None
        if draws:
            groups = [plan.groups[i] for i in rows.tolist()]
            drawn = mismatches(groups, draws, np.random.default_rng(seed))
            stacks = [train[torch.from_numpy(one).to(device)] for one in drawn]
        questions = [
            _Asked.of(asked[direction][0], direction, part, source, target, forward=forward)
            for direction, part in parts
        ]
        test = torch.cat([question.test for question in questions])
        ends = np.cumsum([0, *(len(question.test) for question in questions)]).tolist()
        last = (len(stacks or [0]) - 1, len(target.layers) - 1)
        for one in predict_unseen(source.values, fitted, train, test, stacks=stacks):
            at = (one.source, one.target) if forward else (one.target, one.source)
            for (direction, part), question, start, end in zip(
                parts, questions, ends[:-1], ends[1:], strict=True
            ):
                choices = question.choices(
                    one.values[start:end],
                    target.values[one.target],
                    one.centre,
                    varies[one.target],
                    kind,
                )
                told = agreement(choices, question.labels)
                right[direction][one.stack, *at, part.trials] = told
            if (one.stack, one.target) == last:
                tell()
    return right


@dataclass(frozen=True, slots=True)
class _Asked:
    """The trials of one fit as rows of its predictions and of target layers, two of each: one a candidate."""

    test: torch.Tensor
    source: tuple[torch.Tensor, torch.Tensor]
    target: tuple[torch.Tensor, torch.Tensor]
    labels: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        trials: Trials,
        direction: str,
        part: Fit,
        source: Side,
        target: Side,
        *,
        forward: bool,
    ) -> _Asked:
        rows = trials.frame[part.trials]
        device = source.values[0].device
        queried = (sides_of(direction)[0] == "image_id") == forward
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
        return cls(tensor(test), (left, other), (truth, false), rows["label"].to_numpy())

    def choices(
        self,
        predictions: torch.Tensor,
        layer: torch.Tensor,
        centre: torch.Tensor,
        varies: torch.Tensor,
        kind: Similarity,
    ) -> NDArray[np.float32]:
        """Choose in every trial, a block of trials at a time: their vectors stand side by side."""
        found = []
        for start in range(0, len(self.source[0]), _BLOCK):
            rows = slice(start, start + _BLOCK)
            likeness = [
                similarity(
                    predictions[predicted[rows]],
                    # A constant unit's computed mean is off by rounding: it must not become a preference.
                    torch.where(varies, layer[truth[rows]].to(torch.float64) - centre, 0.0),
                    kind,
                )
                for predicted, truth in zip(self.source, self.target, strict=True)
            ]
            found.append(choose(*likeness))
        return np.concatenate(found)
