"""What the user gave and can mend ends with one message on the error stream and exit code 2."""

from __future__ import annotations

import functools
import inspect
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import typer

from noiselayer.errors import InputError, argument, worded

Function = TypeVar("Function", bound=Callable[..., Any])

INTERRUPTED = 130
"""The exit code of a program that Ctrl-C has ended, as shells count."""

BROKEN_PIPE = 141
"""The exit code of a program whose output nobody reads on, as shells count."""


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
    _print(_console(), message)


def say_error(message: str) -> None:
    """Print what went wrong on the error stream."""
    console = _console()
    console.print("Error: ", style="bold red", end="")
    _print(console, message)


def _print(console: Any, message: str) -> None:
    """A message as it is: names in it are no markup, no pictures, and give the terminal no orders."""
    console.print(printable(message), markup=False, emoji=False, highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    r"""Text whose control characters are written out, and so is what no terminal can show.

    >>> printable("a\x1b[31m and\na tab\t, \udcff")
    'a\\x1b[31m and\na tab\t, \\udcff'
    """
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", lambda found: repr(found[0])[1:-1], text)


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
            with _readable_warnings(options_of(function)):
                return function(*args, **{name: _on_disk(name, value) for name, value in kwargs.items()})
        except InputError as error:
            say_error(worded(error.args[0], options_of(function)))
            raise typer.Exit(2) from error
        except BrokenPipeError as error:  # whoever reads, such as head, has enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(BROKEN_PIPE) from error
        except (OSError, MemoryError, EOFError, RecursionError, UnicodeError) as error:
            say_error(_of_the_system(error))
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            say("Stopped.")
            raise typer.Exit(INTERRUPTED) from error

    return wrapped  # type: ignore[return-value]


def _of_the_system(error: BaseException) -> str:
    """What the system says against a file, or where the memory ends, as a message.

    >>> _of_the_system(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'a.csv: No such file or directory.'
    """
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    if isinstance(error, MemoryError):
        return f"the memory of this machine is not enough{f' ({error})' if str(error) else ''}; take fewer samples."
    if isinstance(error, UnicodeEncodeError):
        return f"the name {error.object!r} is no text; rename the file."
    return f"a file cannot be read or written: {error or type(error).__name__}."


_URL = re.compile(r"(https?|ftp|file|s3|gs|az|hf):/+(?=[^/])", re.IGNORECASE)


def _on_disk(name: str, value: Any) -> Any:
    """A path as the system knows it: with a home for ~, which shells leave in ``--out=~/run``; a URL is none.

    >>> _on_disk("data", Path("http://localhost/x.csv"))
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: data must be a path on this disk; got http://localhost/x.csv. Download it first.
    """
    is_path = isinstance(value, str | Path) and "column" not in name and name != "media_prefix"
    if is_path and (found := _URL.match(str(value))):
        url = f"{found[1]}://{str(value)[found.end() :]}"  # a Path has one slash where a URL has two
        advice = "Write to a folder here" if name == "out" else "Download it first"
        raise InputError(f"{argument(name)} must be a path on this disk; got {url}. {advice}.")
    if isinstance(value, Path) and value.parts[:1] == ("~",):
        return value.expanduser()
    return os.path.expanduser(value) if isinstance(value, str) and value.startswith("~/") else value  # noqa: PTH111


@contextmanager
def _readable_warnings(named: Callable[[str, Any], str]) -> Iterator[None]:
    """Our own warnings, skipped images say, are a sentence for the user, not a line of code."""
    with warnings.catch_warnings():
        warnings.filterwarnings("always", category=UserWarning, module=r"noiselayer\.")
        usual = warnings.showwarning

        def show(message: Any, category: Any, filename: str, *rest: Any, **more: Any) -> None:
            if "noiselayer" in filename and issubclass(category, UserWarning):
                say(f"Note: {worded(str(message), named)}")
            else:
                usual(message, category, filename, *rest, **more)

        warnings.showwarning = show
        yield


def _console() -> Any:
    from rich.console import Console

    return Console(stderr=True)  # made anew: the error stream may have been redirected since
