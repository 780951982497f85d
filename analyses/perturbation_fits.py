"""How a map meets what is altered: fitted on the originals and transferred, or fitted again.

Three words in the column ``fit``: ``transfer``, a map of the originals applied to altered held-out rows; ``refit``, a
map fitted and scored on altered rows; ``recomputed``, a metric that has no map to transfer, computed again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from analyses.matching import check_choice
from vdb.errors import InputError

if TYPE_CHECKING:
    from analyses.metrics import ChosenMetric

Fit = Literal["both", "transfer", "refit"]

TRANSFER, REFIT, RECOMPUTED = "transfer", "refit", "recomputed"

_TRANSFERRED = "linear-predictivity"
_KNOWN = ("alphas", "scale")
"""Settings that :mod:`analyses.metrics.transfer` has too."""


def fits(metric: ChosenMetric, asked: Fit) -> tuple[str, ...]:
    """Return what the column ``fit`` will hold.

    Raises
    ------
    NotFoundError
        There is no such fit.
    InputError
        Transfer alone was asked of a metric, or of settings, for which it is not defined.
    """
    check_choice("fit", asked, get_args(Fit))
    why = _not_transferred(metric)
    again = REFIT if metric.metric.name == _TRANSFERRED else RECOMPUTED
    if why is None:
        return {"both": (TRANSFER, again), "transfer": (TRANSFER,), "refit": (again,)}[asked]
    if asked == "transfer":
        raise InputError(f"{metric.name}: {why}; ask for --fit refit")
    return (again,)


def transfer_settings(metric: ChosenMetric) -> dict[str, Any]:
    """Return the settings of the metric that a transfer takes."""
    return {name: value for name, value in metric.settings.items() if name in _KNOWN}


def _not_transferred(metric: ChosenMetric) -> str | None:
    if metric.metric.name != _TRANSFERRED:
        return f"no map is fitted that could be transferred, as {_TRANSFERRED} fits one"
    defaults = metric.metric.parameters
    other = [
        name
        for name, value in metric.settings.items()
        if name not in _KNOWN and value != defaults[name].default
    ]
    if other:
        return f"transfer has one alpha by leave-one-out and no setting {', '.join(other)}"
    return None
