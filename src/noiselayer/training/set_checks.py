"""Do the noisy, the clean and the outside set fit together?"""

from __future__ import annotations

import warnings
from typing import get_args

import torch
from torch import Tensor

from noiselayer.choices import Overlapping
from noiselayer.data.inputs import Inputs
from noiselayer.data.labeled import LabeledData, check_for_training
from noiselayer.data.pixel_units import check_pixel_units, largest_pixel
from noiselayer.data.splits import overlap
from noiselayer.errors import InputError, argument, as_input_errors, list_some
from noiselayer.estimation.noise_estimate import NoiseEstimate
from noiselayer.estimation.trusted_samples import estimate_from_pairs
from noiselayer.noise.possible import check_possible
from noiselayer.training.options import choose_method


def trainable(
    data: LabeledData,
    clean: LabeledData | None,
    outside: Inputs | None,
    *,
    overlapping: Overlapping = "error",
) -> tuple[LabeledData, Tensor]:
    """The noisy samples without those that are dropped for standing in the clean set, and their rows; else an error.

    >>> from noiselayer.data.labeled import from_arrays
    >>> trainable(from_arrays(torch.eye(3), [0, 1, 1]), None, None)[1]
    tensor([0, 1, 2])
    """
    rows = torch.arange(len(data))
    if clean is not None:
        rows = kept_rows(data, clean, overlapping=overlapping)
        data = data if len(rows) == len(data) else data.subset(rows)
    if outside is not None:
        check_like(data.inputs, outside, "outside")
    check_for_training(data, clean=clean)
    return data, rows


def check_clean(data: LabeledData, clean: LabeledData, *, overlapping: Overlapping = "error") -> LabeledData:
    """Return the noisy samples, without those that stand in the clean set too if they are to be dropped."""
    rows = kept_rows(data, clean, overlapping=overlapping)
    return data if len(rows) == len(data) else data.subset(rows)


def kept_rows(data: LabeledData, clean: LabeledData, *, overlapping: Overlapping = "error") -> Tensor:
    """The numbers of the noisy samples that :func:`check_clean` keeps, ascending; it raises the same errors.

    >>> from noiselayer.data.labeled import from_arrays
    >>> noisy = from_arrays(torch.eye(3), [0, 1, 1])
    >>> samples = torch.tensor([[0.0, 1.0, 0.0], [2.0, 2.0, 2.0], [3.0, 3.0, 3.0]])
    >>> kept_rows(noisy, from_arrays(samples, [0, 1, 1]), overlapping="drop")
    tensor([0, 2])
    """
    if overlapping not in get_args(Overlapping):
        raise ValueError(f"overlapping must be 'error' or 'drop'; got {overlapping!r}.")
    check_like(data.inputs, clean.inputs, "clean")
    if clean.labels is None:
        raise InputError(f"the clean set needs labels, and {clean.origin} has none.")
    if clean.class_names != data.class_names:
        only_noisy = sorted(set(data.class_names) - set(clean.class_names))
        only_clean = sorted(set(clean.class_names) - set(data.class_names))
        where = "; ".join(
            f"{list_some(map(repr, names))} only in the {side} set"
            for names, side in ((only_noisy, "noisy"), (only_clean, "clean"))
            if names
        )
        raise InputError(
            "the clean and the noisy set must have the same classes in the same order; "
            f"{where or 'the order differs'}. Give {argument('class_names')} to say what they are."
        )
    if int(clean.counts().amax()) == 1:
        raise InputError(
            f"the clean set ({clean.origin}) has one sample of each class, so none can be held out for validation; add "
            "some."
        )
    twice = torch.tensor(sorted(set(overlap(data, clean)[:, 0].tolist())), dtype=torch.long)
    if len(twice) and overlapping == "error":
        names = [data.inputs.ids[int(i)] for i in twice[:3]]
        raise InputError(
            f"{len(twice):,} samples stand in the noisy and in the clean set (such as {', '.join(names)}): they would "
            f"be measured on what was trained on. Remove them, or drop them from the noisy set "
            f"({argument('overlapping', 'drop')})."
        )
    kept = torch.ones(len(data), dtype=torch.bool)
    kept[twice] = False
    return kept.nonzero().flatten()


def estimate_from_checked(clean: LabeledData, clean_given: Tensor) -> NoiseEstimate | None:
    """The noise by counting clean samples that have a noisy label too (-1: none); None where a class has no such pair.

    >>> from noiselayer.data.labeled import from_arrays
    >>> clean = from_arrays(torch.eye(3), [0, 1, 1], class_names=["cat", "dog"])
    >>> estimate_from_checked(clean, torch.tensor([-1, 1, 0])) is None
    True
    """
    labelled, K = clean_given >= 0, clean.num_classes
    true = clean.given[labelled]
    if not bool(torch.bincount(true, minlength=K).all()):
        return None
    return estimate_from_pairs(true, clean_given[labelled], K)


