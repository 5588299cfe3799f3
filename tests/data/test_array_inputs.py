from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from noiselayer.data import ArrayInputs, SubsetInputs, keep_batch
from noiselayer.data.inputs import Inputs
from noiselayer.errors import InputError

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (6, 5, 7, 3), dtype=np.uint8)  # N, H, W, C: all sizes differ


def test_channels_last_and_first_give_the_same_images() -> None:
    last = ArrayInputs(IMAGES)
    first = ArrayInputs(np.ascontiguousarray(IMAGES.transpose(0, 3, 1, 2)))
    assert (last.kind, last.shape, last.dtype) == ("image", (3, 5, 7), torch.uint8)
    assert (first.kind, first.shape, first.dtype) == (last.kind, last.shape, last.dtype)
    for n in range(6):
        for c in range(3):
            for h in range(5):
                assert last[n][c, h].tolist() == IMAGES[n, h, :, c].tolist()
    assert torch.equal(first.__getitems__(range(6)), last.__getitems__(range(6)))
    assert last.__getitems__([0, 1]).is_contiguous()


@pytest.mark.parametrize("shape", [(2, 3, 8, 3), (2, 1, 1, 1), (2, 8, 8, 2), (2, 5, 5, 5), (2, 4, 9, 1)])
def test_unclear_layouts_are_not_guessed(shape: tuple[int, ...]) -> None:
    array = np.zeros(shape, dtype=np.uint8)
    with pytest.raises(InputError, match=r"Say layout='NHWC' or layout='NCHW'"):
        ArrayInputs(array)
    _, a, b, c = shape
    assert ArrayInputs(array, layout="NHWC").shape == (c, a, b)
    assert ArrayInputs(array, layout="NCHW").shape == (a, b, c)


def test_an_unknown_layout_is_refused() -> None:
    with pytest.raises(InputError, match=r"'auto', 'NHWC' or 'NCHW'; got 'HWC'"):
        ArrayInputs(IMAGES, layout="HWC")  # type: ignore[arg-type]


def test_grey_images_get_a_channel() -> None:
    grey = ArrayInputs(IMAGES[..., 0])
    assert grey.shape == (1, 5, 7)
    assert grey[2][0].tolist() == IMAGES[2, :, :, 0].tolist()


def test_float_images_stay_unscaled_float32() -> None:
    images = ArrayInputs(IMAGES.astype(np.float64) / 255)
    assert (images.kind, images.dtype) == ("image", torch.float32)
    assert torch.allclose(images[0] * 255, ArrayInputs(IMAGES)[0].float())


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float64", ">f4", ">i2"])
def test_vectors_of_any_numeric_type_become_float32(dtype: str) -> None:
    rows = RNG.integers(0, 2, (4, 3))
    inputs = ArrayInputs(rows.astype(dtype))
    assert (inputs.kind, inputs.shape, inputs.dtype) == ("vector", (3,), torch.float32)
    batch = inputs.__getitems__([3, 0])
    assert batch.dtype == torch.float32
    assert batch.tolist() == rows[[3, 0]].tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.uint8, torch.int64])
def test_tensors_are_taken_too(dtype: torch.dtype) -> None:
    rows = torch.arange(6).reshape(3, 2).to(dtype).requires_grad_(dtype.is_floating_point)
    assert ArrayInputs(rows)[2].tolist() == [4, 5]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e39])
@pytest.mark.parametrize("row", [0, 7])
def test_numbers_that_are_not_finite_are_named_by_row(
    value: float, row: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("noiselayer.data.array_inputs._CHUNK", 6)  # three rows of two numbers at a time
    rows = np.zeros((9, 2))
    rows[row, 1] = value
    with pytest.raises(InputError, match=rf"row {row} \(counting from 0\) holds {value}".replace("+", r"\+")):
        ArrayInputs(rows)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a", "b"]).reshape(2, 1), "array of numbers; got dtype <U1"),
        (np.array([[None]], dtype=object), "array of numbers; got dtype object"),
        (np.zeros((2, 2), dtype=complex), "array of numbers; got dtype complex128"),
        (np.zeros(3), r"vectors \(N, D\).*got shape \(3,\)"),
        (np.zeros((1, 1, 1, 1, 1)), "images of 4 dimensions; got shape"),
        (np.zeros((0, 3)), r"at least one sample.*got shape \(0, 3\)"),
        (np.zeros((3, 0)), r"at least one number; got shape \(3, 0\)"),
        (np.zeros((2, 8, 8), dtype=np.int64), r"must be uint8.*got int64.*astype\(numpy.uint8\)"),
    ],
)
def test_arrays_that_are_no_samples(array: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ArrayInputs(array)


def test_a_memory_map_is_neither_loaded_nor_changed(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", IMAGES)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    inputs = ArrayInputs(mapped)
    assert np.shares_memory(inputs._array, mapped)
    inputs[0].zero_()  # a copy: the read-only map must not be reached
    assert inputs[0].permute(1, 2, 0).tolist() == IMAGES[0].tolist()


def test_ids_are_row_numbers_or_given() -> None:
    assert ArrayInputs(np.eye(2)).ids == ("0", "1")
    assert ArrayInputs(np.eye(2), ids=["a", "b"]).ids == ("a", "b")
    with pytest.raises(InputError, match="inputs has 2, ids 1"):
        ArrayInputs(np.eye(2), ids=["a"])


def test_a_loader_fetches_whole_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    def one_by_one(self: Inputs, index: int) -> torch.Tensor:
        raise AssertionError("fetched one by one")

    monkeypatch.setattr(Inputs, "__getitem__", one_by_one)
    loader = DataLoader(ArrayInputs(IMAGES), batch_size=4, collate_fn=keep_batch)
    assert torch.cat(list(loader)).permute(0, 2, 3, 1).tolist() == IMAGES.tolist()


def test_a_subset_of_a_subset_points_at_the_samples() -> None:
    inputs = ArrayInputs(np.arange(5.0)[:, None], ids=list("abcde"))
    inner = SubsetInputs(SubsetInputs(inputs, [4, 2, 0]), torch.tensor([2, 0, 0]))
    assert inner.base is inputs
    assert (inner.ids, len(inner)) == (("a", "e", "e"), 3)
    assert inner.__getitems__(np.array([1, 0])).tolist() == [[4.0], [0.0]]
    assert (inner.kind, inner.shape, inner.dtype) == (inputs.kind, inputs.shape, inputs.dtype)


@pytest.mark.parametrize("index", [-1, 3])
def test_a_subset_beyond_the_samples_is_refused(index: int) -> None:
    with pytest.raises(InputError, match=rf"0\.\.2 for 3 samples; got {index}"):
        SubsetInputs(ArrayInputs(np.eye(3)), [0, index])
