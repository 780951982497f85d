"""Help, version and usage: quick, complete and readable for every command."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import typer.main

from analyses.metrics.registry import choose_metric
from cli.main import app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HEAVY = ("torch", "lancedb", "lance", "polars", "pyarrow", "transformers", "timm", "altair", "PIL")


def commands() -> Iterator[tuple[str, ...]]:
    def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        yield path
        for name, below in getattr(command, "commands", {}).items():
            yield from walk(below, (*path, name))

    yield from walk(typer.main.get_command(app), ())


COMMANDS = list(commands())
LEAVES = [path for path in COMMANDS if path and path not in {("add",), ("analyze",), ("remove",)}]


def test_the_commands_are_those() -> None:
    assert {path[0] for path in COMMANDS if path} == {
        "add",
        "analyze",
        "demo",
        "failures",
        "ingest",
        "migrate",
        "models",
        "remove",
        "report",
        "status",
        "variants",
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_is_whole_plain_and_fits(
    path: tuple[str, ...], vdb_command: Callable[..., Any]
) -> None:
    answer = vdb_command(*path, "--help")
    assert answer.code == 0
    assert answer.err == ""
    assert answer.out.startswith(f"Usage: {' '.join(('vdb', *path))}")
    assert max(map(len, answer.out.splitlines())) <= 100
    assert "<bool>" not in answer.out
    assert "int range>" not in answer.out or path[:1] in {("demo",), ("analyze",)}
    assert vdb_command(*path, "-h").out == answer.out


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_each_command_shows_an_example_of_itself(
    path: tuple[str, ...], vdb_command: Callable[..., Any]
) -> None:
    help_text = " ".join(vdb_command(*path, "--help").out.split())
    assert f"Example: vdb {' '.join(path)} " in help_text


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_option_is_explained_and_has_an_environment_variable(path: tuple[str, ...]) -> None:
    command = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]  # type: ignore[attr-defined]
    for option in command.params:
        if option.name == "help":
            continue
        assert option.help, option.name
        if option.param_type_name == "option" and option.name not in {"mapping", "style"}:
            without = {"demo": {"scenes", "concepts", "force"}}.get(path[0], set())
            assert option.envvar or option.name in without, option.name


def test_the_version(vdb_command: Callable[..., Any]) -> None:
    answer = vdb_command("--version")
    assert (answer.code, answer.out) == (0, "vdb 0.1.0\n")


@pytest.mark.parametrize(
    "arguments",
    [("nonsense",), ("ingest",), ("ingest", "--model", "vit-l", "--limit", "0"), ("add", "coco")],
)
def test_wrong_usage_exits_with_2_and_says_where_help_is(
    arguments: tuple[str, ...], vdb_command: Callable[..., Any]
) -> None:
    answer = vdb_command(*arguments)
    assert answer.code == 2
    assert "-h' for help" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("asked", ["--help", "analyze --help", "analyze alignment --help"])
@pytest.mark.parametrize("code", ["import vdb", "from cli.main import main; main()"])
def test_what_only_asks_loads_nothing_heavy(code: str, asked: str) -> None:
    script = (
        f"import sys; sys.argv = {['vdb', *asked.split()]}\n"
        f"try:\n    {code}\nexcept SystemExit as end:\n    assert not end.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"


def test_help_names_metrics_that_there_are_and_says_where_all_are_listed(
    vdb_command: Callable[..., Any],
) -> None:
    help_text = " ".join(vdb_command("analyze", "alignment", "--help").out.split())
    told = help_text.partition("with settings if you like: ")[2].partition(";")[0].split(", ")
    assert len(told) == 4
    assert [choose_metric(name).name for name in told] == told
    assert "`vdb analyze metrics` lists them" in help_text
