"""What the user gave and can mend ends with one message on the error stream and exit code 2."""

from __future__ import annotations

import functools
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import typer

from noiselayer.errors import InputError

__all__ = ["reports_errors", "say", "say_error"]

Function = TypeVar("Function", bound=Callable[..., Any])

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C has ended, as shells count."""

_OPTIONS = {
    "feature_columns": "--features",
    "categorical_columns": "--categorical",
    "max_epochs": "--epochs",
    "num_bootstrap": "--bootstrap",
    # Switches, named with the position that says something.
    "fresh_network=False": "--no-fresh-network",
    "train_on_clean=False": "--no-train-on-clean",
    "noise_trainable=True": "--noise-trainable",
    **{
        name: "--" + name.replace("_", "-")
        for name in (
            *("label_column", "inputs_key", "image_column", "image_size", "class_names", "batch_size"),
            *("impute_missing", "skip_unreadable", "validation_fraction", "warm_up_epochs"),
            *("noisy_weight", "outside_weight", "measure_with", "noise_trainable", "noise_learning_rate"),
            *("trace_penalty", "noise_weight_decay", "clean_probs", "noisy_probs", "clean_labels"),
            *("noisy_labels", "true_labels", "prior_strength", "learning_rate", "on_nonfinite"),
            *("label_columns", "annotator_column", "id_column", "true_column"),
        )
    },
}
# Words of every day too: only with a value behind them are they surely the option's name.
_VALUED = ("overlapping", "start", "mixing", "rule", "method")
_NAMES = re.compile(rf"(?<![\w'\".:])(?:({'|'.join(_OPTIONS)})(?![\w'\".:])(=?)|({'|'.join(_VALUED)})=(?='))")


def as_options(message: str) -> str:
    """A message of the Python interface in the words of the command line.

    >>> as_options("name it with label_column. Say image_column='file'.")
    "name it with --label-column. Say --image-column 'file'."
    """
    # A full stop may end a sentence after a name; in "a.label_column" it makes it another name.
    spaced = re.sub(r"\.(\s|$)", r" \0.\1", message)
    named = _NAMES.sub(
        lambda found: f"--{found[3]} " if found[3] else _OPTIONS[found[1]] + (" " if found[2] else ""), spaced
    )
    return named.replace(" \0.", ".")


def say(message: str) -> None:
    """Print a line of progress on the error stream, which leaves the output to results; one process does."""
    if any(os.environ.get(name, "0") != "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK")):
        return
    _console().print(message, markup=False, highlight=False, soft_wrap=True)


def say_error(message: str) -> None:
    """Print what went wrong on the error stream."""
    console = _console()
    console.print("Error: ", style="bold red", end="")
    console.print(as_options(message), markup=False, highlight=False, soft_wrap=True)


def reports_errors(function: Function) -> Function:
    """Let a command end with a message instead of a traceback where the user can mend what is wrong.

    >>> @reports_errors
    ... def command() -> None:
    ...     raise InputError("there is no file x.npz.")
    >>> try:
    ...     command()
    ... except typer.Exit as end:
    ...     print(end.exit_code)
    2
    """

    @functools.wraps(function)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        try:
            with _readable_warnings():
                return function(*args, **kwargs)
        except InputError as error:
            say_error(str(error))
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            say("Stopped.")
            raise typer.Exit(INTERRUPTED) from error

    return wrapped  # type: ignore[return-value]


@contextmanager
def _readable_warnings() -> Iterator[None]:
    """Our own warnings, skipped images say, are a sentence for the user, not a line of code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning, module=r"noiselayer\.")
        usual = warnings.showwarning

        def show(message: Any, category: Any, filename: str, *rest: Any, **more: Any) -> None:
            if "noiselayer" in filename and issubclass(category, UserWarning):
                say(f"Note: {as_options(str(message))}")
            else:
                usual(message, category, filename, *rest, **more)

        warnings.showwarning = show
        yield


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)  # made anew: the error stream may have been redirected since
