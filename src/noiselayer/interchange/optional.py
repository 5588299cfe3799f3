"""Packages that only some people have."""

from __future__ import annotations

from importlib import import_module
from typing import Any

__all__ = ["require"]


def require(package: str, caller: str) -> Any:
    """Import a package, or say what to install.

    Args:
        package: Its name, for importing and for pip alike.
        caller: What needs it.

    Raises:
        ImportError: If it is not installed.

    >>> require("no_such_package", "from_nothing")
    Traceback (most recent call last):
    ...
    ImportError: from_nothing needs no_such_package, which is not installed: pip install no_such_package.
    """
    missing = ImportError(f"{caller} needs {package}, which is not installed: pip install {package}.")
    try:
        module = import_module(package)
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        raise missing from error
    if getattr(module, "__file__", None) is None:  # a folder of that name, which Python takes for a package
        raise missing
    return module
