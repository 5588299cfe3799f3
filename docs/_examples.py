"""Docstrings for the site: examples and formulas become code, and roles the names that they hold."""

from __future__ import annotations

import inspect
import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"(?:^>>> .*\n?)(?:^(?!\s*$).*\n?)*", re.MULTILINE)
_FORMULA = re.compile(r"^\.\. math:: *(.*(?:\n[ \t]+.*)*)$", re.MULTILINE)
_ROLE = re.compile(r":(?:func|class|mod|data|meth|attr):`~?([^`]+)`")


class Examples(griffe.Extension):
    """Rewrites docstrings while griffe collects them."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for every module, class, function and attribute."""
        if obj.docstring is not None:
            text = inspect.cleandoc(obj.docstring.value)
            text = _ROLE.sub(r"`\1`", text)
            text = _FORMULA.sub(lambda match: f"```latex\n{match[1].strip()}\n```", text)
            obj.docstring.value = _EXAMPLE.sub(lambda match: f"```pycon\n{match[0].rstrip()}\n```\n", text)
