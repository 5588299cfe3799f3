"""Lists and sizes as people type them."""

from __future__ import annotations

import typer

__all__ = ["parse_devices", "parse_list", "parse_size"]


def parse_list(text: str | None) -> tuple[str, ...] | None:
    """Names with commas between them.

    >>> parse_list("age, town")
    ('age', 'town')
    """
    if text is None:
        return None
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_size(text: str | None) -> tuple[int, int] | None:
    """Height and width in pixels.

    >>> parse_size("32"), parse_size("32x48")
    ((32, 32), (32, 48))
    """
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdigit() and int(side) > 0 for side in sides):
        raise typer.BadParameter(
            f"must be a positive number of pixels, or HEIGHTxWIDTH; got {text!r}.", param_hint="--image-size"
        )
    return int(sides[0]), int(sides[-1])


def parse_devices(text: str) -> int | str:
    """A number of devices, or what Lightning understands: "auto", "0,2".

    >>> parse_devices("2"), parse_devices("auto")
    (2, 'auto')
    """
    return int(text) if text.lstrip("-").isdigit() else text
