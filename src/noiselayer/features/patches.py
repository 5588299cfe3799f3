"""Features of images without labels and without training: how like a few hundred typical patches their parts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate, unfold

from noiselayer.errors import InputError

CENTROIDS = 200
SIDE = 32
"""Pixels; larger images are scaled down to it."""
_GRID = 3
"""Each centroid's activations are averaged over so many by so many parts of an image."""
_SMALLEST, _LARGEST = 4, 5
"""Pixels of a patch's side."""
_LEAST = 3
"""Pixels of an image's shorter side: a centre and what surrounds it."""
_LEARNED_FROM = 2000  # images
_PATCHES = 60_000
_ROUNDS = 12
_FLAT, _SMOOTH = 0.1, 0.1
"""What is added to variances: of a patch, times their mean, before division; of a direction of normalised patches."""
_ACTIVATIONS = 500_000
"""Numbers at a time, which a processor's cache holds."""


class PatchDictionary(NamedTuple):
    """What :func:`learn_patches` has learned: patches of S x S pixels and C channels are vectors of d = C S S numbers.

    Attributes:
        mean: Shape (d,), of normalised patches.
        whitening: Shape (d, d), what makes their covariance the identity, nearly.
        centroids: Shape (k, d), of whitened patches.
        floor: Added to a patch's variance, so that what is nearly flat does not become noise.
        size: S.
    """

    mean: Tensor
    whitening: Tensor
    centroids: Tensor
    floor: float
    size: int


