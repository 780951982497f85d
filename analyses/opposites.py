"""What stands opposite the vision layers: the language space, and the controls in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
import torch

from analyses.controls import BAG_OF_WORDS, MISMATCHED, bag_of_words, latent_words, mismatch
from analyses.matching import mean_rows
from vdb.recipe import Layer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from analyses.matching import Matched
    from vdb.database import Database
    from vdb.space import Space


@dataclass(frozen=True, slots=True)
class Opposite:
    """One of them.

    Attributes
    ----------
    name : str
        The space's, or the control's that has no space.
    control : str
        ``none`` for the language space itself.
    fingerprint : str
        Of the space; empty without one.
    layers : sequence of Layer
    values : list of (n, width) float32 tensors
        One a layer, row for row with the images.
    """

    name: str
    control: str
    fingerprint: str
    layers: Sequence[Layer]
    values: list[torch.Tensor]


def opposite(
    db: Database,
    language: Space,
    rows: Matched,
    controls: Sequence[str],
    seed: int,
    device: str,
) -> list[Opposite]:
    """Read the language layers, and make the controls' of the captions and of them.

    Returns
    -------
    list of Opposite
        The language space first.
    """
    texts = [torch.from_numpy(y).to(device) for y in mean_rows(language, rows.caption_ids)]
    own = Opposite(language.name, "none", language.recipe.fingerprint, language.layers, texts)
    found = [own]
    if BAG_OF_WORDS in controls:
        counts = bag_of_words(_texts(db, rows.caption_ids))
        forms = {"word counts": counts, "tf-idf components": latent_words(counts)}
        bags = tuple(Layer(name, form.shape[1], 0.0) for name, form in forms.items())
        values = [torch.from_numpy(form).to(device) for form in forms.values()]
        found.append(Opposite(BAG_OF_WORDS, BAG_OF_WORDS, "", bags, values))
    if MISMATCHED in controls:
        partner = torch.from_numpy(mismatch(rows.groups, seed)).to(device)
        wrong = [layer[partner] for layer in texts]
        found.append(replace(own, control=MISMATCHED, values=wrong))
    return found


def _texts(db: Database, caption_ids: Sequence[Sequence[str]]) -> list[list[str]]:
    wanted = pl.DataFrame(
        {"caption_id": sorted({one for row in caption_ids for one in row})}
    ).lazy()
    found = db.captions().select("caption_id", "text").join(wanted, on="caption_id", how="semi")
    text = dict(found.collect().iter_rows())
    return [[text[one] for one in row] for row in caption_ids]
