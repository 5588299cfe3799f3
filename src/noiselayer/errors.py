"""The error for input that the user can mend, and the words its messages share."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["InputError", "list_some", "nearest"]


class InputError(ValueError):
    """Something that the user gave and can mend: a path, a column's name, a label, a damaged image.

    The message says what was expected, what came and what to do. The command line prints it without a
    traceback and ends with exit code 2, nothing written.

    >>> raise InputError("labels.csv has no column 'lable'. Did you mean 'label'?")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: labels.csv has no column 'lable'. Did you mean 'label'?
    """


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


def list_some(items: Iterable[object], limit: int = 10) -> str:
    """The first items, comma between them, and how many more there are.

    >>> list_some(["a", "b", "c", "d"], limit=2)
    'a, b and 2 more'
    """
    texts = [str(item) for item in items]
    shown = ", ".join(texts[:limit])
    return shown if len(texts) <= limit else f"{shown} and {len(texts) - limit:,} more"
