"""Sets that do not fit together are refused in words."""

import re

import pytest
import torch

from noiselayer.data import LabeledData, from_arrays
from noiselayer.errors import InputError
from noiselayer.training.set_checks import (
    automatic_method,
    check_clean,
    check_complete,
    check_like,
    check_measurable,
)

NAMES = ["cat", "dog", "bird"]


def labeled(
    labels: list[int], *, first: int = 0, names: list[str] | None = None, width: int = 2
) -> LabeledData:
    """Sample n is a row of the number ``first + n``."""
    inputs = torch.arange(first, first + len(labels)).float()[:, None].repeat(1, width)
    return from_arrays(inputs, labels, class_names=names or NAMES)


NOISY = labeled([0, 1, 2, 0, 1, 2])


def test_sets_that_fit_are_left_as_they_are() -> None:
    assert check_clean(NOISY, labeled([0, 0, 1, 2], first=100)) is NOISY


@pytest.mark.parametrize(
    ("clean", "message"),
    [
        (
            labeled([0, 1, 2], first=100, names=["cat", "dog", "fish"]),
            "the clean and the noisy set must have the same classes in the same order; 'bird' only in the noisy set; "
            "'fish' only in the clean set. Give class_names to say what they are.",
        ),
        (
            labeled([0, 1, 2], first=100, names=["dog", "cat", "bird"]),
            "the clean and the noisy set must have the same classes in the same order; the order differs. Give "
            "class_names to say what they are.",
        ),
        (
            labeled([0, 1], first=100, names=["cat", "dog"]),
            "the clean and the noisy set must have the same classes in the same order; 'bird' only in the noisy set. "
            "Give class_names to say what they are.",
        ),
        (
            labeled([0, 1, 2], first=100, width=3),
            "samples of the clean set must be like the noisy ones, (2,) of torch.float32; got (3,) of torch.float32. "
            "For images, give both the same image_size.",
        ),
        (
            from_arrays(torch.zeros(1, 2), class_names=NAMES, origin="clean.npz"),
            "the clean set needs labels, and clean.npz has none.",
        ),
        (
            labeled([0, 1, 2], first=100),
            "the clean set (arrays in memory) has one sample of each class, so none can be held out for validation; "
            "add some.",
        ),
        (
            labeled([0, 1, 2, 2], first=4),  # rows 4 and 5 are the noisy set's last two
            "2 samples stand in the noisy and in the clean set (such as 4, 5): they would be measured on what was "
            "trained on. Remove them, or drop them from the noisy set (overlapping='drop').",
        ),
    ],
)
def test_sets_that_do_not_fit(clean: LabeledData, message: str) -> None:
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_clean(NOISY, clean)


def test_overlapping_samples_are_dropped_from_the_noisy_set() -> None:
    clean = labeled([0, 1, 2, 2], first=4)
    kept = check_clean(NOISY, clean, overlapping="drop")
    assert kept.inputs.__getitems__(range(len(kept)))[:, 0].tolist() == [0, 1, 2, 3]
    assert kept.labels is not None
    assert kept.labels.tolist() == [0, 1, 2, 0]


def test_overlapping_is_one_of_two_words() -> None:
    with pytest.raises(ValueError, match="overlapping must be 'error' or 'drop'; got 'keep'"):
        check_clean(NOISY, labeled([0, 0, 1, 2], first=100), overlapping="keep")  # type: ignore[arg-type]


@pytest.mark.parametrize(("labels", "absent"), [([0, 1, 1, 0], "'bird'"), ([1, 1], "'cat', 'bird'")])
def test_noise_is_not_measured_without_clean_samples_of_a_class(labels: list[int], absent: str) -> None:
    clean = labeled(labels, first=100)
    message = (
        f"the clean set (arrays in memory) has no samples of {absent}; the noise of a class can only be measured with "
        "clean samples of it. Add some, leave the class out of both sets, or take method='learned', which trains on "
        "the clean samples and does not measure."
    )
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        check_complete(clean)
    warning = (
        f"The clean set has no samples of {absent}, and the noise of a class can only be measured with clean"
    )
    with pytest.warns(UserWarning, match=f"^{re.escape(warning)}"):
        method, why = automatic_method(NOISY, clean)
    assert method == "learned"
    assert why.endswith("it is learned from the noisy samples, and the clean ones are trained on")


def test_every_class_needs_a_sample_a_fold() -> None:
    check_measurable(labeled([0, 0, 1, 1, 2, 2]), 2)
    with pytest.raises(
        InputError, match=r"too few samples of 'dog', 'bird' to train .* each class needs 3 besides"
    ):
        check_measurable(labeled([0, 0, 0, 1, 1, 2]), 3)


def test_outside_samples_of_another_shape_or_type() -> None:
    check_like(NOISY.inputs, labeled([0], first=7).inputs, "outside")
    with pytest.raises(InputError, match=r"samples of the outside set must be like the noisy ones, \(2,\)"):
        check_like(NOISY.inputs, labeled([0], width=3).inputs, "outside")
    images = from_arrays(torch.zeros(2, 1, 4, 4, dtype=torch.uint8), [0, 1], layout="NCHW")
    others = from_arrays(torch.zeros(2, 1, 4, 4), layout="NCHW")
    with pytest.raises(InputError, match=r"\(1, 4, 4\) of torch.uint8; got \(1, 4, 4\) of torch.float32"):
        check_like(images.inputs, others.inputs, "outside")
