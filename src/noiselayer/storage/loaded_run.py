"""A run from its folder, and what it says of samples: weights and JSON alone, so that loading one executes nothing."""

from __future__ import annotations

import csv
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor, nn

from noiselayer.arrays.kinds import shown
from noiselayer.data import ArrayInputs, EmbeddedInputs, Inputs, LabeledData, TableEncoder, TableInputs
from noiselayer.data.frames import is_table, require_columns
from noiselayer.data.pixel_units import check_pixel_units, largest_pixel
from noiselayer.data.reading import Encoder, Reading
from noiselayer.errors import InputError, argument
from noiselayer.files.given import check_regular, reading_folder
from noiselayer.files.whole_file import read_json, whole_file
from noiselayer.models import build_model
from noiselayer.storage.features_file import read_source
from noiselayer.storage.matrix_file import read_noise_matrix
from noiselayer.training.logits import predict_logits


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities of the true class, never of the noisy label.

    Attributes:
        ids: A name per sample: its path or its row number.
        probs: Shape (N, K), rows sum to 1.
        class_names: The K names.

    >>> import torch
    >>> predictions = Predictions(("0", "1"), torch.tensor([[0.75, 0.25], [0.0, 1.0]]), ("cat", "dog"))
    >>> predictions.labels, predictions.confidence
    (['cat', 'dog'], tensor([0.7500, 1.0000]))
    """

    ids: tuple[str, ...]
    probs: Tensor
    class_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def indices(self) -> Tensor:
        """The most probable class of each sample, shape (N,), int64."""
        return self.probs.argmax(dim=1)

    @property
    def labels(self) -> list[str]:
        """Its name."""
        return [self.class_names[k] for k in self.indices.tolist()]

    @property
    def confidence(self) -> Tensor:
        """Its probability, shape (N,)."""
        return self.probs.amax(dim=1)

    def header(self, *, probs: bool = False) -> list[str]:
        """The columns of :meth:`write`."""
        return ["id", "label", "probability", *([f"p({name})" for name in self.class_names] if probs else [])]

    def rows(self, *, probs: bool = False) -> Iterator[list[Any]]:
        """The rows of :meth:`write`."""
        parts = zip(self.ids, self.labels, self.confidence.tolist(), self.probs.tolist(), strict=True)
        for name, label, confidence, all_probs in parts:
            yield [name, label, confidence, *(all_probs if probs else [])]

    def write(self, path: str | Path, *, probs: bool = False) -> None:
        r"""Write a table: id, label, probability, and with ``probs`` a column ``p(name)`` for every class.

        Args:
            path: .csv, .parquet, or "-" for CSV on the standard output.
            probs: Also the probabilities of all classes.

        Raises:
            InputError: If the file has another ending or cannot be written.

        >>> import tempfile, torch
        >>> path = Path(tempfile.mkdtemp()) / "predictions.csv"
        >>> Predictions(("a.png",), torch.tensor([[0.75, 0.25]]), ("cat", "dog")).write(path, probs=True)
        >>> path.read_text()
        'id,label,probability,p(cat),p(dog)\na.png,cat,0.75,0.75,0.25\n'
        """
        if str(path) == "-":
            self._write_csv(sys.stdout, probs)
            return
        path = Path(path)
        suffix = check_ending(path)
        try:
            with whole_file(path) as beside:
                if suffix == ".csv":
                    with beside.open("w", encoding="utf-8", newline="") as file:
                        self._write_csv(file, probs)
                else:
                    import pandas as pd

                    frame = pd.DataFrame(list(self.rows(probs=probs)), columns=self.header(probs=probs))
                    frame.to_parquet(beside, index=False)
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror}.") from error

    def _write_csv(self, file: IO[str], probs: bool) -> None:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(self.header(probs=probs))
        for row in self.rows(probs=probs):
            writer.writerow([f"{cell:.6g}" if isinstance(cell, float) else cell for cell in row])


def check_ending(path: Path) -> str:
    """The ending of a file of predictions, before anything is computed for it."""
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".parquet"):
        raise InputError(
            f"{argument('out')} must end with .csv or .parquet, or be - for the screen; got {str(path)!r}."
        )
    return suffix


FORMAT = 1
"""Of config.json; another number means that an older program could misread it."""


@dataclass(frozen=True, eq=False)
class LoadedRun:
    """A trained classifier and what is known of its noise.

    Attributes:
        folder: Where it was loaded from.
        network: Inputs to logits of the true class, in evaluation mode, on the CPU.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        class_names: The K names.
        config: What was asked for.
        metrics: How it went.
        encoder: Of table rows or texts; None if the run was trained on neither.
    """

    folder: Path
    network: nn.Module
    noise_matrix: Tensor
    class_names: tuple[str, ...]
    config: dict[str, Any]
    metrics: dict[str, Any]
    encoder: Encoder | None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Of one sample."""
        return tuple(self.config["inputs"]["shape"])

    def reading(self, path: str | Path, **options: Any) -> Reading:
        """How other samples are read: as those of the training were, but for ``options``."""
        with reading_folder(self.folder / "config.json"):
            image = self.config["inputs"]["kind"] == "image"
            trained = Reading.from_dict(self.config["reading"])
        like = trained.like_this(
            str(path),
            class_names=self.class_names,
            image_size=self.input_shape[1:] if image else None,  # type: ignore[arg-type]
        )
        return replace(like, **options)

    def read(self, path: str | Path, **options: Any) -> LabeledData:
        """Read samples, without labels, as those of the training were read.

        Args:
            path: Data of any form that :func:`noiselayer.data.read_data` knows.
            **options: Of that function, where they differ from the training's.

        Raises:
            InputError: If the data are unfit or of another shape than the run's.
        """
        return self.read_as(self.reading(path, **options), with_labels=False)

    def read_as(self, reading: Reading, *, with_labels: bool) -> LabeledData:
        """Read samples, encoded as those of the training were; the same errors as :meth:`read`."""
        of_rows = is_table(reading.path) and reading.image_column is None
        of_images = getattr(self.encoder, "takes", None) == "images"
        encoder = self.encoder if of_rows or of_images else None
        data = reading.read(encoder=encoder, with_labels=with_labels)
        self._check(data.inputs, data.origin)
        return data

    def predict(
        self, data: Any, *, batch_size: int | None = None, device: torch.device | str | None = None
    ) -> Predictions:
        """Ask the network.

        Args:
            data: A path, :class:`~noiselayer.data.LabeledData`, :class:`~noiselayer.data.Inputs`, an array or
                tensor of samples, for a run on a table a data frame with its feature columns, for one on texts a list
                of texts or a data frame with their column.
            batch_size: Samples at a time; up to 512, fewer of large ones, if None.
            device: Where to compute; where the network is if None.

        Raises:
            InputError: If the samples are unfit or of another shape than the run's.
        """
        inputs = self._inputs(data)
        logits = predict_logits(self.network, inputs, batch_size=batch_size, device=device)
        return Predictions(tuple(inputs.ids), logits.softmax(dim=1), self.class_names)

    def _inputs(self, data: Any) -> Inputs:
        if isinstance(data, str | Path):
            return self.read(data).inputs
        inputs: Inputs
        if isinstance(data, LabeledData):
            inputs = data.inputs
        elif isinstance(data, Inputs):
            inputs = data
        elif isinstance(data, np.ndarray | Tensor):
            inputs = ArrayInputs(data)
        elif hasattr(data, "iloc"):
            if self.encoder is None:
                raise InputError(f"the run in {self.folder} was not trained on a table; give an array.")
            if isinstance(self.encoder, TableEncoder):
                inputs = TableInputs(data, self.encoder)
            else:
                column = self.config["reading"]["text_column"]
                require_columns(data.columns, [column], "the data frame")
                inputs = EmbeddedInputs(data[column].map(str).tolist(), self.encoder)
        elif isinstance(data, list) and data and all(isinstance(text, str) for text in data):
            if self.encoder is None or isinstance(self.encoder, TableEncoder):
                raise InputError(f"the run in {self.folder} was not trained on texts; give an array.")
            inputs = EmbeddedInputs(data, self.encoder)
        else:
            raise InputError(
                "data must be a path, LabeledData, Inputs, an array, a data frame or a list of texts; got "
                f"{type(data).__name__}."
            )
        self._check(inputs, "the data")
        return inputs

    def _check(self, inputs: Inputs, origin: str) -> None:
        kind = self.config["inputs"]["kind"]
        if self.encoder is not None and inputs.kind != kind:
            what = "rows of a table" if isinstance(self.encoder, TableEncoder) else self.encoder.takes
            raise InputError(
                f"the run in {self.folder} was trained on {what}, which {origin} does not hold; its "
                "features would not be encoded in the same way."
            )
        if tuple(inputs.shape) != self.input_shape:
            raise InputError(
                f"the run in {self.folder} takes samples of shape {self.input_shape}; {origin} has samples "
                f"of shape {tuple(inputs.shape)}."
            )
        dtype = str(inputs.dtype).removeprefix("torch.")
        if dtype != self.config["inputs"]["dtype"]:
            raise InputError(
                f"the run in {self.folder} was trained on inputs of type {self.config['inputs']['dtype']}; "
                f"{origin} is of {dtype}. Bytes (0..255) and floats are scaled differently: convert them."
            )
        fitted = self.config.get("largest_pixel")  # none in runs of before 0.2
        check_pixel_units(largest_pixel(inputs), fitted, origin, f"the run in {self.folder}")


