"""Of many samples the classifiers of the folds, in the mean, stand for one that is fitted to all."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from noiselayer import corrupt_labels
from noiselayer.features import fit_head, head
from noiselayer.features.cross_fitted import Folds
from noiselayer.noise import symmetric


@pytest.mark.parametrize(("most_of_few", "fits_to_all"), [(2000, 1), (1000, 0)])
def test_a_last_fit_to_all_samples_is_for_few_of_them(
    monkeypatch: pytest.MonkeyPatch, most_of_few: int, fits_to_all: int
) -> None:
    monkeypatch.setattr(head, "MANY", most_of_few)
    fit = Folds.fit
    left_out: list[tuple[int, ...]] = []

    def watched(
        data: Folds, targets: Tensor, ridge: float, start: Tensor | None, folds: Sequence[Any], **more: Any
    ) -> Tensor:
        left_out.extend(folds)
        return fit(data, targets, ridge, start, folds, **more)

    monkeypatch.setattr(Folds, "fit", watched)
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(3, (1500,), generator=generator)
    X = torch.randn(1500, 20, generator=generator) + 3 * torch.eye(20)[truth]
    found = fit_head(X, corrupt_labels(truth, symmetric(3, 0.4), generator=generator), 3)
    assert found.taken == "noise matrix"
    assert left_out.count(()) == fits_to_all
    right = found.logits(X).argmax(dim=1) == truth
    out_of_fold = found.out_of_fold.argmax(dim=1) == truth
    assert right.double().mean() > 0.93
    assert out_of_fold.double().mean() > 0.93