def automatic_method(data: LabeledData, clean: LabeledData | None) -> tuple[str, str]:
    """What "auto" takes for these sets, and why in one line; a class without clean samples is warned of by name.

    >>> from noiselayer.data.labeled import from_arrays
    >>> automatic_method(from_arrays(torch.eye(3), ["cat", "dog", "dog"]), None)[0]
    'learned'
    """
    absent = [] if clean is None else _absent(clean)
    method, why = choose_method(
        len(data), 0 if clean is None else len(clean), data.num_classes, absent=absent
    )
    if absent:
        warnings.warn(f"{why[0].upper()}{why[1:]}.", stacklevel=2)
    return method, why


def check_complete(clean: LabeledData) -> None:
    """Raise an error if the noise cannot be measured with a clean set, as a class has no samples in it.

    >>> from noiselayer.data.labeled import from_arrays
    >>> check_complete(from_arrays(torch.eye(2), [0, 0], class_names=["cat", "dog"]))
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: the clean set (arrays in memory) has no samples of 'dog'; the noise of a class can
    only be measured with clean samples of it. Add some, leave the class out of both sets, or take method='learned',
    which trains on the clean samples and does not measure.
    """
    absent = _absent(clean)
    if absent:
        raise InputError(
            f"the clean set ({clean.origin}) has no samples of {list_some(map(repr, absent))}; the noise of a class "
            "can only be measured with clean samples of it. Add some, leave the class out of both sets, or take "
            f"{argument('method', 'learned')}, which trains on the clean samples and does not measure."
        )


def _absent(data: LabeledData) -> list[str]:
    return [name for name, count in zip(data.class_names, data.counts().tolist(), strict=True) if count == 0]


def check_learnable(method: str, data: LabeledData) -> None:
    """Raise an error if a class has no noisy label, or a matrix would have to be learned from too few samples of each.

    Method "gold" learns a class from trusted samples alone.

    >>> from noiselayer.data.labeled import from_arrays
    >>> data = from_arrays(torch.zeros(500, 1), torch.arange(500) % 250)
    >>> check_learnable("learned", data)
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: method='learned' cannot find a noise matrix of 250 classes in 500 samples, 2 a class:
    it takes 10 a class. Take method='normal', which needs no matrix; method='known' with noise_matrix; or give trusted
    labels of every class (clean) and method='estimated'.
    """
    K, N = data.num_classes, len(data)
    if method != "gold" and (absent := _absent(data)):
        raise InputError(
            f"no label of {data.origin} is of {list_some(map(repr, absent))}, which trusted labels name; method "
            f"{method} cannot learn a class from these alone. Leave its samples out of the trusted ones, or give at "
            f"least 10 of these and take {argument('method', 'gold')}, which can, for texts, embeddings and features."
        )
    if method == "learned" and K > _MANY_CLASSES and N < _LEARNABLE_PER_CLASS * K:
        raise InputError(
            f"{argument('method', 'learned')} cannot find a noise matrix of {K:,} classes in {N:,} samples, {N // K} a "
            f"class: it takes {_LEARNABLE_PER_CLASS} a class. Take {argument('method', 'normal')}, which needs no "
            f"matrix; {argument('method', 'known')} with {argument('noise_matrix')}; or give trusted labels of every "
            f"class ({argument('clean')}) and {argument('method', 'estimated')}."
        )


_MANY_CLASSES = 100
_LEARNABLE_PER_CLASS = 10


def check_known(data: LabeledData, noise_matrix: Tensor | None) -> None:
    """Raise an error if a label occurs that the matrix given for the method "known" calls impossible.

    >>> from noiselayer.data.labeled import from_arrays
    >>> check_known(from_arrays(torch.eye(2), ["cat", "dog"]), torch.eye(2))
    """
    if noise_matrix is None:
        return
    annotators = data.annotators if noise_matrix.ndim == 3 else None
    with as_input_errors():
        check_possible(noise_matrix, data.given, class_names=data.class_names, annotators=annotators)


def check_measurable(trusted: LabeledData, folds: int) -> None:
    """Raise an error if models of the clean samples cannot be measured on clean samples of every class.

    ``trusted`` lacks those held out for validation; each fold's model is measured on those it was not trained on.
    """
    few = [n for n, c in zip(trusted.class_names, trusted.counts().tolist(), strict=True) if c < folds]
    if few:
        raise InputError(
            f"the clean set has too few samples of {list_some(map(repr, few))} to train models on it and to measure "
            f"them on the rest: each class needs {folds} besides those held out for validation. Add some, or train the "
            f"models on the noisy set ({argument('measure_with', 'noisy')})."
        )


def check_like(noisy: Inputs, other: Inputs, name: str) -> None:
    """Raise an error if the samples of another set cannot go through the same network."""
    if (other.shape, other.dtype) != (noisy.shape, noisy.dtype):
        raise InputError(
            f"samples of the {name} set must be like the noisy ones, {noisy.shape} of {noisy.dtype}; got "
            f"{other.shape} of {other.dtype}. For images, give both the same {argument('image_size')}."
        )
    check_pixel_units(largest_pixel(other), largest_pixel(noisy), f"the {name} set", "the noisy set")
