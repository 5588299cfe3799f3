"""Read data: inputs of one shape, labels as class indices, and where both came from.

:func:`read_data` takes files of any form, :func:`from_arrays` takes arrays; both give :class:`LabeledData`.
"""

from __future__ import annotations

from noiselayer.data.array_inputs import ArrayInputs
from noiselayer.data.embedded_inputs import EmbeddedInputs
from noiselayer.data.encoder import TableEncoder
from noiselayer.data.image_files import ImageFileInputs
from noiselayer.data.inputs import Inputs, SubsetInputs, keep_batch
from noiselayer.data.labeled import LabeledData, check_for_training, from_arrays
from noiselayer.data.labels import encode_labels
from noiselayer.data.reading import read_data
from noiselayer.data.splits import overlap, split_validation
from noiselayer.data.table_inputs import TableInputs

__all__ = [
    "ArrayInputs",
    "EmbeddedInputs",
    "ImageFileInputs",
    "Inputs",
    "LabeledData",
    "SubsetInputs",
    "TableEncoder",
    "TableInputs",
    "check_for_training",
    "encode_labels",
    "from_arrays",
    "keep_batch",
    "overlap",
    "read_data",
    "split_validation",
]
