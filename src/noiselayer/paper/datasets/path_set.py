"""Many image files with labels, read when asked for: ImageNet, a folder of web-search results, a list of paths."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from noiselayer.data.image_files import ImageFileInputs, ImageSize
from noiselayer.data.labeled import LabeledData
from noiselayer.data.labels import encode_labels
from noiselayer.data.read_folder import IMAGE_SUFFIXES
from noiselayer.errors import InputError, list_some, nearest
from noiselayer.files.decode import check_images
from noiselayer.paper.datasets.find_files import require_file
from noiselayer.paper.datasets.image_set import Labels


@dataclass(frozen=True, eq=False)
class PathSet:
    """Image files and their labels; no file is opened before its pixels are asked for.

    Attributes:
        paths: N files.
        labels: Shape (N,), int64, class indices 0..K-1.
        class_names: The K names.
        origin: Where they came from, in words.
    """

    paths: tuple[Path, ...]
    labels: Labels
    class_names: tuple[str, ...]
    origin: str

    def __len__(self) -> int:
        return len(self.paths)

    def subset(self, indices: Sequence[int] | npt.NDArray[Any]) -> PathSet:
        """The files at ``indices`` (integers), in that order."""
        chosen = np.asarray(indices, dtype=np.int64)
        return replace(self, paths=tuple(self.paths[k] for k in chosen), labels=self.labels[chosen])

    def readable(self) -> PathSet:
        """The files that can be read; the others are left out with a warning. Decodes every file, on all cores."""
        checks = check_images(self.paths)
        bad = [f"{check.path} ({check.error})" for check in checks if check.error is not None]
        if not bad:
            return self
        if len(bad) == len(self):
            raise InputError(
                f"none of the {len(self):,} images of {self.origin} can be read: {list_some(bad)}."
            )
        warnings.warn(
            f"{len(bad):,} of {len(self):,} images cannot be read and are left out: {list_some(bad)}.",
            stacklevel=2,
        )
        return self.subset([k for k, check in enumerate(checks) if check.error is None])

    def labeled(self, image_size: ImageSize) -> LabeledData:
        """As labelled data to train on, every image brought to this height and width, or one number for both."""
        return LabeledData(
            self.inputs(image_size), torch.from_numpy(self.labels), self.class_names, self.origin
        )

    def inputs(self, image_size: ImageSize) -> ImageFileInputs:
        """The images, RGB, cropped around their centre, decoded when a batch is asked for, without their labels."""
        return ImageFileInputs(self.paths, image_size, fit="crop")


def read_class_folders(folder: Path | str, class_names: Sequence[str] | None = None) -> PathSet:
    """List a folder of class folders, as ImageNet's ``train`` or the results of a search per keyword.

    The folder's name is the label; files at any depth below it count. Found by
    ``torchvision.datasets.ImageFolder``, without opening a file.

    Args:
        folder: Holds one folder per class.
        class_names: The K classes in their order, so that two folders share their labels (some may be empty or
            missing here); the sorted names of the folders if None.

    Raises:
        InputError: If the folder is missing or has no class folders, one has no images (without
            ``class_names``), or a folder's name is not among ``class_names``.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("cat", "dog"):
    ...     (folder / name).mkdir()
    ...     (folder / name / "1.jpg").touch()
    >>> web = read_class_folders(folder, ["bird", "cat", "dog"])
    >>> [path.name for path in web.paths], web.labels
    (['1.jpg', '1.jpg'], array([1, 2]))
    """
    from torchvision.datasets import ImageFolder

    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}, which should hold one folder of images per class.")
    suffixes = ", ".join(IMAGE_SUFFIXES)
    try:
        found = ImageFolder(str(folder), is_valid_file=_is_image, allow_empty=True)
    except FileNotFoundError as error:
        raise InputError(
            f"folder {folder} should hold one folder of images ({suffixes}) per class; it holds no folder."
        ) from error
    samples = [(path, found.classes[k]) for path, k in found.samples if not found.classes[k].startswith(".")]
    if not samples:
        raise InputError(f"the class folders of {folder} hold no images ({suffixes}).")
    names = tuple(name for name in found.classes if not name.startswith("."))
    if class_names is None:
        empty = sorted(set(names) - {name for _, name in samples})
        if empty:
            raise InputError(
                f"class folder {list_some(map(repr, empty))} of {folder} holds no images. Fill or remove it, or "
                "name the classes with class_names."
            )
        class_names = names
    _check_known(set(names), class_names, f"a class folder of {folder}")
    position = {name: k for k, name in enumerate(class_names)}
    labels = np.array([position[name] for _, name in samples], dtype=np.int64)
    return PathSet(tuple(Path(path) for path, _ in samples), labels, tuple(class_names), f"folder {folder}")


def read_file_list(
    file: Path | str, root: Path | str | None = None, class_names: Sequence[str] | None = None
) -> PathSet:
    r"""Read a list of image files, one "path label" a line, as ImageNet's validation images come with.

    The label is what stands behind the last space or tab, so paths may have spaces in them. Empty lines and
    lines that begin with # are passed over. Whether the files are there is not looked at; call
    ``inputs(...).verify()`` before a long run.

    Args:
        file: The list.
        root: What its paths are relative to; its own folder if None.
        class_names: The K classes, in their order: then labels are such names, or positions 0..K-1. Without,
            the classes are the different labels, sorted.

    Raises:
        InputError: If there is no such file, a line has no label, nothing is in it, or a label is none of
            ``class_names``.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "val.txt"
    >>> _ = path.write_text("val/a.jpg dog\nval/b c.jpg cat\n")
    >>> listed = read_file_list(path)
    >>> [path.name for path in listed.paths], listed.labels, listed.class_names
    (['a.jpg', 'b c.jpg'], array([1, 0]), ('cat', 'dog'))
    """
    file = Path(file)
    require_file(file, 'lines "path label"', "Write one image per line.")
    base = file.parent if root is None else Path(root)
    paths: list[Path] = []
    values: list[str] = []
    for number, line in enumerate(file.read_text(encoding="utf-8-sig").splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        parts = line.strip().rsplit(maxsplit=1)
        if len(parts) < 2:
            raise InputError(f'line {number} of {file} must be "path label"; it is {line.strip()!r}.')
        paths.append(base / parts[0])
        values.append(parts[1])
    if not paths:
        raise InputError(f'{file} is empty; it must hold lines "path label".')
    labels, names = encode_labels(values, class_names, name=f"labels of {file}")
    return PathSet(tuple(paths), labels.numpy(), names, f"list {file}")


def _is_image(path: str) -> bool:
    name = Path(path)
    return name.suffix.lower() in IMAGE_SUFFIXES and not name.name.startswith(".")


def _check_known(names: set[str], class_names: Sequence[str], what: str) -> None:
    unknown = sorted(names - set(class_names))
    if unknown:
        raise InputError(
            f"{unknown[0]!r}, {what}, is not one of the {len(class_names):,} classes "
            f"{list_some(class_names)}.{nearest(unknown[0], class_names)}"
        )
