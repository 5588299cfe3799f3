"""Labelled data from a folder of images, one sub-folder per class."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from noiselayer.data.image_files import read_images
from noiselayer.data.labeled import LabeledData
from noiselayer.data.labels import encode_labels
from noiselayer.data.read_options import ReadOptions
from noiselayer.errors import InputError, argument, list_some

IMAGE_SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")

_SPLITS = {"test", "testing", "train", "training", "val", "valid", "validation"}


def read_folder(folder: Path, how: ReadOptions, *, with_labels: bool = True) -> LabeledData:
    """Read a folder of images; the name of the sub-folder an image lies in (at any depth) is its label.

    Hidden files are ignored; files with other endings too, and counted in ``origin``.

    >>> import tempfile
    >>> from PIL import Image
    >>> folder = Path(tempfile.mkdtemp())
    >>> for name in ("cat", "dog"):
    ...     (folder / name).mkdir()
    ...     Image.new("RGB", (8, 8)).save(folder / name / "1.png")
    >>> data = read_folder(folder, ReadOptions(str(folder)))
    >>> data.class_names, data.inputs.ids
    (('cat', 'dog'), ('cat/1.png', 'dog/1.png'))
    """
    images, others, repeated = files_below(folder)
    if not images:
        raise InputError(f"folder {folder} holds no images ({', '.join(IMAGE_SUFFIXES)}).")
    ids = [path.relative_to(folder).as_posix() for path in images]
    if with_labels:
        _check_class_folders(folder, images, how.class_names)
    inputs, kept, skipped = read_images(images, ids, how.image_size, how.image_fit, how.skip_unreadable)
    notes = []
    if others:
        names = (path.relative_to(folder).as_posix() for path in others)
        notes.append(f"{len(others):,} other files ignored: {list_some(names, 3)}")
    if repeated:
        names = (path.relative_to(folder).as_posix() for path in repeated)
        notes.append(
            f"links to folders that are read already or hold this one, not followed: {list_some(names, 3)}"
        )
    origin = f"folder {folder}" + (f" ({'; '.join(notes)})" if notes else "")
    if not with_labels:
        return LabeledData(inputs, None, tuple(how.class_names or ()), origin, skipped)
    values = [ids[index].split("/")[0] for index in kept]
    if how.class_names is None:
        emptied = {name.split("/")[0] for name in skipped} - set(values)
        if emptied:
            raise InputError(
                f"no image of class {list_some(map(repr, sorted(emptied)))} in {folder} can be read."
            )
    indices, names_found = encode_labels(values, how.class_names, name=f"sub-folders of {folder}")
    return LabeledData(inputs, indices, names_found, origin, skipped)


def read_image(path: Path, how: ReadOptions, *, with_labels: bool = True) -> LabeledData:
    """Read a single image, to predict its class."""
    if with_labels:
        raise InputError(f"{path} is a single image, which has no label; give the folder of images by class.")
    inputs, _, _ = read_images([path], [path.name], how.image_size, how.image_fit, how.skip_unreadable)
    return LabeledData(inputs, None, tuple(how.class_names or ()), str(path))


def files_below(folder: Path) -> tuple[list[Path], list[Path], list[Path]]:
    """Images, sorted by path, other files, and links not followed under a folder, hidden ones left out.

    Links to folders are followed, but no folder is read twice, and none that ``folder`` lies in: a link to a parent
    would never come to an end, and would bring what is beside the data.
    """
    found: tuple[list[Path], list[Path], list[Path]] = ([], [], [])
    images, others, repeated = found
    unreadable: list[str] = []
    above = (parent.stat() for parent in Path(os.path.realpath(folder)).parents)
    seen = {(stat.st_dev, stat.st_ino) for stat in above}
    # Links wait until all folders have been seen where they really are.
    folders: list[Path] = [folder]
    links: list[Path] = []
    while folders or links:
        parent = folders.pop() if folders else links.pop(0)
        try:
            stat = parent.stat()
            if (stat.st_dev, stat.st_ino) in seen:
                repeated.append(parent)
                continue
            seen.add((stat.st_dev, stat.st_ino))
            entries = sorted(os.scandir(parent), key=lambda entry: entry.name)
        except OSError as error:
            unreadable.append(f"{parent} ({error.strerror or error})")
            continue
        for entry in entries:
            path = Path(entry.path)
            if entry.name.startswith("."):
                continue
            if entry.is_dir():
                (links if entry.is_symlink() else folders).append(path)
            else:
                (images if path.suffix.lower() in IMAGE_SUFFIXES else others).append(path)
    if unreadable:
        raise InputError(f"cannot read {list_some(unreadable)}. Give yourself the right to, or remove it.")
    return sorted(images, key=lambda path: path.parts), sorted(others), sorted(repeated)


def images_below(folder: Path) -> list[str]:
    """The images under a folder by the names that :func:`read_folder` gives them, in its order."""
    return [path.relative_to(folder).as_posix() for path in files_below(folder)[0]]


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
    filled = {path.relative_to(folder).parts[0] for path in images}
    empty = [name for name in classes if name not in filled and not _leads_back(folder / name, folder)]
    if empty:
        raise InputError(
            f"class folder {list_some(map(repr, empty))} of {folder} holds no images. Fill or remove it."
        )


def _leads_back(link: Path, folder: Path) -> bool:
    """Whether a link is to the folder it lies in, or to a parent of it: no class."""
    target = link.resolve()
    return link.is_symlink() and (target == folder.resolve() or target in folder.resolve().parents)