def learn_patches(images: Tensor, *, centroids: int = CENTROIDS, seed: int = 0) -> PatchDictionary:
    """Typical patches of images, by k-means: no label is looked at, and nothing is trained.

    Every patch gets mean 0 and variance 1, all together are whitened, and k-means begins with some of them. Patches
    are 5 x 5 pixels, of small images 4 x 4. Coates, Ng & Lee 2011, "An analysis of single-layer networks
    in unsupervised feature learning".

    Args:
        images: Shape (N, C, H, W), of any type and in any units; some 2,000 are enough.
        centroids: How many.
        seed: Of what is drawn.

    >>> patches = learn_patches(torch.rand(50, 1, 8, 8), centroids=10)
    >>> patches.centroids.shape, patches.size
    (torch.Size([10, 16]), 4)
    """
    generator = torch.Generator().manual_seed(seed)
    size = min(_LARGEST, max(_SMALLEST, round(min(images.shape[2:]) / 6)), *images.shape[2:])
    per_image = -(-_PATCHES // len(images))
    drawn = []
    for batch in torch.split(images, 256):
        patches = _patches(batch, size)
        positions = patches.shape[1]
        at = torch.randint(positions, (len(batch), min(per_image, positions)), generator=generator)
        at = at.to(patches.device)
        drawn.append(patches.gather(1, at[:, :, None].expand(-1, -1, patches.shape[2])).flatten(0, 1))
    x = torch.cat(drawn)
    floor = _FLAT * float(x.var(dim=1, correction=0).mean()) or 1.0
    x = _normalized(x, floor)
    mean = x.mean(dim=0)
    values, directions = torch.linalg.eigh(torch.cov((x - mean).T))
    whitening = directions @ torch.diag((values.clamp_min(0) + _SMOOTH).rsqrt()) @ directions.T
    x = (x - mean) @ whitening
    order = torch.randperm(len(x), generator=generator).to(x.device)
    c = x[order[:centroids]]
    for _ in range(_ROUNDS):
        nearest = torch.cat([(part @ c.T - (c**2).sum(dim=1) / 2).argmax(dim=1) for part in x.split(8192)])
        counts = torch.bincount(nearest, minlength=len(c))
        sums = torch.zeros_like(c).index_add_(0, nearest, x)
        c = torch.where(counts[:, None] > 0, sums / counts.clamp_min(1)[:, None], c)
    return PatchDictionary(mean, whitening, c, floor, size)


def patch_features(images: Tensor, patches: PatchDictionary) -> Tensor:
    r"""How much nearer than usual each centroid is to the patches of each ninth of an image.

    .. math:: f_k(x) = \max(0,\; \overline{z}(x) - z_k(x)), \qquad z_k(x) = \|x - c_k\|,

    with :math:`\overline{z}` the mean over centroids, averaged over the whitened patches x of each ninth. Beside
    these stand mean and standard deviation of each channel there, for a whitened patch does not say how bright it was.

    Args:
        images: Shape (N, C, H, W), in the units of those that the patches were learned from.
        patches: Of images of the same shape.

    Returns:
        Shape (N, 9 k + 18 C), float32, on the device of the images.

    >>> images = torch.rand(50, 3, 12, 12)
    >>> patch_features(images, learn_patches(images, centroids=10)).shape
    torch.Size([50, 144])
    """
    height, width = (side - patches.size + 1 for side in images.shape[2:])
    mean, whitening, c = (each.to(images.device) for each in patches[:3])
    pool, pixels = (_parts(*each).to(images.device) for each in ((height, width), images.shape[2:]))
    squares, found = (c**2).sum(dim=1), []
    for batch in torch.split(images, max(1, _ACTIVATIONS // (height * width * len(c)))):
        x = _normalized(_patches(batch, patches.size).flatten(0, 1), patches.floor)
        x = (x - mean) @ whitening
        z = torch.addmm(squares, x, c.T, alpha=-2).add_((x**2).sum(dim=1, keepdim=True))
        z = z.clamp_min_(0).sqrt_()
        nearer = torch.sub(z.mean(dim=1, keepdim=True), z, out=z).clamp_min_(0)
        pooled = (pool @ nearer.view(len(batch), height * width, -1)).flatten(1)
        p = batch.float().flatten(2)
        level = p.mean(dim=2, keepdim=True)  # taken out first, for squares of large numbers are not exact
        means = (p - level) @ pixels.T
        spreads = (((p - level) ** 2) @ pixels.T - means**2).clamp_min(0).sqrt()
        found.append(torch.cat([pooled, (means + level).flatten(1), spreads.flatten(1)], dim=1))
    return torch.cat(found)


def has_patches(shape: Sequence[int]) -> bool:
    """Whether samples of that shape, (C, H, W), are images large enough.

    >>> has_patches((1, 28, 28)), has_patches((1, 1, 30)), has_patches((64,))
    (True, False, False)
    """
    return len(shape) == 3 and min(shape[1:]) >= _LEAST


class PatchFeatures:
    """Images by name "patches": :func:`patch_features` of images of any size, and of files.

    Args:
        patches: What was learned from some images.
        shape: Channels, height and width that images are brought to.

    >>> images = np.random.default_rng(0).integers(256, size=(50, 8, 8), dtype=np.uint8)
    >>> PatchFeatures.fit(images).transform(images[:2]).shape
    (2, 1818)
    """

    name = "patches"
    takes = "images"
    standardize = True

    def __init__(self, patches: PatchDictionary, shape: tuple[int, int, int]) -> None:
        self.patches, self.shape = patches, shape

    @classmethod
    def fit(cls, images: Any, seed: int = 0) -> PatchFeatures:
        """Learn from images, of at most 2,000 of them.

        Args:
            images: N arrays of shape (H, W) or (H, W, C), Pillow images or paths of files, or an array of shape
                (N, H, W) or (N, H, W, C); a tensor has shape (N, C, H, W).
            seed: Of what is drawn.

        Raises:
            InputError: If there are none, they are smaller than 3 x 3 pixels, or a file cannot be read.
        """
        count = len(images)
        if not count:
            raise InputError("there are no images to learn patches from.")
        chosen = np.linspace(0, count - 1, min(count, _LEARNED_FROM)).round().astype(int).tolist()
        shape = _shape(images[chosen[len(chosen) // 2]])
        if not has_patches(shape):
            raise InputError(
                f"images must have at least {_LEAST} x {_LEAST} pixels; got {shape[1]} x {shape[2]}."
            )
        shape = shape[0], min(shape[1], SIDE), min(shape[2], SIDE)
        return cls(learn_patches(_pixels(_some(images, chosen), shape), seed=seed), shape)

    def transform(self, samples: Any) -> npt.NDArray[np.float32]:
        """Shape (N, 9 k + 18 C), of images in the form of those that it was fitted to."""
        found = []
        for batch in torch.split(torch.arange(len(samples)), 256):
            images = _pixels(_some(samples, batch.tolist()), self.shape)
            found.append(patch_features(images, self.patches).cpu())
        return torch.cat(found).numpy()

    def to_dict(self) -> dict[str, Any]:
        """What images are brought to, and the size of patches: the same on every machine."""
        return {"name": self.name, "shape": list(self.shape), "size": self.patches.size}

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Mean, whitening, centroids and floor."""
        return {
            name: np.asarray(value.cpu() if isinstance(value, Tensor) else value)
            for name, value in self.patches._asdict().items()
            if name != "size"
        }

    @classmethod
    def from_dict(cls, state: Mapping[str, Any], arrays: Mapping[str, npt.NDArray[Any]]) -> PatchFeatures:
        """What :meth:`to_dict` and :meth:`arrays` gave."""
        mean, whitening, centroids = (
            torch.from_numpy(np.array(arrays[name])) for name in ("mean", "whitening", "centroids")
        )
        channels, height, width = state["shape"]
        patches = PatchDictionary(mean, whitening, centroids, arrays["floor"].item(), state["size"])
        return cls(patches, (channels, height, width))


def _patches(images: Tensor, size: int) -> Tensor:
    """Shape (N, L, d), every patch of every image."""
    return unfold(images.float(), size).transpose(1, 2)


def _normalized(patches: Tensor, floor: float) -> Tensor:
    patches = patches - patches.mean(dim=1, keepdim=True)
    return patches.mul_((patches.square().mean(dim=1, keepdim=True) + floor).rsqrt_())


def _parts(height: int, width: int) -> Tensor:
    """Shape (9, height * width): what averages positions over each part."""
    parts = torch.arange(_GRID)
    rows = torch.arange(height) * _GRID // height == parts[:, None]
    columns = torch.arange(width) * _GRID // width == parts[:, None]
    inside = (rows[:, None, :, None] & columns[None, :, None, :]).flatten(2).flatten(0, 1).float()
    return inside / inside.sum(dim=1, keepdim=True).clamp_min(1)


def _some(samples: Any, chosen: Sequence[int]) -> Any:
    return samples[chosen] if isinstance(samples, np.ndarray | Tensor) else [samples[k] for k in chosen]


def _shape(image: Any) -> tuple[int, int, int]:
    """Channels, height and width of one image."""
    if isinstance(image, Tensor):
        channels, height, width = image.shape
    else:
        height, width, channels = (*np.asarray(_decoded(image)).shape, 1)[:3]
    return channels, height, width


def _decoded(image: Any, shape: tuple[int, int, int] | None = None) -> Any:
    """Anything but a path as it is."""
    if not isinstance(image, str | Path):
        return image
    from noiselayer.files.decode import decode_image, read_rgb  # Pillow is imported on use

    return read_rgb(Path(image)) if shape is None else decode_image(Path(image), shape[1:])


def _pixels(images: Any, shape: tuple[int, int, int]) -> Tensor:
    """Images as a tensor of shape (N, *shape)."""
    if isinstance(images, Tensor):
        x = images
    elif isinstance(images, np.ndarray):
        x = torch.from_numpy(np.ascontiguousarray(images, dtype=np.float32))
        x = x[:, None] if x.ndim == 3 else x.movedim(3, 1)
    else:
        return torch.cat([_pixels(np.asarray(_decoded(image, shape))[None], shape) for image in images])
    if x.shape[1] != shape[0]:
        raise InputError(f"images must have {shape[0]} channels, as in fit; got {x.shape[1]}.")
    if x.shape[2:] != shape[1:]:
        x = interpolate(x.float(), shape[1:], mode="bilinear", antialias=True)
    return x
