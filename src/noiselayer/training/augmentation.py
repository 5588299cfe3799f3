"""Random shifts and flips of images, drawn anew for every sample of every batch."""

from __future__ import annotations

import torch
from torch import Tensor

from noiselayer.choices import Augmentation, check_choice


def augment(images: Tensor, augmentation: Augmentation, *, shift: float = 0.125) -> Tensor:
    """Shift every image by a few pixels up to ``shift`` of its size; "flip-shift" also mirrors every second one.

    Images and result have shape (N, C, H, W), the result in channels-last order in memory unless nothing was done.
    What moves in from outside is the image reflected at its border. Each sample draws its own shift, from torch's
    generator of the images' device. The whole batch is one indexed read, whatever the type of its numbers.
    """
    check_choice("augmentation", augmentation, Augmentation)
    if augmentation == "none":
        return images
    if images.ndim != 4:
        raise ValueError(
            f"augmentation {augmentation!r} is for images of shape (N, C, H, W); got {tuple(images.shape)}. "
            "Take augmentation='none' for other data."
        )
    if not 0 <= shift < 1:
        raise ValueError(f"shift must lie in [0, 1), as a share of the image's size; got {shift}.")
    N, _, H, W = images.shape
    device = images.device
    rows = _shifted(N, H, int(shift * H), device)
    columns = _shifted(N, W, int(shift * W), device)
    if augmentation == "flip-shift":
        mirrored = torch.rand(N, 1, device=device) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    samples = torch.arange(N, device=device)
    # Indexing gives (N, H, W, C): channels-last, as the networks want it.
    chosen = images.permute(0, 2, 3, 1)[samples[:, None, None], rows[:, :, None], columns[:, None, :]]
    return chosen.permute(0, 3, 1, 2)


def _shifted(count: int, size: int, most: int, device: torch.device) -> Tensor:
    """Which line of an image each line of the shifted one is, shape (count, size); reflected at both ends."""
    offsets = torch.randint(-most, most + 1, (count, 1), device=device)
    lines = (torch.arange(size, device=device) + offsets).abs()
    return size - 1 - (size - 1 - lines).abs()
