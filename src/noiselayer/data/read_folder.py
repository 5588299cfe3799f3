"""Labelled data from a folder of images, one sub-folder per class."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path

from noiselayer.data.image_index import indexed_checks
from noiselayer.data.images import ImageFileInputs, ImageSize, common_size
from noiselayer.data.labeled import LabeledData
from noiselayer.data.labels import encode_labels
from noiselayer.errors import InputError, argument, list_some

__all__ = ["IMAGE_SUFFIXES", "read_folder", "read_images"]

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

_SPLITS = {"test", "testing", "train", "training", "val", "valid", "validation"}


def read_folder(
    folder: Path,
    *,
    class_names: Sequence[str] | None = None,
    image_size: ImageSize | None = None,
    skip_unreadable: bool = False,
    with_labels: bool = True,
) -> LabeledData:
    """Read a folder of images; the name of the sub-folder an image lies in (at any depth) is its label.

    Hidden files are ignored; files with other endings too, and counted in ``origin``.

    Raises:
        InputError: If there are no images, images lie beside the class folders, a class folder is empty, a
            file cannot be read (all are listed) and ``skip_unreadable`` is not set, or sizes differ and no
            ``image_size`` is given.

    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("cat", "dog"):
    ...     (folder / name).mkdir()
    ...     Image.new("RGB", (8, 8)).save(folder / name / "1.png")
    >>> data = read_folder(folder)
    >>> data.class_names, data.inputs.ids
    (('cat', 'dog'), ('cat/1.png', 'dog/1.png'))
    """
    images, others = _files(folder)
    if not images:
        raise InputError(f"folder {folder} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
    ids = [path.relative_to(folder).as_posix() for path in images]
    if with_labels:
        _check_class_folders(folder, images, class_names)
    inputs, kept, skipped = read_images(images, ids, image_size, skip_unreadable)
    origin = f"folder {folder}"
    if others:
        names = (path.relative_to(folder).as_posix() for path in others)
        origin += f" ({len(others):,} other files ignored: {list_some(names, 3)})"
    if not with_labels:
        return LabeledData(inputs, None, tuple(class_names or ()), origin, skipped)
    values = [ids[index].split("/")[0] for index in kept]
    if class_names is None:
        emptied = {name.split("/")[0] for name in skipped} - set(values)
        if emptied:
            raise InputError(
                f"no image of class {list_some(map(repr, sorted(emptied)))} in {folder} can be read."
            )
    indices, names_found = encode_labels(values, class_names, name=f"sub-folders of {folder}")
    return LabeledData(inputs, indices, names_found, origin, skipped)


def read_images(
    paths: Sequence[Path], ids: Sequence[str], image_size: ImageSize | None, skip_unreadable: bool
) -> tuple[ImageFileInputs, list[int], tuple[str, ...]]:
    """Check that every file can be read, and make inputs of those that can.

    Args:
        paths: The files.
        ids: Their names in messages and results.
        image_size: To bring them to; the size they all share if None.
        skip_unreadable: Leave out files that cannot be read, with a warning, instead of stopping.

    Returns:
        The inputs, the positions in ``paths`` of the files they hold, and the ids of those left out.

    Raises:
        InputError: If a file cannot be read, unless it may be skipped; if none can; if sizes differ and
            ``image_size`` is None.

    >>> read_images([Path("nowhere.png")], ["nowhere.png"], 8, skip_unreadable=False)
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: 1 of 1 images cannot be read: nowhere.png (no such file). Mend or
    remove it, or leave it out with skip_unreadable.
    """
    checks = indexed_checks(paths)
    bad = [(name, check.error) for name, check in zip(ids, checks, strict=True) if check.error is not None]
    kept = [index for index, check in enumerate(checks) if check.error is None]
    listed = list_some((f"{name} ({error})" for name, error in bad), limit=20)
    if bad and (not skip_unreadable or not kept):
        it = "it" if len(bad) == 1 else "them"
        mend = (
            f"Mend or remove {it}, or leave {it} out with {argument('skip_unreadable')}."
            if kept or not skip_unreadable
            else ""
        )
        raise InputError(f"{len(bad):,} of {len(paths):,} images cannot be read: {listed}. {mend}".rstrip())
    if bad:
        warnings.warn(
            f"{len(bad):,} of {len(paths):,} images cannot be read and are skipped: {listed}.", stacklevel=2
        )
    size = common_size(checks) if image_size is None else image_size
    inputs = ImageFileInputs([paths[index] for index in kept], size, ids=[ids[index] for index in kept])
    return inputs, kept, tuple(name for name, _ in bad)


def _files(folder: Path) -> tuple[list[Path], list[Path]]:
    """Images and other files under a folder, sorted, hidden ones left out."""
    images: list[Path] = []
    others: list[Path] = []
    for parent, folders, files in os.walk(folder, followlinks=True):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                path = Path(parent, name)
                (images if path.suffix.lower() in IMAGE_SUFFIXES else others).append(path)
    return sorted(images, key=lambda path: path.parts), others  # the order of paths, compared as plain text


def _check_class_folders(folder: Path, images: Sequence[Path], class_names: Sequence[str] | None) -> None:
    beside = [path.name for path in images if path.parent == folder]
    if len(beside) == len(images):
        raise InputError(
            f"folder {folder} has {len(images):,} images but no sub-folders; the sub-folder that an image "
            "lies in is its label. For labels in a table, give the table as the data and name its column of "
            f"paths with {argument('image_column')}."
        )
    if beside:
        raise InputError(
            f"images lie beside the class folders of {folder}: {list_some(beside)}. Move or remove them."
        )
    classes = sorted(
        path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    )
    if class_names is not None:
        return
    if {name.casefold() for name in classes} <= _SPLITS:
        part = next((name for name in classes if "train" in name.casefold()), classes[0])
        raise InputError(
            f"the sub-folders of {folder} look like parts of a data set ({', '.join(classes)}), not like "
            f"classes; give one of them as the data: {folder / part}."
        )
    empty = sorted(set(classes) - {path.relative_to(folder).parts[0] for path in images})
    if empty:
        raise InputError(
            f"class folder {list_some(map(repr, empty))} of {folder} holds no images. Fill or remove it."
        )
