"""Patch features against the definition, patch by patch, and every form of images against every other."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from noiselayer.errors import InputError
from noiselayer.features import make_source, restore_source
from noiselayer.features.patches import PatchFeatures, learn_patches, patch_features


def images(count: int = 60, *shape: int) -> Any:
    return np.random.default_rng(0).integers(256, size=(count, *(shape or (12, 12, 3))), dtype=np.uint8)


def channels_first(x: Any) -> torch.Tensor:
    return torch.from_numpy(x).movedim(3, 1)


def test_features_are_those_of_the_definition() -> None:
    x = images(5, 9, 7, 3)
    patches = learn_patches(channels_first(x), centroids=7)
    mean, whitening, centroids, floor, size = patches
    found = patch_features(channels_first(x), patches)[0]
    rows, columns = 9 - size + 1, 7 - size + 1
    expected = np.zeros((3, 3, 7))
    counts = np.zeros((3, 3, 1))
    for i in range(rows):
        for j in range(columns):
            p = x[0, i : i + size, j : j + size].transpose(2, 0, 1).ravel().astype(float)
            p = (p - p.mean()) / np.sqrt(p.var() + floor)
            z = np.linalg.norm(whitening.numpy() @ (p - mean.numpy()) - centroids.numpy(), axis=1)
            expected[i * 3 // rows, j * 3 // columns] += np.maximum(0, z.mean() - z)
            counts[i * 3 // rows, j * 3 // columns] += 1
    np.testing.assert_allclose(found[:63].reshape(3, 3, 7), expected / counts, atol=1e-3)  # roots near 0
    corner = x[0, :3, :3].astype(float)  # of nine rows and seven columns
    np.testing.assert_allclose(found[63::9][:3], corner.mean(axis=(0, 1)), atol=1e-3)
    np.testing.assert_allclose(found[90::9], corner.std(axis=(0, 1)), atol=1e-3)


def test_whitened_patches_have_variance_near_one_at_most() -> None:
    x = torch.from_numpy(images(80, 10, 10)).float()[:, None]
    mean, whitening, _, floor, size = learn_patches(x)
    p = torch.nn.functional.unfold(x, size).transpose(1, 2).flatten(0, 1)
    p = (p - p.mean(dim=1, keepdim=True)) / (p.var(dim=1, correction=0, keepdim=True) + floor).sqrt()
    values = torch.linalg.eigvalsh(torch.cov(((p - mean) @ whitening).T))
    assert values.max() < 1
    assert values[1] > 0.8  # but for the direction that every patch's mean has been taken out of


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 1), (28, 28), (32, 24, 3), (20, 20, 4), (70, 50, 3)])
def test_images_of_any_size(shape: tuple[int, ...]) -> None:
    features = PatchFeatures.fit(images(20, *shape)).transform(images(4, *shape))
    assert features.dtype == np.float32
    assert features.shape == (4, 1800 + 18 * (*shape, 1)[2])
    assert np.isfinite(features).all()
    assert (features.std(axis=0) > 0).mean() > 0.9


def test_units_do_not_matter() -> None:
    x = images(60, 8, 8).astype(np.float32)
    one, other = (PatchFeatures.fit(scale * x).transform(scale * x) for scale in (1, 1 / 256))
    np.testing.assert_allclose(one[:, :1800], other[:, :1800], atol=1e-5)
    np.testing.assert_allclose(one[:, 1800:], other[:, 1800:] * 256, rtol=1e-4)


def test_the_same_whatever_images_come_as(tmp_path: Path) -> None:
    x = images()
    paths = [tmp_path / f"{k}.png" for k in range(len(x))]
    for path, image in zip(paths, x, strict=True):
        Image.fromarray(image).save(path)
    expected = PatchFeatures.fit(x).transform(x)
    for form in (list(x), [Image.fromarray(image) for image in x], paths, channels_first(x)):
        assert (PatchFeatures.fit(form).transform(form) == expected).all()


def test_alone_an_image_has_the_features_that_it_has_among_others() -> None:
    x = images()
    source = PatchFeatures.fit(x)
    np.testing.assert_allclose(source.transform(x)[17], source.transform(x[17:18])[0], atol=1e-5)


def test_flat_images_have_features_too() -> None:
    features = PatchFeatures.fit(np.zeros((5, 8, 8))).transform(np.ones((2, 8, 8)))
    assert np.isfinite(features).all()


def test_made_again_from_what_a_folder_holds() -> None:
    source = make_source("patches", images())
    again = restore_source(source.to_dict(), source.arrays())
    assert (again.transform(images()) == source.transform(images())).all()


def test_what_cannot_be_is_said() -> None:
    with pytest.raises(InputError, match="no images to learn patches from"):
        PatchFeatures.fit([])
    with pytest.raises(InputError, match="at least 3 x 3 pixels; got 2 x 9"):
        PatchFeatures.fit(np.zeros((4, 2, 9)))
    with pytest.raises(InputError, match="3 channels, as in fit; got 1"):
        PatchFeatures.fit(images()).transform(images(4, 12, 12))
    with pytest.raises(InputError, match=r"cannot read image nowhere\.png: no such file"):
        PatchFeatures.fit(["nowhere.png"])
