"""The words of the command line that apply a review."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from noiselayer.data.reading import Reading

_OPTIONS = {
    "labels": "--labels",
    "label_column": "--label-column",
    "image_column": "--image-column",
    "class_names": "--class-names",
}


def review_command(reading: Reading) -> str:
    """What to type to apply decisions to data that were read in this way."""
    words = ["noiselayer", "apply-review", reading.path, "decisions.csv"]
    for name, option in _OPTIONS.items():
        value = getattr(reading, name)
        if value is not None:
            words += [option, value if isinstance(value, str) else ",".join(value)]
    return shlex.join(words)
