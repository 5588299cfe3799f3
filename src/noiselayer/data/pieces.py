"""How many samples are held at once, where all of them are gone through."""

from __future__ import annotations

import math
from collections.abc import Sequence

_NUMBERS = 2**23


def samples_at_a_time(shape: Sequence[int], at_most: int) -> int:
    """So many that their numbers take 32 MB in float32, but one at least.

    >>> samples_at_a_time((3, 32, 32), 1024), samples_at_a_time((3, 224, 224), 1024)
    (1024, 55)
    """
    return max(1, min(at_most, _NUMBERS // max(1, math.prod(shape))))
