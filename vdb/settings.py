"""Settings in a name, ``patch-shuffle:grid=14``, ``rsa:distance=cosine``: one grammar for variants and for metrics."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from vdb.errors import InputError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Mapping

Setting = int | float | str

_SETTING = re.compile(r":(?=[^:=]*=)")  # a value may hold a colon: tagger=spacy:en_core_web_sm

_SPECIAL = re.compile(r"[%,=]|^\s+|\s+$")
"""A colon is not: what comes after one is a setting only up to the ``=`` that a value cannot have."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A setting that something with a name has.

    Attributes
    ----------
    default : int, float or str
        Also gives the type that a setting is read as.
    summary : str
        A few words: what it is, in which unit.
    low, high : float, optional
        Smallest and largest value of a number, both allowed.
    choices : tuple of str
        What a text may be; anything when empty.
    """

    default: Setting
    summary: str
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()

    def parse(self, name: str, text: str) -> Setting:
        """Read a setting.

        Raises
        ------
        InputError
            It is not of the default's type, out of range, or none of the choices.
        """
        try:
            value = type(self.default)(text)
        except ValueError:
            wanted = {int: "a whole number", float: "a number"}[type(self.default)]
            raise InputError(f"{name} must be {wanted}, not {text!r}") from None
        if isinstance(value, str):
            if self.choices and value not in self.choices:
                raise InputError(f"{name} must be one of {', '.join(self.choices)}, not {text!r}")
        elif not (
            (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        ):  # written so that NaN fails too
            raise InputError(f"{name} must be from {self.low} to {self.high}, not {text}")
        return value


def escaped(value: str) -> str:
    """Write the value of a setting so that nothing in it can be taken for another setting or name.

    >>> escaped("salt, pepper"), escaped("a:fill=blur"), escaped("spacy:en_core_web_sm")
    ('salt%2C pepper', 'a:fill%3Dblur', 'spacy:en_core_web_sm')
    """
    return _SPECIAL.sub(lambda found: quote(found.group(), safe=""), value)


def write_name(
    name: str, settings: Mapping[str, Setting], parameters: Mapping[str, Parameter]
) -> str:
    """Write a name with each setting that is not the default: however it was written, one choice has one name."""
    told = [
        f"{key}={escaped(str(value))}"
        for key, value in settings.items()
        if value != parameters[key].default
    ]
    return ":".join([name, *told])


def read_settings(
    kind: str, written: str, parameters: Mapping[str, Parameter]
) -> dict[str, Setting]:
    """Read the settings of ``NAME:SETTING=VALUE:...``, a value as :func:`escaped` writes it.

    Parameters
    ----------
    kind : str
        What has the name, for messages: ``variant``, ``metric``.
    written : str
    parameters : mapping of str to Parameter
        Those that what is called NAME has.

    Returns
    -------
    dict of str to int, float or str
        All of them, in the order of ``parameters``.

    Raises
    ------
    NotFoundError
        There is no such setting; near misses are suggested.
    InputError
        A setting is malformed or out of range, or stands twice.
    """
    name, colon, rest = written.partition(":")
    given: dict[str, str] = {}
    for setting in _SETTING.split(rest) if colon else ():
        key, equals, value = setting.partition("=")
        if not (key and equals and value):
            raise InputError(f"{kind} {written!r}: {setting!r} is not SETTING=VALUE")
        if key not in parameters:
            raise NotFoundError.named("setting", key, parameters, place=f"of {kind} {name!r}")
        if key in given:
            raise InputError(f"{kind} {written!r}: {key} stands twice")
        given[key] = unquote(value)
    return {
        key: parameter.parse(f"{kind} {name!r}: {key}", given[key])
        if key in given
        else parameter.default
        for key, parameter in parameters.items()
    }
