"""Losses whose matrix comes from a file: theirs always, and nothing that is no noise matrix."""

import pytest
import torch
from torch import nn

from noiselayer import NoisyLabelLoss, TopDownLoss
from noiselayer.noise import pair_flip, random

LOSSES = {"noise_matrix": NoisyLabelLoss, "conversion_matrix": TopDownLoss}
SKEWED = torch.tensor([[0.7, 0.0, 0.4], [0.3, 0.8, 0.0], [0.0, 0.2, 0.6]])


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize(
    ("loaded", "message"),
    [
        (SKEWED.T, r"columns must sum to 1.*; column 2 sums to 0\.8\. Its rows do"),
        (torch.full((3, 3), float("nan")), "finite|NaN"),
        (torch.ones(3, 3, dtype=torch.int64), "columns must sum to 1.*; column 0 sums to 3"),
    ],
)
def test_what_is_no_such_matrix_is_refused_and_the_old_one_stays(
    name: str, loaded: torch.Tensor, message: str
) -> None:
    criterion = nn.ModuleDict({"loss": LOSSES[name](torch.eye(3))})
    for strict in (True, False):
        with pytest.raises(RuntimeError, match=rf"{name} .*{message}"):
            criterion.load_state_dict({f"loss.{name}": loaded}, strict=strict)
    assert torch.equal(getattr(criterion["loss"], name), torch.eye(3))


def test_an_identity_of_integers_is_loaded() -> None:
    criterion = NoisyLabelLoss(SKEWED)
    criterion.load_state_dict({"noise_matrix": torch.eye(3, dtype=torch.int64)})
    assert torch.equal(criterion.noise_matrix, torch.eye(3))


def test_a_negative_probability_is_refused() -> None:
    Q = torch.tensor([[1.1, 0.0], [-0.1, 1.0]])
    with pytest.raises(RuntimeError, match=r"noise_matrix holds probabilities; entry \[1, 0\] is -0.1"):
        NoisyLabelLoss(torch.eye(2)).load_state_dict({"noise_matrix": Q})


def test_one_of_several_annotators_is_named() -> None:
    criterion = NoisyLabelLoss(torch.stack([torch.eye(3), SKEWED]))
    with pytest.raises(RuntimeError, match=r"noise_matrix\[1\] columns must sum to 1"):
        criterion.load_state_dict({"noise_matrix": torch.stack([torch.eye(3), SKEWED.T])})


def test_another_size_is_said_in_torchs_words() -> None:
    with pytest.raises(RuntimeError, match="size mismatch for noise_matrix"):
        NoisyLabelLoss(torch.eye(3)).load_state_dict({"noise_matrix": torch.eye(4)})


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("size", [3, 200])
def test_its_own_checkpoint_is_loaded_whatever_it_has_been_through(dtype: torch.dtype, size: int) -> None:
    Q = random(size, 0.4, generator=torch.Generator().manual_seed(0))
    for criterion in (
        NoisyLabelLoss(Q),
        NoisyLabelLoss(torch.stack([Q, pair_flip(size, 0.45)])),
        TopDownLoss(Q),
    ):
        saved = criterion.to(dtype).to(torch.float32).state_dict()
        again = type(criterion)(torch.eye(size).expand_as(next(iter(saved.values()))))
        again.load_state_dict(saved)
        for key, value in saved.items():
            assert torch.equal(again.state_dict()[key], value)
