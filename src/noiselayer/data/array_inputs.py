"""Inputs that lie in an array: images of 8 bits or floats, and plain vectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.arrays.memory_map import Mapped
from noiselayer.arrays.stored_rows import StoredRows
from noiselayer.choices import Layout
from noiselayer.data.inputs import Indices, Inputs
from noiselayer.data.names import RowNumbers
from noiselayer.errors import InputError

_CHANNELS = (1, 3, 4)
_CHUNK = 1 << 24  # numbers looked at in one step, so that checking a memory-mapped file needs little memory


class ArrayInputs(Inputs):
    """Samples in a NumPy array (memory-mapped or not) or a tensor.

    ===============  ==========================  ===============================
    array            taken as                    handed out as
    ===============  ==========================  ===============================
    (N, D) numbers   "vector"                    float32 (D,)
    (N, H, W)        "image", one grey channel   uint8 or float32 (1, H, W)
    4 dimensions     "image", see ``layout``     uint8 or float32 (C, H, W)
    ===============  ==========================  ===============================

    Args:
        array: The samples, first dimension N. Images are uint8 or floating point. The array is not copied.
        layout: Where the channels of a 4-dimensional array are: last ("NHWC") or second ("NCHW"). "auto"
            decides when just one of the two dimensions has a size channels can have (1, 3 or 4), and
            refuses to guess otherwise.
        ids: A name per sample; row numbers counted from 0 if None.
        name: What to call the array in messages.

    Raises:
        InputError: If the array is empty, not numeric, of a shape not listed above, of unclear layout, or
            holds NaN, an infinity or a number too large for float32 (the row is named).

    >>> images = ArrayInputs(np.zeros((10, 32, 32, 3), dtype=np.uint8))
    >>> images.kind, images.shape, images.dtype
    ('image', (3, 32, 32), torch.uint8)
    >>> ArrayInputs(np.array([[1.0, 2.0], [float("nan"), 0.0]]))
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: inputs must be finite float32 numbers; row 1 (counting from 0) holds nan.
    Remove the row or fill the gap.
    """

    def __init__(
        self,
        array: npt.NDArray[Any] | Tensor,
        *,
        layout: Layout = "auto",
        ids: Sequence[str] | None = None,
        name: str = "inputs",
    ) -> None:
        array = _as_numpy(array)
        _check_array(array, name)
        self._array = array
        self._channels_last = array.ndim == 4 and _channels_last(array.shape, layout, name)
        self.kind = "vector" if array.ndim == 2 else "image"
        self.shape = _sample_shape(array.shape, self._channels_last)
        self.dtype = torch.uint8 if self.kind == "image" and array.dtype == np.uint8 else torch.float32
        self._numpy_dtype = np.uint8 if self.dtype == torch.uint8 else np.float32
        self.ids = RowNumbers(len(array)) if ids is None else tuple(ids)
        if len(self.ids) != len(array):
            raise InputError(f"ids must name every sample: {name} has {len(array)}, ids {len(self.ids)}.")
        self._rows = StoredRows(array)
        if self.dtype == torch.float32:
            _check_finite(array, name, self._rows)

    def __getitems__(self, indices: Indices) -> Tensor:
        # A copy, so a read-only memory map never reaches torch.
        batch = self._rows.at(np.asarray(indices, dtype=np.int64)).astype(self._numpy_dtype, copy=False)
        if self._channels_last:
            batch = batch.transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(batch)).reshape(-1, *self.shape)

    def __getstate__(self) -> dict[str, Any]:
        """For another process: a memory map goes as the address of its file."""
        state = {name: value for name, value in self.__dict__.items() if name != "_rows"}
        return {**state, "_array": Mapped.of(self._array) or self._array}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if isinstance(self._array, Mapped):
            self._array = self._array.open()
        self._rows = StoredRows(self._array)


def _as_numpy(array: npt.NDArray[Any] | Tensor) -> npt.NDArray[Any]:
    if isinstance(array, Tensor):
        tensor = array.detach().cpu()
        return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()
    return np.asanyarray(array)  # asanyarray keeps a memory map one


def _check_array(array: npt.NDArray[Any], name: str) -> None:
    if array.dtype.kind not in "biuf":
        raise InputError(f"{name} must be an array of numbers; got dtype {array.dtype}.")
    if array.ndim not in (2, 3, 4):
        raise InputError(
            f"{name} must be vectors (N, D), grey images (N, H, W) or images of 4 dimensions; "
            f"got shape {array.shape}."
        )
    if array.size == 0:
        raise InputError(
            f"{name} must hold at least one sample of at least one number; got shape {array.shape}."
        )
    if array.ndim > 2 and array.dtype != np.uint8 and array.dtype.kind != "f":
        raise InputError(
            f"{name} of shape {array.shape} are taken as images, which must be uint8 (0..255) or floating "
            f"point; got {array.dtype}. Convert them with .astype(numpy.uint8) if they are 0..255."
        )


def _channels_last(shape: tuple[int, ...], layout: Layout, name: str) -> bool:
    if layout not in ("auto", "NHWC", "NCHW"):
        raise InputError(f"layout must be 'auto', 'NHWC' or 'NCHW'; got {layout!r}.")
    if layout != "auto":
        return layout == "NHWC"
    last, second = shape[3] in _CHANNELS, shape[1] in _CHANNELS
    if last == second:
        both = "both dimensions could be" if last else "neither dimension looks like"
        raise InputError(
            f"{name} of shape {shape}: {both} the channels (1, 3 or 4 of them, last or second). "
            "Say layout='NHWC' or layout='NCHW'."
        )
    return last


def _sample_shape(shape: tuple[int, ...], channels_last: bool) -> tuple[int, ...]:
    if len(shape) == 3:
        return (1, *shape[1:])
    return (shape[3], shape[1], shape[2]) if channels_last else shape[1:]


def _check_finite(array: npt.NDArray[Any], name: str, stored: StoredRows) -> None:
    rows = max(1, _CHUNK // (array.size // len(array)))
    for start in range(0, len(array), rows):
        with np.errstate(over="ignore"):
            numbers = np.asarray(stored.between(start, start + rows)).astype(np.float32)
        finite = np.isfinite(numbers).reshape(len(numbers), -1).all(axis=1)
        if not finite.all():
            row = int(np.argmin(finite))
            value = array[start + row][~np.isfinite(numbers[row])].flat[0]
            raise InputError(
                f"{name} must be finite float32 numbers; row {start + row} (counting from 0) holds {value}. "
                "Remove the row or fill the gap."
            )
