"""The data sets of the experiments: readers of their real files, and the loosely labelled sets made of them.

What each file is, where it comes from and under which licence: ``docs/datasets.md``.
"""

from __future__ import annotations

from noiselayer.paper.datasets.cifar10 import CIFAR10_CLASSES, Cifar10, load_cifar10
from noiselayer.paper.datasets.contrast import local_contrast_normalization
from noiselayer.paper.datasets.duplicates import Duplicates, remove_duplicates
from noiselayer.paper.datasets.fashion_mnist import load_fashion_mnist
from noiselayer.paper.datasets.guesser import pixel_guesser
from noiselayer.paper.datasets.image_set import ImageSet
from noiselayer.paper.datasets.loose import (
    LooseSet,
    guess_labels,
    label_shares,
    random_outside,
    web_like_extra,
)
from noiselayer.paper.datasets.outside32 import load_outside32, make_outside32
from noiselayer.paper.datasets.path_set import PathSet, read_class_folders, read_file_list
from noiselayer.paper.datasets.svhn import load_svhn
from noiselayer.paper.datasets.tiny_images import load_tiny_images
from noiselayer.paper.datasets.weak import noisy_by_weak_model, split_clean_noisy

__all__ = [
    "CIFAR10_CLASSES",
    "Cifar10",
    "Duplicates",
    "ImageSet",
    "LooseSet",
    "PathSet",
    "guess_labels",
    "label_shares",
    "load_cifar10",
    "load_fashion_mnist",
    "load_outside32",
    "load_svhn",
    "load_tiny_images",
    "local_contrast_normalization",
    "make_outside32",
    "noisy_by_weak_model",
    "pixel_guesser",
    "random_outside",
    "read_class_folders",
    "read_file_list",
    "remove_duplicates",
    "split_clean_noisy",
    "web_like_extra",
]
