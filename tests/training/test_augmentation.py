"""Shifts and flips against torchvision's padding and cropping, and where training applies them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as tv

from noiselayer.data.labeled import from_arrays
from noiselayer.errors import InputError
from noiselayer.losses.noise_layer import NoiseLayer
from noiselayer.training.augmentation import augment
from noiselayer.training.methods import fit_classifier
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.options import TrainingOptions, default_options


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8])
@pytest.mark.parametrize(("augmentation", "mirrored"), [("shift", False), ("flip-shift", True)])
def test_every_sample_is_a_shifted_or_mirrored_image_and_all_of_them_come(augmentation, mirrored, dtype):
    image = torch.randperm(3 * 8 * 10, generator=torch.Generator().manual_seed(0)).reshape(3, 8, 10).to(dtype)
    torch.manual_seed(0)
    drawn = augment(image.expand(2000, -1, -1, -1), augmentation, shift=0.2)  # 1 line of 8, 2 columns of 10
    assert drawn.dtype == dtype
    assert drawn.shape == (2000, 3, 8, 10)
    padded = [
        tv.crop(tv.pad(kind, [2, 1], padding_mode="reflect"), top, left, 8, 10)
        for kind in ([image, tv.horizontal_flip(image)] if mirrored else [image])
        for top in range(3)
        for left in range(5)
    ]
    which = (drawn[:, None] == torch.stack(padded)).flatten(2).all(dim=2)
    assert which.any(dim=1).all()
    share = which.float().mean(dim=0)
    assert torch.allclose(share, torch.full_like(share, 1 / len(padded)), atol=0.03)


def test_it_is_the_caller_s_generator_that_decides():
    images = torch.rand(16, 1, 9, 9)
    torch.manual_seed(1)
    first = augment(images, "flip-shift")
    assert not augment(images, "flip-shift").equal(first)
    torch.manual_seed(1)
    assert augment(images, "flip-shift").equal(first)


def test_nothing_is_copied_without_it():
    images = torch.rand(2, 3, 8, 8)
    assert augment(images, "none") is images


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match=r"augmentation must be one of none, shift, flip-shift; got 'crop'"):
        augment(torch.zeros(1, 1, 2, 2), "crop")
    with pytest.raises(
        ValueError, match=r"images of shape \(N, C, H, W\); got \(4, 7\).*augmentation='none'"
    ):
        augment(torch.zeros(4, 7), "shift")
    with pytest.raises(ValueError, match=r"shift must lie in \[0, 1\).*got 1"):
        augment(torch.zeros(1, 1, 2, 2), "shift", shift=1)
    with pytest.raises(ValueError, match="augmentation must be one of"):
        TrainingOptions(augmentation="mirror")


class Watcher(torch.nn.Module):
    """Keeps what it is shown."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(64, 2)
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images.detach().clone())
        return self.linear(images.flatten(1))


def test_training_sees_other_images_and_validation_and_prediction_the_given_ones(monkeypatch):
    network = Watcher()
    module = NoisyLabelModule(network, NoiseLayer(2), augmentation="shift")
    monkeypatch.setattr(module, "log", lambda *args, **options: None)
    images = torch.rand(16, 1, 8, 8)
    batch = (images, torch.arange(16) % 2, torch.zeros(16, dtype=torch.long))
    module.training_step(batch, 0)
    module.validation_step(batch, 0)
    module.predict_step(batch, 0)
    in_training, in_validation, in_prediction = network.seen
    assert not in_training.equal(images)
    assert in_validation.equal(images)
    assert in_prediction.equal(images)


def test_a_run_with_it_repeats_itself_and_differs_from_one_without():
    generator = np.random.default_rng(0)
    X = generator.integers(0, 256, (64, 8, 8, 3), dtype=np.uint8)
    y = generator.integers(0, 2, 64)

    def weights(augmentation: str) -> torch.Tensor:
        options = default_options(
            "image", method="normal", max_epochs=2, batch_size=16, augmentation=augmentation
        )
        return torch.cat(
            [p.flatten() for p in fit_classifier(from_arrays(X, y), options).network.parameters()]
        )

    shifted = weights("flip-shift")
    assert shifted.equal(weights("flip-shift"))
    assert not shifted.equal(weights("none"))


def test_rows_of_a_table_are_not_shifted():
    data = from_arrays(torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20))
    options = default_options("vector", method="normal", augmentation="shift")
    with pytest.raises(
        InputError, match=r"augmentation 'shift' is for images.*these samples have shape \(2,\)"
    ):
        fit_classifier(data, options)
