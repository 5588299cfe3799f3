"""From files and options to a run that can begin: everything is checked before anything is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from noiselayer.choices import Overlapping
from noiselayer.data.inputs import Kind
from noiselayer.data.reading import Reading, table_encoder
from noiselayer.errors import InputError
from noiselayer.jobs.train import PreparedRun
from noiselayer.models import build_model, count_parameters
from noiselayer.storage.environment import is_first_process
from noiselayer.storage.loaded_run import FORMAT
from noiselayer.storage.matrix_file import read_noise_matrix
from noiselayer.storage.run_folder import RunFolder
from noiselayer.storage.run_sets import RunSets, read_sets
from noiselayer.training import Hardware, TrainingOptions, choose_method, default_options
from noiselayer.training.effects import check_effects
from noiselayer.training.per_annotator import check_annotators
from noiselayer.training.seeding import seeded

__all__ = ["prepare_run", "run_config"]


def prepare_run(
    reading: Reading,
    out: str | Path,
    *,
    options: dict[str, Any] | None = None,
    optimization: dict[str, Any] | None = None,
    hardware: Hardware | None = None,
    noise_matrix: str | Path | None = None,
    clean: str | None = None,
    clean_labels: str | None = None,
    outside: str | None = None,
    overlapping: Overlapping = "error",
    test: str | None = None,
    test_labels: str | None = None,
    resume: bool = False,
) -> PreparedRun:
    """Read and check everything that a run needs.

    Args:
        reading: Where the noisy data are, and how to read them.
        out: The folder to write.
        options: Of :class:`~noiselayer.training.TrainingOptions`, where they differ from the defaults for
            this kind of data.
        optimization: Of :class:`~noiselayer.training.Optimization`, likewise.
        hardware: Devices and precision.
        noise_matrix: A file with Q, for the method "known".
        clean: Data with trusted labels to train with, read as the noisy data are.
        clean_labels: Where those labels are; under the same name if None.
        outside: Data that show none of the classes.
        overlapping: What to do with samples that stand in the noisy and in the clean set: an "error", or
            "drop" them from the noisy set.
        test: Data with trusted labels, for reading only.
        test_labels: Where those labels are; under the same name if None.
        resume: Go on with a run that was stopped in ``out``.

    Raises:
        InputError: If anything is wrong, or an option would change nothing; the message says what to do.
            Nothing has been written.
    """
    hardware = hardware or Hardware()
    folder = RunFolder(out, resume=resume or not is_first_process())
    with _as_input_errors():
        sets = read_sets(
            reading,
            clean=clean,
            clean_labels=clean_labels,
            outside=outside,
            overlapping=overlapping,
            test=test,
            test_labels=test_labels,
        )
        chosen = _options(sets.noisy.inputs.kind, options or {})
        chosen = replace(chosen, optimization=replace(chosen.optimization, **(optimization or {})))
        chosen, choice = _method(chosen, sets)
        _check_method(chosen.method, sets, noise_matrix)
        given = {*(options or {}), *(optimization or {})}
        check_effects(chosen, given, clean=sets.clean is not None, outside=sets.outside is not None)
        Q = None if noise_matrix is None else read_noise_matrix(noise_matrix, sets.noisy.class_names)
        check_annotators(sets.noisy, chosen, Q)
        with seeded(chosen.seed):
            network = build_model(
                chosen.model,
                num_classes=sets.noisy.num_classes,
                input_shape=tuple(sets.noisy.inputs.shape),
                **chosen.model_options,
            )
    config = run_config(reading, sets, chosen, hardware, Q)
    config |= {"choice": choice, "sources": {"clean": clean, "outside": outside, "test": test}}
    if is_first_process():
        folder.check_same(config)
    return PreparedRun(folder, sets, chosen, choice, hardware, Q, config, count_parameters(network))


def run_config(
    reading: Reading, sets: RunSets, options: TrainingOptions, hardware: Hardware, noise_matrix: Tensor | None
) -> dict[str, Any]:
    """What identifies a run, as plain types: the content of config.json, but for the model's arguments.

    Args:
        reading: How the noisy data were read.
        sets: What was read.
        options: Method, model, rates; the method is not "auto" any more.
        hardware: Devices and precision.
        noise_matrix: Given for the method "known".
    """
    data = sets.noisy
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
        **sets.identity(),
        "known_noise_matrix": None if noise_matrix is None else noise_matrix.tolist(),
        "precision": str(hardware.precision),
        "source": data.origin,
        "reading": reading.to_dict(),
    }


def _options(kind: Kind, changes: dict[str, Any]) -> TrainingOptions:
    """The defaults with changes; what the default model is told means nothing to another one."""
    if changes.get("model", default_options(kind).model) != default_options(kind).model:
        changes = {"model_options": {}, **changes}
    return default_options(kind, **changes)


def _method(options: TrainingOptions, sets: RunSets) -> tuple[TrainingOptions, str | None]:
    """The options with what "auto" takes, and why; so a run resumed with that very method is the same."""
    if options.method != "auto":
        return options, None
    num_clean = len(sets.clean) if sets.clean is not None else 0
    method, why = choose_method(len(sets.noisy), num_clean, sets.noisy.num_classes)
    return replace(options, method=method), f"Method {method}: {why}."


def _check_method(method: str, sets: RunSets, noise_matrix: str | Path | None) -> None:
    if (noise_matrix is not None) != (method == "known"):
        raise InputError(
            "method known needs the noise matrix: --noise-matrix FILE.csv."
            if method == "known"
            else f"--noise-matrix is for the method known; {method} finds its own."
        )
    if method in ("estimated", "refined") and sets.clean is None:
        raise InputError(
            f"method {method} measures the noise with trusted labels: give some with --clean DATA, or take the method "
            "learned, which needs none."
        )


@contextmanager
def _as_input_errors() -> Iterator[None]:
    """While nothing but the user's input is looked at, every ValueError is about it."""
    try:
        yield
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from error
