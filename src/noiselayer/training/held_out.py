"""What is trained on, and what is held out to stop and to choose by."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from noiselayer.data.inputs import Inputs
from noiselayer.data.labeled import LabeledData
from noiselayer.data.splits import split_validation
from noiselayer.training.batches import Part, clean_part, noisy_part, outside_part
from noiselayer.training.options import TrainingOptions


class TrainingSets(NamedTuple):
    """The sets of one fit.

    Attributes:
        noisy: Noisy samples to train on.
        noisy_validation: Those held out.
        trusted: Clean samples to train on; None without a clean set.
        trusted_validation: Those held out.
        train: All that the main stage trains on.
        validation: All that it validates on.
        rows: Name -> indices of the samples in the sets as they were given.
    """

    noisy: LabeledData
    noisy_validation: LabeledData
    trusted: LabeledData | None
    trusted_validation: LabeledData | None
    train: list[Part]
    validation: list[Part]
    rows: dict[str, Tensor]


def hold_out(
    data: LabeledData, clean: LabeledData | None, outside: Inputs | None, options: TrainingOptions
) -> TrainingSets:
    """Split the noisy and the clean samples at random, every class alike.

    >>> from noiselayer.data.labeled import from_arrays
    >>> data = from_arrays(torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20))
    >>> sets = hold_out(data, None, None, TrainingOptions(validation_fraction=0.2))
    >>> len(sets.noisy), len(sets.noisy_validation)
    (32, 8)
    """
    generator = torch.Generator().manual_seed(options.seed)

    def split(of: LabeledData) -> tuple[Tensor, Tensor]:
        return split_validation(
            of.given, options.validation_fraction, num_classes=of.num_classes, generator=generator
        )

    chosen, held_out = split(data)
    noisy, noisy_validation = data.subset(chosen), data.subset(held_out)
    rows = {"train": chosen, "validation": held_out}
    train, validation = [noisy_part(noisy)], [noisy_part(noisy_validation)]
    trusted = trusted_validation = None
    if clean is not None:
        chosen, held_out = split(clean)
        trusted, trusted_validation = clean.subset(chosen), clean.subset(held_out)
        rows |= {"clean_train": chosen, "clean_validation": held_out}
        if options.train_on_clean:
            train.append(clean_part(trusted))
            validation.append(clean_part(trusted_validation))
    if outside is not None:
        train.append(outside_part(outside))
    return TrainingSets(noisy, noisy_validation, trusted, trusted_validation, train, validation, rows)
