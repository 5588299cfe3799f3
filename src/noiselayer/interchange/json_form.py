"""The form of what other tools write, checked before it is used: their JSON may hold anything."""

from __future__ import annotations

from reprlib import repr as short_repr
from typing import Any

from noiselayer.errors import InputError

_WORDS = {str: "text", int: "a whole number from 0 up", list: "a list", dict: "an object"}


def check_form(value: Any, form: Any, where: str, advice: str, name: str = "") -> None:
    """Raise unless a value has a form, and name the place where it has not.

    A form is ``str`` (text that is not empty) or ``int`` (from 0 up); a list of one form, which all elements have; or
    a dict of forms by key, where ``key?`` may be missing or null and unknown keys may stand beside.

    >>> check_form({"labels": "cat"}, {"labels": [str], "tags?": [str]}, "task 5", "Export it again.")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: task 5: labels must be a list; got 'cat'. Export it again.
    """
    kind = form if isinstance(form, type) else type(form)
    fits = type(value) is kind  # True is no number here
    if not fits or (kind is int and value < 0) or (kind is str and not value):
        what = f"{where}: {name}" if name else where
        raise InputError(f"{what} must be {_WORDS[kind]}; got {short_repr(value)}. {advice}")
    if isinstance(form, list):
        for place, part in enumerate(value):
            check_form(part, form[0], where, advice, f"{name}[{place}]")
    elif isinstance(form, dict):
        for key, of_key in form.items():
            bare = key.removesuffix("?")
            part = value.get(bare)
            if part is not None or bare == key:
                check_form(part, of_key, where, advice, f"{name}.{bare}".removeprefix("."))
