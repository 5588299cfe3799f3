"""Do the noisy, the clean and the outside set fit together?"""

from __future__ import annotations

from typing import Literal

import torch

from noiselayer.data.inputs import Inputs
from noiselayer.data.labeled import LabeledData
from noiselayer.data.splits import overlap
from noiselayer.errors import InputError, list_some

__all__ = ["check_clean", "check_outside"]


def check_clean(
    data: LabeledData, clean: LabeledData, *, overlapping: Literal["error", "drop"] = "error"
) -> LabeledData:
    """Return the noisy samples, without those that stand in the clean set too if they are to be dropped.

    Raises:
        InputError: If shapes or class names differ, the clean set lacks a class, or the sets overlap.

    >>> from noiselayer.data.labeled import from_arrays
    >>> noisy = from_arrays(torch.eye(3), [0, 1, 1], class_names=["cat", "dog"])
    >>> clean = from_arrays(torch.eye(3)[1:] * torch.tensor([1.0, 1.0, 2.0]), [0, 1], class_names=["cat", "dog"])
    >>> len(check_clean(noisy, clean, overlapping="drop"))
    2
    """
    _check_shape(data, clean.inputs, "clean")
    if clean.labels is None:
        raise InputError(f"the clean set needs labels, and {clean.source} has none.")
    if clean.class_names != data.class_names:
        only_noisy = sorted(set(data.class_names) - set(clean.class_names))
        only_clean = sorted(set(clean.class_names) - set(data.class_names))
        where = "; ".join(
            f"{list_some(map(repr, names))} only in the {side} set"
            for names, side in ((only_noisy, "noisy"), (only_clean, "clean"))
            if names
        )
        raise InputError(
            f"the clean and the noisy set must have the same classes in the same order; {where or 'the order differs'}. "
            "Give class_names to say what they are."
        )
    absent = [
        name for name, count in zip(clean.class_names, clean.counts().tolist(), strict=True) if count == 0
    ]
    if absent:
        raise InputError(
            f"the clean set ({clean.source}) has no samples of {list_some(map(repr, absent))}; the noise of a class "
            "can only be measured with clean samples of it. Add some, or leave the class out of both sets."
        )
    twice = overlap(data, clean)[:, 0].unique()
    if not len(twice):
        return data
    if overlapping == "error":
        names = [data.inputs.ids[int(i)] for i in twice[:3]]
        raise InputError(
            f"{len(twice):,} samples stand in the noisy and in the clean set (such as {', '.join(names)}): they would "
            "be measured on what was trained on. Remove them, or drop them from the noisy set (overlapping='drop')."
        )
    kept = torch.ones(len(data), dtype=torch.bool)
    kept[twice] = False
    return data.subset(kept.nonzero().flatten())


def check_outside(data: LabeledData, outside: Inputs) -> None:
    """Raise an error if outside samples have another shape than the rest.

    >>> from noiselayer.data.labeled import from_arrays
    >>> data = from_arrays(torch.eye(3), [0, 1, 1])
    >>> check_outside(data, from_arrays(torch.zeros(1, 3)).inputs)
    """
    _check_shape(data, outside, "outside")


def _check_shape(data: LabeledData, other: Inputs, name: str) -> None:
    if (other.shape, other.dtype) != (data.inputs.shape, data.inputs.dtype):
        raise InputError(
            f"samples of the {name} set must be like the noisy ones, {data.inputs.shape} of {data.inputs.dtype}; "
            f"got {other.shape} of {other.dtype}. For images, give both the same image_size."
        )