def load_run(folder: str | Path) -> LoadedRun:
    """Load a run that ``noiselayer train`` has left, stopped ones too.

    Nothing in the folder is executed: weights are a safetensors file, the rest JSON and CSV.

    Args:
        folder: The run's.

    Returns:
        The network, its noise matrix (columns = true classes) and its class names, ready to predict.

    Raises:
        InputError: If it is not a run's folder, a file in it is missing or damaged, or a newer version of
            this program wrote it.

    >>> import noiselayer
    >>> noiselayer.load_run("nowhere")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: there is no run in nowhere: it has no config.json.
    """
    if not isinstance(folder, str | os.PathLike):
        raise TypeError(f"folder must be a path; got {shown(folder)}.")
    folder = Path(folder)
    check_regular(folder)
    if not os.path.isfile(folder / "config.json"):  # noqa: PTH113 - Path.is_file() raises on names too long
        raise InputError(f"there is no run in {folder}: it has no config.json.")
    config = read_json(folder / "config.json")
    if config.get("format") != FORMAT:
        raise InputError(
            f"the run in {folder} is of format {config.get('format')}, and this version of noiselayer reads "
            f"{FORMAT}. Use the version that wrote it."
        )
    if not (folder / "metrics.json").is_file():
        raise InputError(
            f"the run in {folder} has not come to its end and was not stopped by Ctrl-C; go on with it by "
            "noiselayer train ... --resume."
        )
    with reading_folder(folder / "config.json"):
        class_names, _ = tuple(config["class_names"]), (config["inputs"]["kind"], config["inputs"]["shape"])
        encoder = _read_encoder(config["encoder"], folder)
        try:
            network = build_model(**config["model"])
        except RuntimeError as error:  # torch's, of values that are no numbers
            raise TypeError(str(error)) from error
    _load_weights(network, folder / "weights.safetensors")
    return LoadedRun(
        folder=folder,
        network=network.eval(),
        noise_matrix=read_noise_matrix(folder / "noise_matrix.csv", class_names),
        class_names=class_names,
        config=config,
        metrics=read_json(folder / "metrics.json"),
        encoder=encoder,
    )


load = load_run
"""The name it had before 0.2."""


def _read_encoder(state: dict[str, Any] | None, folder: Path) -> Encoder | None:
    if state is None:
        return None
    return TableEncoder.from_dict(state) if "columns" in state else read_source(folder)


def _load_weights(network: nn.Module, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        network.load_state_dict(load_file(path))
    except (OSError, SafetensorError, RuntimeError) as error:
        reason = str(error).strip().split("\n")[0]
        raise InputError(f"cannot load the weights {path}: {reason}") from error
