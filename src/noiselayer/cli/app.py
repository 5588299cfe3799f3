"""The program ``noiselayer``.

Every module beside this one is a command: the function of its own name, with its help and its options.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from noiselayer._version import __version__
from noiselayer.cli._errors import reports_errors
from noiselayer.cli._job import with_options

# What a newcomer needs first stands first; commands that are not named here follow by name.
_ORDER = (
    *("demo", "train", "predict", "corrupt", "measure", "estimate", "combine", "tune", "audit", "report"),
    *("export_review", "apply_review", "reproduce"),
)

app = typer.Typer(
    name="noiselayer",
    help="Train a classifier on labels you cannot trust, and learn how they are wrong.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_show_locals=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"noiselayer {__version__}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Train a classifier on labels you cannot trust, and learn how they are wrong."""


def _add_commands() -> None:
    """Register the commands; their modules import torch and the like inside their functions."""
    names = [info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)]) if info.name[0] != "_"]
    for name in sorted(set(names) - {"app"}, key=lambda n: (_ORDER.index(n) if n in _ORDER else 99, n)):
        function = getattr(import_module(f"noiselayer.cli.{name}"), name)
        app.command(name.replace("_", "-"))(reports_errors(with_options(function)))


_add_commands()


def main() -> None:
    """Run the program."""
    app()
