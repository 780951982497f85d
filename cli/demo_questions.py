"""The questions of ``vdb demo``, each with the command that asks it again."""

from __future__ import annotations

import shlex
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vdb.database import Database
    from vdb.progress import Progress

VISION, LANGUAGE = "demo-vision", "demo-language"
TWINS = {VISION: f"{VISION}-random", LANGUAGE: f"{LANGUAGE}-random"}

_IMAGES = ["grayscale", "hue", "patch-shuffle:grid=4", "object-removed", "stuff-only"]
VARIANTS = {
    VISION: _IMAGES,
    TWINS[VISION]: _IMAGES,
    LANGUAGE: ["scrambled", "nouns-only:tagger=demo"],
}
"""Of the scenes, by the space they are run into; captions have no alteration of looks that a twin could answer for."""

_PAIRS = list(product((VISION, TWINS[VISION]), (LANGUAGE, TWINS[LANGUAGE])))


def ask(db: Database, seed: int, watch: Progress) -> None:
    """Ask the four questions of the trained pair and, where a control is one, of its twins."""
    for vision, language in _PAIRS:
        _alignment(db, vision, language, seed, watch)
        _exemplar_avg(db, vision, language, seed, watch)
    for vision, language in _PAIRS[:3]:  # the twin of one side at a time
        _perturbation(db, vision, language, seed, watch)
    for vision, language in _PAIRS[:3]:
        _forced_choice(db, vision, language, seed, watch)


def _trained(vision: str, language: str) -> bool:
    return (vision, language) == (VISION, LANGUAGE)


def _command(db: Database, question: str, vision: str, language: str, *options: str) -> str:
    """Write the command; controls are asked of the trained pair alone."""
    spaces = ["--vision", vision, "--language", language]
    told = ["vdb", "analyze", question, *spaces, "--db", db.uri, *options]
    return shlex.join(told if _trained(vision, language) else [*told, "--control", "none"])


def _alignment(db: Database, vision: str, language: str, seed: int, watch: Progress) -> None:
    from analyses.alignment import alignment
    from analyses.controls import CONTROLS

    for metric in ("linear-predictivity", "mutual-knn"):
        options = ("--metric", metric, "--dataset", "scenes")
        alignment(
            db,
            vision,
            language,
            metric=metric,
            datasets=["scenes"],
            controls=CONTROLS if _trained(vision, language) else (),
            seed=seed,
            command=_command(db, "alignment", vision, language, *options),
            progress=watch,
        )


def _exemplar_avg(db: Database, vision: str, language: str, seed: int, watch: Progress) -> None:
    from analyses.exemplar_avg import CONTROLS, exemplar_avg

    options = ("--average", "both", "--group", "concept", "--draws", "3", "--dataset", "exemplars")
    exemplar_avg(
        db,
        vision,
        language,
        average="both",
        group="concept",
        draws=3,
        controls=CONTROLS if _trained(vision, language) else (),
        datasets=["exemplars"],
        seed=seed,
        command=_command(db, "exemplar-avg", vision, language, *options),
        progress=watch,
    )


def _perturbation(db: Database, vision: str, language: str, seed: int, watch: Progress) -> None:
    from analyses.perturbation import perturbation

    spaces = ["--vision", vision, "--language", language]
    command = ["vdb", "analyze", "perturbation", *spaces, "--db", db.uri, "--dataset", "scenes"]
    whole = _trained(vision, language)
    perturbation(
        db,
        vision,
        language,
        maps=whole,
        datasets=["scenes"],
        seed=seed,
        command=shlex.join(command if whole else [*command, "--no-maps"]),
        progress=watch,
    )


def _forced_choice(db: Database, vision: str, language: str, seed: int, watch: Progress) -> None:
    from analyses.forced_choice import CONTROLS, forced_choice

    options = ("--fit-dataset", "scenes", "--level", "trial")
    forced_choice(
        db,
        vision,
        language,
        level="trial",
        fit_datasets=["scenes"],
        controls=CONTROLS if _trained(vision, language) else (),
        seed=seed,
        command=_command(db, "forced-choice", vision, language, *options),
        progress=watch,
    )
