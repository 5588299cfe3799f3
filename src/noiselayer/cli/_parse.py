"""Lists and sizes as people type them."""

from __future__ import annotations


def parse_list(text: str) -> tuple[str, ...]:
    """Names with commas between them.

    >>> parse_list("age, town")
    ('age', 'town')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them.

    >>> parse_numbers("0,0.1,1")
    (0.0, 0.1, 1.0)
    """
    try:
        return tuple(float(part) for part in parse_list(text))
    except ValueError:
        raise ValueError(
            f"takes numbers with commas between them, as 0,0.1,0.2,0.4,1; got {text!r}."
        ) from None


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels.

    >>> parse_size("32"), parse_size("32x48")
    ((32, 32), (32, 48))
    """
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdigit() and int(side) > 0 for side in sides):
        raise ValueError(f"must be a positive number of pixels, or HEIGHTxWIDTH; got {text!r}.")
    return int(sides[0]), int(sides[-1])


def parse_devices(text: str) -> int | str:
    """A number of devices, or what Lightning understands: "auto", "0,2".

    >>> parse_devices("2"), parse_devices("auto")
    (2, 'auto')
    """
    return int(text) if text.lstrip("-").isdigit() else text
