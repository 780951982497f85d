"""``vdb demo``: the main job, from nothing to a report."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.demo_questions import LANGUAGE, TWINS, VARIANTS, VISION, ask
from cli.options import Seed
from cli.progress import progress
from cli.render import say
from vdb.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from vdb.database import Database
    from vdb.progress import Progress


_MODELS = {VISION: "demo:vision", LANGUAGE: "demo:language"}
_TRIALS = 240
"""Of each direction."""

_NOTES = (
    (
        "The demo's world is made up: drawn scenes, and captions in an invented language in which no single word "
        "names a thing. Its vision model never saw a word and its language model never saw an image; both were "
        "trained from nothing with the scripts that vdb ships."
    ),
    (
        "What it does not show, and why: alignment does not peak in the middle of the vision model, whose last block "
        "was trained to tell what is nameable; the text peaks early, where the two words of a name meet; who stands "
        "where and which thing is striped is in the images' vectors but not in the mean over a caption's tokens; and "
        "much of what averaging gains, untrained models gain too: the level is the finding. Of the forced choices "
        "nobody was asked: right is the image that the caption was made of. "
        "docs/design/demo-world.md has the figures."
    ),
)


def demo(
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            envvar="VDB_DEMO_OUTPUT",
            metavar="DIR",
            help="Directory for the world, the store and the report.",
        ),
    ] = Path("demo"),
    scenes: Annotated[
        int,
        typer.Option(
            "--scenes",
            envvar="VDB_DEMO_SCENES",
            metavar="N",
            min=50,
            help="Scenes with two captions each.",
        ),
    ] = 600,
    concepts: Annotated[
        int,
        typer.Option(
            "--concepts",
            envvar="VDB_DEMO_CONCEPTS",
            metavar="N",
            min=20,
            help="Concepts with 8 exemplars each.",
        ),
    ] = 150,
    force: Annotated[
        bool,
        typer.Option(
            "--force", envvar="VDB_DEMO_FORCE", help="Begin anew where a demo was made before."
        ),
    ] = False,
    seed: Seed = 0,
) -> None:
    """Make a world, run four small models over it, ask four questions, write a report; no network.

    It takes about three minutes on two cores.

    The same command again goes on where it was stopped.

    Example: vdb demo --output demo
    """
    if force and output.exists():
        _remove(output)
    watch = progress()
    db = _world(output, scenes, concepts, seed)
    _ingest(db, watch)
    ask(db, seed, watch)
    from analyses.report import report_of

    page = report_of(db, output / "report.html", title="The vdb demo", notes=_NOTES)
    say(
        f"\nThe report: {page}\nThe store: {output / 'study'}, for `vdb status --db {output / 'study'}` and Python"
    )


def _remove(output: Path) -> None:
    if not (output / "study").is_dir() and any(output.iterdir()):
        raise InputError(
            f"{output} holds something, but no demo: name another directory with --output"
        )
    shutil.rmtree(output)


def _world(output: Path, scenes: int, concepts: int, seed: int) -> Database:
    from ingest.add import add_dataset
    from ingest.demo.world import make_world

    say(f"drawing {scenes} scenes and {concepts} concepts of 8 exemplars")
    batch = make_world(
        output / "images",
        scenes=scenes,
        exemplar_concepts=concepts,
        exemplars=8,
        trials=_TRIALS,
        seed=seed,
    )
    db, _ = add_dataset(str(output / "study"), iter([batch]), notice=say)
    return db


def _ingest(db: Database, watch: Progress) -> None:
    """Run both models and their twins over all items; over altered scenes what the claim about them needs."""
    for space, model in _MODELS.items():
        for name, start in ((space, None), (TWINS[space], 0)):
            _one(db, model, name, watch, random_init=start)
            if name in VARIANTS:
                altered = VARIANTS[name]
                _one(
                    db, model, name, watch, random_init=start, variants=altered, datasets=["scenes"]
                )


def _one(
    db: Database,
    model: str,
    space: str,
    watch: Progress,
    *,
    random_init: int | None = None,
    variants: Sequence[str] = ("original",),
    datasets: Sequence[str] = (),
) -> None:
    from ingest.encoders import EncoderOptions
    from ingest.pipeline.many import ingest_models

    command = ["vdb", "ingest", "--model", model, "--space", space, "--db", db.uri]
    if random_init is not None:
        command += ["--random-init", str(random_init)]
    if datasets:
        command += ["--variant", ",".join(variants), "--dataset", *datasets]
    [outcome] = ingest_models(
        db,
        [model],
        EncoderOptions(random_init=random_init),
        space=space,
        variants=variants,
        datasets=datasets,
        batch_size=64,
        command=shlex.join(command),
        progress=watch,
    )
    if outcome.error is not None:
        raise outcome.error
