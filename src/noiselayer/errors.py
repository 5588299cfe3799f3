"""The error for input that the user can mend, and the words its messages share."""

from __future__ import annotations

import re
from ast import literal_eval
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

# Characters that no message holds otherwise stand around a name, and between it and its value.
_ARGUMENT = re.compile("\x02(\\w+)\x03(.*?)\x02", re.DOTALL)


def argument(name: str, value: Any = ...) -> str:
    """An argument in a message, with the value to give it if there is one: each interface names it in its own way.

    >>> str(InputError(f"give {argument('clean')}, or leave out {argument('overlapping', 'drop')}."))
    "give clean, or leave out overlapping='drop'."
    """
    return f"\x02{name}\x03{'' if value is ... else repr(value)}\x02"


def worded(message: str, option: Callable[[str, Any], str] | None = None) -> str:
    """A message with its arguments named as in Python, or as ``option`` names them.

    Args:
        message: With arguments from :func:`argument`.
        option: Takes an argument's name and its value; the value is ``...`` if the message gives none.

    >>> worded(f"give {argument('label_column')}.", lambda name, value: "--" + name.replace("_", "-"))
    'give --label-column.'
    """

    def named(found: re.Match[str]) -> str:
        name, value = found.groups()
        if option is None:
            return f"{name}={value}" if value else name
        return option(name, literal_eval(value) if value else ...)

    return _ARGUMENT.sub(named, message)


class InputError(ValueError):
    """Something that the user gave and can mend: a path, a column's name, a label, a damaged image.

    The message says what was expected, what came and what to do, with arguments from :func:`argument`. The command
    line prints it, arguments as options, without a traceback and ends with exit code 2, nothing written.

    >>> raise InputError("labels.csv has no column 'lable'. Did you mean 'label'?")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: labels.csv has no column 'lable'. Did you mean 'label'?
    """

    def __str__(self) -> str:
        return worded(super().__str__())


class MissingColumnError(InputError):
    """A table has no column of this name."""

    def __init__(self, message: str, column: str) -> None:
        super().__init__(message)
        self.column = column

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.args[0], self.column)


class UnknownClassError(InputError):
    """Labels name a class that is not among the given ones."""


@contextmanager
def as_input_errors(reword: Callable[[str], str] = str) -> Iterator[None]:
    """While nothing but the user's input is looked at, every ValueError is about it, and begins with the argument.

    Args:
        reword: Changes the message before.

    >>> with as_input_errors():
    ...     raise ValueError("alpha must lie between 0 and 1; got 2.")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: alpha must lie between 0 and 1; got 2.
    """
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        first, space, rest = reword(str(error)).partition(" ")
        raise InputError((argument(first) if first.isidentifier() else first) + space + rest) from error


def nearest(name: str, names: Iterable[str]) -> str:
    """A sentence that offers the name closest to a mistyped one, a space in front; empty if none is close.

    >>> nearest("Lable", ["age", "label"])
    " Did you mean 'label'?"
    >>> nearest("price", ["age", "label"])
    ''
    """
    by_folded = {known.casefold(): known for known in names}
    close = get_close_matches(name.casefold(), by_folded, n=1)
    return f" Did you mean {by_folded[close[0]]!r}?" if close else ""


def reason(error: BaseException) -> str:
    r"""What stands against reading a file, in words for the user.

    >>> reason(FileNotFoundError(2, "No such file or directory", "a.csv"))
    'No such file or directory'
    >>> try:
    ...     b"caf\xe9".decode()
    ... except UnicodeDecodeError as error:
    ...     reason(error)
    'it is not in UTF-8 (byte 0xe9); save it as UTF-8'
    """
    if isinstance(error, UnicodeDecodeError):
        return f"it is not in {error.encoding.upper()} (byte 0x{error.object[error.start]:02x}); save it as UTF-8"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error).strip().split("\n")[0] or type(error).__name__


def list_some(items: Iterable[object], limit: int = 10) -> str:
    """The first items, comma between them, and how many more there are.

    >>> list_some(["a", "b", "c", "d"], limit=2)
    'a, b and 2 more'
    """
    texts = [str(item) for item in items]
    shown = ", ".join(texts[:limit])
    return shown if len(texts) <= limit else f"{shown} and {len(texts) - limit:,} more"
