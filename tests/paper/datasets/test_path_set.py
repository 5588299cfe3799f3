from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from noiselayer.errors import InputError
from noiselayer.paper.datasets import read_class_folders, read_file_list


def write_image(path: Path, red: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (6, 6), (red, 0, 0)).save(path)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """As ImageNet's training images: a folder per WordNet number."""
    for number, wnid in enumerate(["n01", "n02", "n03"]):
        for k in range(2):
            write_image(tmp_path / "train" / wnid / f"{wnid}_{k}.JPEG", 100 * number + 10 * k)
    return tmp_path / "train"


def test_class_folders_as_labelled_data(clean: Path) -> None:
    (clean / ".hidden").mkdir()
    (clean / "n01" / "notes.txt").write_text("no image")
    paths = read_class_folders(clean)
    assert paths.class_names == ("n01", "n02", "n03")
    assert paths.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert [path.name for path in paths.paths[:2]] == ["n01_0.JPEG", "n01_1.JPEG"]
    data = paths.subset([5, 0]).labeled(4)
    assert data.labels is not None
    assert (data.labels.tolist(), data.class_names) == ([2, 0], ("n01", "n02", "n03"))
    images = data.inputs.__getitems__([0, 1])
    assert (images.shape, images.dtype) == ((2, 3, 4, 4), torch.uint8)
    assert abs(images[:, 0].float().mean(dim=(1, 2)) - torch.tensor([210.0, 0.0])).max() < 3


def test_no_file_is_opened_to_list_them(clean: Path) -> None:
    (clean / "n02" / "broken.jpg").write_bytes(b"no image")
    paths = read_class_folders(clean)
    assert len(paths) == 7
    assert [check.path.name for check in paths.inputs(4).verify()] == ["broken.jpg"]


def test_files_that_cannot_be_read_are_left_out_with_a_warning(clean: Path) -> None:
    paths = read_class_folders(clean)
    assert paths.readable() is paths
    (clean / "n02" / "broken.jpg").write_bytes(b"no image")
    with pytest.warns(
        UserWarning, match=r"1 of 7 images cannot be read and are left out: .*broken\.jpg \(not an"
    ):
        kept = read_class_folders(clean).readable()
    assert (kept.paths, kept.labels.tolist()) == (paths.paths, paths.labels.tolist())
    for path in clean.rglob("*.JPEG"):
        path.write_bytes(b"")
    with pytest.raises(InputError, match="none of the 7 images of folder .* can be read"):
        read_class_folders(clean).readable()


def test_a_web_search_shares_the_classes_of_the_clean_folder(clean: Path, tmp_path: Path) -> None:
    write_image(tmp_path / "web" / "n03" / "deep" / "a.png", 5)
    write_image(tmp_path / "web" / "n01" / "b.webp", 5)
    (tmp_path / "web" / "n02").mkdir()
    names = read_class_folders(clean).class_names
    web = read_class_folders(tmp_path / "web", names)
    assert (web.class_names, web.labels.tolist()) == (names, [0, 2])
    write_image(tmp_path / "web" / "n3" / "a.png", 5)
    with pytest.raises(
        InputError, match=r"'n3', a class folder of .* 3 classes n01, n02, n03\. Did you mean 'n03'"
    ):
        read_class_folders(tmp_path / "web", names)


def test_class_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="there is no folder .*, which should hold one folder of images per class"
    ):
        read_class_folders(tmp_path / "absent")
    with pytest.raises(InputError, match="per class; it holds no folder"):
        read_class_folders(tmp_path)
    (tmp_path / "cat").mkdir()
    with pytest.raises(InputError, match="the class folders of .* hold no images"):
        read_class_folders(tmp_path)
    write_image(tmp_path / "dog" / "a.png", 0)
    with pytest.raises(InputError, match="class folder 'cat' of .* holds no images"):
        read_class_folders(tmp_path)


def test_a_list_of_paths(tmp_path: Path) -> None:
    # ImageNet's validation list: paths and positions of the classes. A mark at its start, Windows line ends.
    write_image(tmp_path / "val" / "two words.png", 200)
    text = "# validation\r\nval/a.JPEG 2\r\n\r\nval/two words.png\t0\r\n"
    (tmp_path / "val.txt").write_bytes(b"\xef\xbb\xbf" + text.encode())
    listed = read_file_list(tmp_path / "val.txt", class_names=["n01", "n02", "n03"])
    assert listed.paths == (tmp_path / "val" / "a.JPEG", tmp_path / "val" / "two words.png")
    assert listed.labels.tolist() == [2, 0]
    assert listed.labels.dtype == np.int64
    assert listed.subset([1]).inputs(6)[0][0].unique().tolist() == [200]
    elsewhere = read_file_list(tmp_path / "val.txt", tmp_path / "images", ["n01", "n02", "n03"])
    assert elsewhere.paths[0] == tmp_path / "images" / "val" / "a.JPEG"


def test_a_list_with_names(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a.png dog\nb.png cat\nc.png dog\n")
    assert read_file_list(tmp_path / "list.txt").class_names == ("cat", "dog")
    ordered = read_file_list(tmp_path / "list.txt", class_names=["dog", "bird", "cat"])
    assert ordered.labels.tolist() == [0, 2, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.png dog\nb.png\n", r"line 2 of .*list\.txt must be \"path label\"; it is 'b\.png'"),
        ("\n# nothing\n", r"list\.txt is empty; it must hold lines \"path label\""),
        ("a.png dgo\nb.png cat\n", r"'dgo' \(row 0, .* is not one of the 2 classes cat, dog"),
        ("a.png 5\n", r"5"),
    ],
)
def test_lists_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "list.txt").write_text(text)
    with pytest.raises(InputError, match=message):
        read_file_list(tmp_path / "list.txt", class_names=["cat", "dog"])
    with pytest.raises(InputError, match='there is no file .* which should hold lines "path label"'):
        read_file_list(tmp_path / "absent.txt")
