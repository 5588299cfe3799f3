from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noiselayer.data import check_for_training, read_data
from noiselayer.errors import InputError

MakeImage = Callable[..., Path]


def test_sub_folders_are_labels(class_folder: Path) -> None:
    data = read_data(class_folder)
    assert data.labels is not None
    assert data.class_names == ("cat", "dog")
    assert data.inputs.ids == ("cat/0.png", "cat/1.png", "cat/2.png", "dog/0.jpg", "dog/1.jpg")
    assert data.labels.tolist() == [0, 0, 0, 1, 1]
    with Image.open(class_folder / "cat" / "1.png") as image:
        assert data.inputs[1].permute(1, 2, 0).tolist() == np.asarray(image).tolist()
    check_for_training(data)


def test_folders_with_numbers_are_sorted_by_size(tmp_path: Path, make_image: MakeImage) -> None:
    for name in ("0", "1", "2", "10"):
        make_image(tmp_path / name / "deep" / "a.png")
    data = read_data(tmp_path)
    assert data.class_names == ("0", "1", "2", "10")
    assert [
        (data.class_names[label], name.split("/")[0])
        for label, name in zip(data.labels, data.inputs.ids, strict=True)
    ] == [  # type: ignore[arg-type]
        (name, name) for name in ("0", "1", "10", "2")
    ]


def test_other_files_are_told_of_and_hidden_ones_ignored(class_folder: Path, make_image: MakeImage) -> None:
    (class_folder / "cat" / "notes.txt").write_text("a note")
    (class_folder / "cat" / ".DS_Store").write_text("")
    make_image(class_folder / ".thumbnails" / "a.png")
    data = read_data(class_folder)
    assert len(data) == 5
    assert data.origin == f"folder {class_folder} (1 other files ignored: cat/notes.txt)"


def test_images_to_predict_on_may_lie_anywhere(tmp_path: Path, make_image: MakeImage) -> None:
    make_image(tmp_path / "b.png")
    make_image(tmp_path / "deep" / "a.png")
    data = read_data(tmp_path, with_labels=False, class_names=["cat", "dog"])
    assert (data.labels, data.inputs.ids) == (None, ("b.png", "deep/a.png"))


def test_class_names_of_a_model_fix_the_order(class_folder: Path) -> None:
    data = read_data(class_folder, class_names=["dog", "bird", "cat"])
    assert data.labels is not None
    assert data.labels.tolist() == [2, 2, 2, 0, 0]
    with pytest.raises(
        InputError, match=r"'dog' .* is not one of the 2 classes cat, dgo\. Did you mean 'dgo'"
    ):
        read_data(class_folder, class_names=["cat", "dgo"])


def test_different_sizes_need_a_choice(class_folder: Path, make_image: MakeImage) -> None:
    make_image(class_folder / "cat" / "large.png", (20, 30))
    with pytest.raises(
        InputError, match=r"different sizes \(height x width: 8 x 8, 20 x 30\); say with image_size"
    ):
        read_data(class_folder)
    assert read_data(class_folder, image_size=(4, 6)).inputs.shape == (3, 4, 6)


def test_all_damaged_images_are_listed_or_skipped(class_folder: Path, make_image: MakeImage) -> None:
    make_image(class_folder / "cat" / "cut.png", (64, 64), keep=0.5)
    make_image(class_folder / "dog" / "cut.jpg", (64, 64), keep=0.5)
    with pytest.raises(InputError) as caught:
        read_data(class_folder)
    message = str(caught.value)
    assert message.startswith("2 of 7 images cannot be read: cat/cut.png (image file is truncated")
    assert "dog/cut.jpg (image file is truncated" in message
    assert message.endswith("Mend or remove them, or leave them out with skip_unreadable.")
    with pytest.warns(
        UserWarning, match=r"2 of 7 images cannot be read and are skipped: cat/cut\.png .* dog/cut\.jpg"
    ):
        data = read_data(class_folder, skip_unreadable=True)
    assert data.labels is not None
    assert data.labels.tolist() == [0, 0, 0, 1, 1]
    assert data.inputs.ids[0] == "cat/0.png"
    assert data.skipped == ("cat/cut.png", "dog/cut.jpg")
    assert "2 unreadable skipped" in data.summary()


def test_skipping_may_not_empty_a_class_or_the_set(tmp_path: Path, make_image: MakeImage) -> None:
    make_image(tmp_path / "cat" / "a.png")
    make_image(tmp_path / "bird" / "a.png", seed=1)
    (make_image(tmp_path / "dog" / "a.png")).write_text("damaged")
    with (
        pytest.warns(UserWarning, match="1 of 3 images"),
        pytest.raises(InputError, match=r"no image of class 'dog' in .* can be read"),
    ):
        read_data(tmp_path, skip_unreadable=True)
    for path in tmp_path.glob("*/a.png"):
        path.write_text("damaged")
    with pytest.raises(InputError, match="3 of 3 images cannot be read"):
        read_data(tmp_path, skip_unreadable=True)


def test_folders_that_are_no_classes(tmp_path: Path, class_folder: Path, make_image: MakeImage) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match=r"folder .*empty holds no images \(\.bmp"):
        read_data(empty)
    make_image(tmp_path / "flat" / "a.png")
    with pytest.raises(
        InputError, match=r"has 1 images but no sub-folders; the sub-folder that an image lies in"
    ):
        read_data(tmp_path / "flat")
    (tmp_path / "set").mkdir()
    class_folder.rename(tmp_path / "set" / "train")
    with pytest.raises(InputError, match=r"look like parts of a data set \(train\).*set/train\."):
        read_data(tmp_path / "set")
    animals = tmp_path / "set" / "train"
    (animals / "bird").mkdir()
    with pytest.raises(InputError, match=r"class folder 'bird' of .* holds no images"):
        read_data(animals)
    make_image(animals / "stray.png")
    with pytest.raises(InputError, match=r"images lie beside the class folders of .*: stray\.png"):
        read_data(animals)
    make_image(tmp_path / "one" / "cat" / "a.png")
    with pytest.raises(InputError, match="one class only, 'cat'"):
        read_data(tmp_path / "one")
