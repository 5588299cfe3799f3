"""SVHN, house numbers in MATLAB files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from noiselayer.errors import InputError
from noiselayer.paper.datasets.find_files import missing_files
from noiselayer.paper.datasets.image_set import ImageSet

SVHN_SPLITS = ("train", "extra", "test")
"""73,257, 531,131 and 26,032 images."""


def load_svhn(folder: Path | str, splits: Sequence[str] = SVHN_SPLITS) -> dict[str, ImageSet]:
    """Read the cropped digits of SVHN, 32 x 32 x 3, through ``torchvision.datasets.SVHN``.

    That checks that the files are whole, needs SciPy to read them, and calls the digit 0, which they call
    10, 0.

    Args:
        folder: Where train_32x32.mat, extra_32x32.mat and test_32x32.mat lie.
        splits: Which to read. ``extra`` takes 1.6 GB of memory.

    Returns:
        One entry per split.

    Raises:
        InputError: If a split has another name, a file is missing or not whole, or SciPy is not installed.

    >>> load_svhn("nowhere", ["test"])
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no folder nowhere, which should hold test_32x32.mat. To download it:
    torchvision.datasets.SVHN("nowhere", split="test", download=True).
    """
    folder = Path(folder)
    unknown = [split for split in splits if split not in SVHN_SPLITS]
    if unknown:
        raise InputError(f"splits of SVHN are {', '.join(SVHN_SPLITS)}; got {unknown[0]!r}.")
    return {split: _read(folder, split) for split in splits}


def _read(folder: Path, split: str) -> ImageSet:
    from torchvision.datasets import SVHN

    name = SVHN.split_list[split][1]
    how = f'To download it: torchvision.datasets.SVHN("{folder}", split="{split}", download=True).'
    if not (folder / name).is_file():
        raise missing_files(folder, name, how)
    try:
        data = SVHN(folder, split=split, download=False)
    except ImportError as error:
        raise InputError(f"to read {name} SciPy must be installed: pip install scipy.") from error
    except RuntimeError as error:
        raise InputError(f"{folder / name} is not whole: its checksum is another. {how}") from error
    # torchvision gives (N, C, H, W); a view is enough.
    return ImageSet(data.data.transpose(0, 2, 3, 1), data.labels, tuple(map(str, range(10))))
