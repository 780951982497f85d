"""``vdb ingest``: run models over what the store holds."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from cli.options import DEFAULT_DB, Dataset, Db
from cli.outcomes import tell
from cli.progress import progress
from cli.render import say

if TYPE_CHECKING:
    from ingest.pipeline.many import Outcome

INTERRUPTED = 130
_ORIGINAL = "original"  # vdb.schema.ORIGINAL: importing that would load pyarrow for `vdb --help`


class PoolingOption(StrEnum):
    """How the tokens of a layer become one vector."""

    cls = "cls"
    mean = "mean"
    last = "last"


class DtypeOption(StrEnum):
    """Precision of the forward pass."""

    float32 = "float32"
    bfloat16 = "bfloat16"
    float16 = "float16"


class StoreDtypeOption(StrEnum):
    """Precision of the stored vectors."""

    float16 = "float16"
    float32 = "float32"


def ingest(  # noqa: PLR0917 - a command's options
    model: Annotated[
        list[str],
        typer.Option(
            "--model",
            "-m",
            envvar="VDB_MODEL",
            metavar="MODEL",
            help="A catalogue name (vit-l), library id (timm:NAME, hf:REPO, st:REPO), directory, or pixel-statistics "
            "(no model: colours and edges of images); may be repeated.",
        ),
    ],
    db: Db = DEFAULT_DB,
    space: Annotated[
        str | None,
        typer.Option(
            "--space",
            envvar="VDB_SPACE",
            metavar="NAME",
            help="Name of the space; the model's by default.",
        ),
    ] = None,
    variant: Annotated[
        list[str] | None,
        typer.Option(
            "--variant",
            envvar="VDB_VARIANT",
            metavar="NAME[,NAME...]",
            help="original (the default), a name of `vdb variants`, with settings (scrambled:seed=3), or a ready-made "
            "variant of the store; may be repeated.",
        ),
    ] = None,
    dataset: Dataset = None,
    limit: Annotated[
        int | None,
        typer.Option(
            "--limit",
            envvar="VDB_LIMIT",
            min=1,
            metavar="N",
            help="Only the first so many items that can have one of the variants, by id as text (10 before 9).",
        ),
    ] = None,
    batch_size: Annotated[
        int | None,
        typer.Option(
            "--batch-size",
            envvar="VDB_BATCH_SIZE",
            min=1,
            metavar="N",
            help="Items a forward pass, 32 by default; halved when memory runs out.",
        ),
    ] = None,
    device: Annotated[
        str,
        typer.Option(
            "--device",
            envvar="VDB_DEVICE",
            metavar="NAME",
            help="auto, cpu, cuda, cuda:1, mps; auto takes the accelerator where there is one.",
        ),
    ] = "auto",
    dtype: Annotated[
        DtypeOption,
        typer.Option("--dtype", envvar="VDB_DTYPE", help="Precision of the forward pass."),
    ] = DtypeOption.float32,
    store_dtype: Annotated[
        StoreDtypeOption,
        typer.Option("--store-dtype", envvar="VDB_STORE_DTYPE", help="Precision in the store."),
    ] = StoreDtypeOption.float16,
    pool: Annotated[
        PoolingOption | None,
        typer.Option(
            "--pool",
            envvar="VDB_POOL",
            help="How tokens become a vector; the model's own by default.",
        ),
    ] = None,
    revision: Annotated[
        str | None,
        typer.Option(
            "--revision",
            envvar="VDB_REVISION",
            metavar="REV",
            help="Commit, tag or branch of the repository.",
        ),
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(
            "--max-length",
            envvar="VDB_MAX_LENGTH",
            min=1,
            metavar="TOKENS",
            help="Longest text; a longer one is cut and counted. The model's own by default.",
        ),
    ] = None,
    random_init: Annotated[
        int | None,
        typer.Option(
            "--random-init",
            envvar="VDB_RANDOM_INIT",
            metavar="SEED",
            help="Untrained weights from this seed: the control. Space NAME-random by default.",
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            envvar="VDB_WORKERS",
            min=1,
            metavar="N",
            help="Threads that read and prepare items; one a core by default.",
        ),
    ] = None,
    max_failures: Annotated[
        int,
        typer.Option(
            "--max-failures",
            envvar="VDB_MAX_FAILURES",
            min=0,
            metavar="N",
            help="Stop when more items than this failed.",
        ),
    ] = 100,
    trust_remote_code: Annotated[
        bool,
        typer.Option(
            "--trust-remote-code",
            envvar="VDB_TRUST_REMOTE_CODE",
            help="Run code from the repository.",
        ),
    ] = False,
    allow_pickle: Annotated[
        bool,
        typer.Option(
            "--allow-pickle",
            envvar="VDB_ALLOW_PICKLE",
            help="Load weights that are not safetensors.",
        ),
    ] = False,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", envvar="VDB_DRY_RUN", help="Say what would be done; write nothing."
        ),
    ] = False,
) -> None:
    """Run models over every item of the store and keep every layer.

    The same command again goes on where it was stopped. A bad image or text goes to `vdb failures` with its reason
    and the run goes on; the exit code is 1 when anything failed. With --variant each model takes those of its
    modality; an item that cannot have one (no mask, no noun) is counted and told, and is no failure.
    object-removed:which=each is one variant for each category of things that has a mask.
    """
    import vdb

    store = vdb.open(db)  # a mistyped place is told before what is heavy is imported
    from ingest.encoders.base import EncoderOptions
    from ingest.pipeline.many import ingest_models

    options = EncoderOptions(
        pooling=None if pool is None else pool.value,
        device=device,
        dtype=dtype.value,
        stored_dtype=store_dtype.value,
        random_init=random_init,
        revision=revision,
        max_length=max_length,
        trust_remote_code=trust_remote_code,
        allow_pickle=allow_pickle,
    )
    found: list[Outcome] = []

    def told(outcome: Outcome) -> None:
        found.append(outcome)
        tell(outcome, dry_run=dry_run)

    try:
        ingest_models(
            store,
            model,
            options,
            space=space,
            variants=variant or (_ORIGINAL,),
            datasets=dataset or (),
            limit=limit,
            batch_size=batch_size,
            workers=workers,
            max_failures=max_failures,
            dry_run=dry_run,
            command=shlex.join(["vdb", *sys.argv[1:]]),
            progress=progress(),
            told=told,
        )
    except KeyboardInterrupt:
        say("interrupted: what was stored is kept; the same command goes on from there")
        raise typer.Exit(INTERRUPTED) from None
    if all(outcome.skipped for outcome in found):
        raise typer.Exit(1)  # nothing at all was done
    if any(outcome.error or (outcome.report and outcome.report.failed) for outcome in found):
        raise typer.Exit(1)
