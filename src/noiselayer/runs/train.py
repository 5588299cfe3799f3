"""A run from files to a folder: everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from noiselayer.data import ImageFileInputs, LabeledData, check_for_training
from noiselayer.data.inputs import Kind
from noiselayer.errors import InputError
from noiselayer.models import build_model, count_parameters
from noiselayer.runs.environment import describe_hardware, evaluation_device, is_first_process, versions
from noiselayer.runs.folder import RunFolder
from noiselayer.runs.loaded import FORMAT
from noiselayer.runs.matrix_file import read_noise_matrix
from noiselayer.runs.plan import in_words, planned_stages, seconds_per_sample
from noiselayer.runs.reading import Reading, fingerprint, table_encoder
from noiselayer.runs.saved import save_run, summarize, trusted_error
from noiselayer.training import Hardware, TrainingOptions, default_options, fit_classifier
from noiselayer.training.seeding import seeded

__all__ = ["PreparedRun", "prepare_run", "run_config"]

_IN_MEMORY = 2 << 30  # bytes of decoded images that are kept instead of read again in every epoch


@dataclass(frozen=True)
class PreparedRun:
    """A run whose data, options and folder have been checked.

    Attributes:
        folder: Where it will write.
        data: Samples and noisy labels.
        options: Method, model, rates.
        hardware: Devices and precision.
        noise_matrix: Shape (K, K), columns = true classes, for the method "known".
        test: Samples with trusted labels, for reading only.
        config: What identifies the run.
        parameters: How many numbers the network learns.
    """

    folder: RunFolder
    data: LabeledData
    options: TrainingOptions
    hardware: Hardware
    noise_matrix: Tensor | None
    test: LabeledData | None
    config: dict[str, Any]
    parameters: int

    @property
    def finished(self) -> bool:
        """Whether this very run lies in the folder already, at its end."""
        return self.folder.config is not None and self.folder.finished

    def plan(self) -> str:
        """What would run, in words, and for about how long; a few steps are timed for that."""
        options, N = self.options, len(self.data)
        device = evaluation_device(self.hardware)
        seconds = seconds_per_sample(self.data, options, device, precision=self.hardware.precision)
        held_out = max(1, round(options.validation_fraction * N))
        stages = planned_stages(options, N - held_out)
        # Validation goes forward only: about a third of a step.
        total = sum(stage.epochs * (stage.samples + held_out / 3) for stage in stages) * seconds
        lines = [
            self.data.summary(),
            f"Method {options.method}, model {options.model} with {self.parameters:,} parameters; "
            f"{N - held_out:,} samples to train on, {held_out:,} held out.",
            *(
                f"{number}. {stage.name}: at most {stage.epochs} epochs of {stage.samples:,} samples."
                for number, stage in enumerate(stages, 1)
            ),
            f"About {in_words(total)} at {1 / seconds:,.0f} samples a second, timed on {device.type}"
            + (f"; patience {options.patience} may end a stage sooner." if options.patience else "."),
        ]
        if self.test is not None:
            lines.append(f"Test error on {len(self.test):,} trusted labels, for reading only.")
        lines.append(f"Nothing was written; the run would go to {self.folder.path}.")
        return "\n".join(lines)

    def execute(
        self, *, on_stage: Callable[[str], None] | None = None, keep_checkpoints: bool = False
    ) -> dict[str, Any] | None:
        """Train, and write the run's folder.

        Args:
            on_stage: Told in words what begins.
            keep_checkpoints: Leave the finished stages in ``stages/``.

        Returns:
            The metrics; None in processes other than the first, which write nothing.

        Raises:
            InputError: If the data turn out to be unfit; what this run has made is removed, unless there
                are checkpoints to go on from.
        """
        first = is_first_process()
        if first:
            self.folder.begin(self.config)
        try:
            trained = fit_classifier(
                self.data,
                self.options,
                noise_matrix=self.noise_matrix,
                hardware=self.hardware,
                folder=self.folder.stages,
                on_stage=on_stage,
            )
        except BaseException:
            if first:
                self.folder.abandon()
            raise
        if not first:
            return None
        device = evaluation_device(self.hardware)
        metrics = summarize(trained, self.data, device)
        if self.test is not None:
            metrics |= trusted_error(trained, self.test, device)
        metrics |= {"versions": versions(), "hardware": describe_hardware(self.hardware)}
        save_run(self.folder.path, trained, config=self.config, metrics=metrics)
        if metrics["finished"] and not keep_checkpoints:
            self.folder.remove_stages()
        return metrics


def prepare_run(
    reading: Reading,
    out: str | Path,
    *,
    options: dict[str, Any] | None = None,
    optimization: dict[str, Any] | None = None,
    hardware: Hardware | None = None,
    noise_matrix: str | Path | None = None,
    test: str | None = None,
    test_labels: str | None = None,
    resume: bool = False,
) -> PreparedRun:
    """Read and check everything that a run needs.

    Args:
        reading: Where the data are, and how to read them.
        out: The folder to write.
        options: Of :class:`~noiselayer.training.TrainingOptions`, where they differ from the defaults for
            this kind of data.
        optimization: Of :class:`~noiselayer.training.Optimization`, likewise.
        hardware: Devices and precision.
        noise_matrix: A file with Q, for the method "known".
        test: Data with trusted labels, read as the training data are.
        test_labels: Where those labels are; under the same name if None.
        resume: Go on with a run that was stopped in ``out``.

    Raises:
        InputError: If anything is wrong; the message says what to do. Nothing has been written.
    """
    hardware = hardware or Hardware()
    folder = RunFolder(out, resume=resume or not is_first_process())
    with _as_input_errors():
        data = reading.read()
        check_for_training(data)
        chosen = _options(data.inputs.kind, options or {})
        chosen = replace(chosen, optimization=replace(chosen.optimization, **(optimization or {})))
        if (noise_matrix is not None) != (chosen.method == "known"):
            raise InputError(
                "method known needs the noise matrix: --noise-matrix FILE.csv."
                if chosen.method == "known"
                else f"--noise-matrix is for the method known; {chosen.method} finds its own."
            )
        Q = None if noise_matrix is None else read_noise_matrix(noise_matrix, data.class_names)
        shape = tuple(data.inputs.shape)
        with seeded(chosen.seed):
            network = build_model(
                chosen.model, num_classes=data.num_classes, input_shape=shape, **chosen.model_options
            )
        trusted = None if test is None else _read_test(reading, data, test, test_labels)
    config = run_config(reading, data, chosen, hardware, Q)
    if is_first_process():
        folder.check_same(config)
    return PreparedRun(
        folder, _in_memory(data), chosen, hardware, Q, trusted, config, count_parameters(network)
    )


def run_config(
    reading: Reading,
    data: LabeledData,
    options: TrainingOptions,
    hardware: Hardware,
    noise_matrix: Tensor | None,
) -> dict[str, Any]:
    """What identifies a run, as plain types: the content of config.json, but for the model's arguments.

    Args:
        reading: How the data were read.
        data: What that gave.
        options: Method, model, rates.
        hardware: Devices and precision.
        noise_matrix: Given for the method "known".
    """
    encoder = table_encoder(data.inputs)
    return {
        "format": FORMAT,
        "options": asdict(options),
        "class_names": list(data.class_names),
        "inputs": {
            "kind": data.inputs.kind,
            "shape": list(data.inputs.shape),
            "dtype": str(data.inputs.dtype).removeprefix("torch."),
        },
        "encoder": None if encoder is None else encoder.to_dict(),
        "data": {"samples": len(data), "fingerprint": fingerprint(data)},
        "known_noise_matrix": None if noise_matrix is None else noise_matrix.tolist(),
        "precision": str(hardware.precision),
        "source": data.source,
        "reading": reading.to_dict(),
    }


def _options(kind: Kind, changes: dict[str, Any]) -> TrainingOptions:
    """The defaults with changes; what the default model is told means nothing to another one."""
    if changes.get("model", default_options(kind).model) != default_options(kind).model:
        changes = {"model_options": {}, **changes}
    return default_options(kind, **changes)


def _read_test(reading: Reading, data: LabeledData, path: str, labels: str | None) -> LabeledData:
    image = data.inputs.kind == "image"
    other = reading.like_this(
        path,
        class_names=data.class_names,
        image_size=(data.inputs.shape[1], data.inputs.shape[2]) if image else None,
        labels=labels,
    )
    test = other.read(encoder=table_encoder(data.inputs))
    if test.inputs.shape != data.inputs.shape or test.inputs.dtype != data.inputs.dtype:
        raise InputError(
            f"the test samples must be like those to train on, of shape {data.inputs.shape} and type "
            f"{data.inputs.dtype}; got {test.inputs.shape}, {test.inputs.dtype}."
        )
    return test


def _in_memory(data: LabeledData) -> LabeledData:
    """Images that fit are decoded once and not in every epoch."""
    if not isinstance(data.inputs, ImageFileInputs):
        return data
    channels, height, width = data.inputs.shape
    if len(data) * channels * height * width > _IN_MEMORY:
        return data
    return replace(data, inputs=data.inputs.in_memory())


@contextmanager
def _as_input_errors() -> Iterator[None]:
    """While nothing but the user's input is looked at, every ValueError is about it."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from error
