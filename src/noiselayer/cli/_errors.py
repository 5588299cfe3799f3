"""What the user gave and can mend ends with one message on the error stream and exit code 2."""

from __future__ import annotations

import functools
import inspect
import os
import shlex
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer

from noiselayer.errors import InputError, worded

Function = TypeVar("Function", bound=Callable[..., Any])

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C has ended, as shells count."""


def options_of(command: Function) -> Callable[[str, Any], str]:
    """How a command names arguments in messages: as its options, and in Python's way what it has no option for.

    >>> from noiselayer.cli._job import with_options
    >>> from noiselayer.cli.predict import predict
    >>> named = options_of(with_options(predict))
    >>> named("run", ...), named("out", ...), named("start", "identity")
    ('RUN', '--out', "start='identity'")
    """
    flags = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        (info,) = getattr(parameter.annotation, "__metadata__", (None,))
        if isinstance(info, typer.models.ArgumentInfo):
            flags[parameter.name] = parameter.name.upper()
        elif isinstance(info, typer.models.OptionInfo):
            # Typer takes an annotation's first name for its default.
            written = (
                info.default if isinstance(info.default, str) else "--" + parameter.name.replace("_", "-")
            )
            flags[parameter.name] = written.strip(" /")

    def named(name: str, value: Any) -> str:
        if name not in flags:
            return name if value is ... else f"{name}={value!r}"
        return (
            flags[name]
            if value is ... or isinstance(value, bool)
            else f"{flags[name]} {shlex.quote(str(value))}"
        )

    return named


def say(message: str) -> None:
    """Print a line of progress on the error stream, which leaves the output to results; one process does."""
    if any(os.environ.get(name, "0") != "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK")):
        return
    _console().print(message, markup=False, highlight=False, soft_wrap=True)


def say_error(message: str) -> None:
    """Print what went wrong on the error stream."""
    console = _console()
    console.print("Error: ", style="bold red", end="")
    console.print(message, markup=False, highlight=False, soft_wrap=True)


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
                return function(*args, **{name: _at_home(value) for name, value in kwargs.items()})
        except InputError as error:
            say_error(worded(error.args[0], options_of(function)))
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            say("Stopped.")
            raise typer.Exit(INTERRUPTED) from error

    return wrapped  # type: ignore[return-value]


def _at_home(value: Any) -> Any:
    """A path that begins with ~, which shells leave as it is in ``--out=~/run``."""
    if isinstance(value, Path) and value.parts[:1] == ("~",):
        return value.expanduser()
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value  # noqa: PTH111


@contextmanager
def _readable_warnings() -> Iterator[None]:
    """Our own warnings, skipped images say, are a sentence for the user, not a line of code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning, module=r"noiselayer\.")
        usual = warnings.showwarning

        def show(message: Any, category: Any, filename: str, *rest: Any, **more: Any) -> None:
            if "noiselayer" in filename and issubclass(category, UserWarning):
                say(f"Note: {message}")
            else:
                usual(message, category, filename, *rest, **more)

        warnings.showwarning = show
        yield


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)  # made anew: the error stream may have been redirected since
