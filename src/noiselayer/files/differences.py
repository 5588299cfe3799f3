"""Is this the same job? Two descriptions of it compared, and what differs in words."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from noiselayer.errors import list_some


def differences(before: Mapping[str, Any], now: Mapping[str, Any], *, at_most: int = 5) -> str:
    """Name the entries of two descriptions that are not the same; empty if there are none.

    Both are nested dicts of plain types, one read back from a file, so what JSON would make of the other counts: tuples
    are lists. An entry that is missing is None.

    >>> differences({"options": {"seed": 0, "sizes": [1]}}, {"options": {"seed": 1, "sizes": (1,)}})
    'options.seed was 0, now 1'
    """
    one, other = _flat(json.loads(json.dumps(before))), _flat(json.loads(json.dumps(now)))
    differing = [key for key in sorted(one.keys() | other.keys()) if one.get(key) != other.get(key)]
    return list_some(
        (f"{key} was {_short(one.get(key))}, now {_short(other.get(key))}" for key in differing), at_most
    )


def _flat(content: Any, prefix: str = "") -> dict[str, Any]:
    """Nested dicts as one, keys joined by dots."""
    if not isinstance(content, dict):
        return {prefix: content}
    flat: dict[str, Any] = {}
    for key, value in content.items():
        flat |= _flat(value, f"{prefix}.{key}" if prefix else str(key))
    return flat


def _short(value: Any) -> str:
    text = "not given" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"
