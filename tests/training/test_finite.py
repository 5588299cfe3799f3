"""A loss that is not a number: the run stops with its samples, or goes on without the batch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from noiselayer import NoiseLayer
from noiselayer.data import ArrayInputs, LabeledData
from noiselayer.data.inputs import SubsetInputs
from noiselayer.errors import InputError
from noiselayer.models.registry import MODELS
from noiselayer.training.batches import Part, Trust
from noiselayer.training.finite import NonFiniteLossError
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.options import Hardware, TrainingOptions, default_options
from noiselayer.training.seeding import seeded
from noiselayer.training.stage import StageRunner
from noiselayer.training.trained import StageResult, TrainedClassifier

CPU = Hardware(accelerator="cpu", devices=1)


class Spoiled(ArrayInputs):
    """Rows that a disk gives back as NaN, though they were whole when they were checked."""

    def __init__(self, samples: Tensor, rows: Sequence[int], **options: Any) -> None:
        super().__init__(samples, **options)
        self.rows = rows

    def __getitems__(self, indices: Any) -> Tensor:
        batch = super().__getitems__(indices)
        batch[torch.from_numpy(np.isin(np.asarray(indices), self.rows))] = float("nan")
        return batch


def network(num_classes: int, input_shape: Sequence[int]) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4), torch.nn.Linear(4, 2))


def train(
    parts: list[Part], *, folder: Path | None = None, **options: Any
) -> tuple[NoisyLabelModule, StageResult]:
    trained = TrainedClassifier(
        *(torch.nn.Identity(), torch.eye(2), ("0", "1"), TrainingOptions(batch_size=8, **options)),
        model_arguments={"name": "with batch norm", "num_classes": 2, "input_shape": (3,)},
    )
    held_out = Part(ArrayInputs(torch.randn(4, 3)), torch.arange(4) % 2, Trust.NOISY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(MODELS, "with batch norm", network)
        net = StageRunner(trained.options, CPU, folder, trained).run(
            *("main", NoiseLayer(2), parts, [held_out]), max_epochs=trained.options.max_epochs, seed=3
        )
    return net, trained.stages[0]


@pytest.mark.parametrize("alternating", [False, True])
def test_the_samples_of_the_batch_are_named(alternating: bool) -> None:
    x, y = torch.randn(40, 3), torch.arange(40) % 2
    spoiled = Spoiled(x, [17], ids=[f"image-{k}.png" for k in range(40)])
    noisy = SubsetInputs(spoiled, [*range(0, 40, 2), 17])  # row 20 of the set is sample 17
    parts = [Part(noisy, y[noisy.indices], Trust.NOISY), Part(ArrayInputs(x), y, Trust.CLEAN)]
    with pytest.raises(NonFiniteLossError) as caught:
        train(parts, max_epochs=2, mixing="alternating" if alternating else "joined")
    error = caught.value
    assert 17 in error.indices["noisy"]
    assert "image-17.png" in str(error)
    count = sum(map(len, error.indices.values()))
    assert count == 8 or (alternating and count < 8)  # the smaller side starts over within a batch
    assert set(error.indices) == ({"noisy"} if alternating else {"noisy", "clean"})
    assert set(error.indices["noisy"]) <= set(noisy.indices.tolist())
    for words in ("the loss is nan in epoch", "of the noisy set", "learning_rate", "on_nonfinite='skip'"):
        assert words in str(error)
    assert isinstance(error, InputError)


def test_the_batch_is_the_one_that_was_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Found again from the sampler: it must be the very batch, not another that holds the sample."""
    read: list[list[int]] = []

    class Watched(Spoiled):
        def __getitems__(self, indices: Any) -> Tensor:
            read.append(sorted(int(k) for k in indices))
            return super().__getitems__(indices)

    inputs = Watched(torch.randn(64, 3), [5])
    with pytest.raises(NonFiniteLossError) as caught:
        train([Part(inputs, torch.arange(64) % 2, Trust.NOISY)], max_epochs=2)
    assert caught.value.indices["noisy"] == next(batch for batch in read if 5 in batch)
    assert read[caught.value.batch] == caught.value.indices["noisy"]


def test_a_skipped_batch_is_as_if_it_had_not_been(tmp_path: Path) -> None:
    """The weights, the noise matrix and the running statistics are those of the other batches."""
    x, y = torch.randn(24, 3), torch.arange(24) % 2
    still = {"max_epochs": 1, "on_nonfinite": "skip", "folder": tmp_path}
    with pytest.warns(UserWarning, match="batches skipped in stage main: 1. Their loss was NaN or infinite"):
        net, result = train([Part(Spoiled(x, [7]), y, Trust.NOISY)], **still)
    assert result.skipped_batches == 1
    assert result.curves[0]["train_loss"] == pytest.approx(result.curves[0]["train_loss"])
    state = net.state_dict()
    assert all(bool(torch.isfinite(value).all()) for value in state.values())
    assert int(state["network.1.num_batches_tracked"]) == 2
    assert state["noise_layer.noise_matrix"].sum(dim=0).tolist() == pytest.approx([1.0, 1.0])
    with seeded(3):
        first = network(2, (3,))[0].weight
    assert not torch.equal(state["network.0.weight"], first)


def test_without_any_batch_there_is_nothing_to_learn() -> None:
    inputs = Spoiled(torch.randn(16, 3), range(16))
    with pytest.raises(NonFiniteLossError, match="every batch of epoch 0 .* nothing was learned"):
        train([Part(inputs, torch.arange(16) % 2, Trust.NOISY)], on_nonfinite="skip")


def test_the_option_is_checked_and_reaches_the_stage() -> None:
    from noiselayer.data import from_arrays
    from noiselayer.training.methods import fit_classifier

    with pytest.raises(ValueError, match="on_nonfinite must be one of stop, skip; got 'go'"):
        TrainingOptions(on_nonfinite="go")  # type: ignore[arg-type]
    data: LabeledData = from_arrays(torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20))
    options = default_options("vector", method="normal", max_epochs=1, batch_size=8, on_nonfinite="skip")
    spoiled = Spoiled(torch.randn(40, 2), [7])
    spoiled.kind = "table"  # which is not read to be standardised
    data = replace(data, inputs=spoiled)
    with pytest.warns(UserWarning, match="batches skipped in stage main"):
        fit_classifier(data, options, hardware=CPU)
