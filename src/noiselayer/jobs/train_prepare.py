"""From files and options to a run that can begin: everything is checked before anything is written."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from torch import Tensor

from noiselayer.data.encoder import TableEncoder
from noiselayer.data.labeled import LabeledData
from noiselayer.data.numpy_files import split_address
from noiselayer.data.pixel_units import largest_pixel
from noiselayer.data.reading import Reading, encoder_of
from noiselayer.errors import InputError, argument, as_input_errors
from noiselayer.files.given import check_not_read, check_writable
from noiselayer.jobs.head_choice import about_head, on_features, suits_head
from noiselayer.jobs.option import differing, given
from noiselayer.jobs.train import PreparedRun
from noiselayer.jobs.train_options import TrainJob
from noiselayer.models import build_model, count_parameters
from noiselayer.storage.environment import is_first_process
from noiselayer.storage.features_file import describe_source
from noiselayer.storage.loaded_run import FORMAT
from noiselayer.storage.matrix_file import read_noise_matrix
from noiselayer.storage.run_folder import RunFolder
from noiselayer.storage.run_sets import RunSets, read_sets
from noiselayer.training.effects import check_effects
from noiselayer.training.frozen_head import HEAD, automatic_head_method, check_head
from noiselayer.training.machine import check_hardware
from noiselayer.training.options import Hardware, Optimization, TrainingOptions, default_options
from noiselayer.training.per_annotator import check_annotators
from noiselayer.training.seeding import seeded
from noiselayer.training.set_checks import automatic_method, check_complete, check_known, check_learnable


def prepare_run(job: TrainJob, *, may_choose_head: bool = True) -> PreparedRun:
    """Read and check everything that a run needs, and write nothing; an option without effect is an error.

    With ``may_choose_head``, embeddings get a head where nobody asked for a network.
    """
    reading, choice_of_features = Reading(job.data, **given(job, Reading)), ""
    if may_choose_head:
        reading, choice_of_features = on_features(job, reading)
    hardware = hardware_of(job, logger=job.logger, log_folder=job.out / "logs")
    inputs = (job.data, job.clean, job.outside, job.test)
    check_not_read((job.out,), (None if one is None else split_address(one)[0] for one in inputs))
    folder = RunFolder(job.out, resume=job.resume or not is_first_process())
    with as_input_errors():
        sets = read_sets(
            reading,
            clean=job.clean,
            clean_labels=job.clean_labels,
            outside=job.outside,
            overlapping=job.overlapping,
            test=job.test,
            test_labels=job.test_labels,
        )
        options = given(job, TrainingOptions)
        if may_choose_head and suits_head(job, sets.noisy):
            options["model"] = HEAD
        chosen = training_options(sets.noisy, options, given(job, Optimization))
        chosen, choice = _method(chosen, sets)
        if chosen.model == HEAD:
            check_head(chosen.method, sets.noisy, differing(job))
            about = about_head(sets.noisy, chosen.method)
            choice = " ".join(filter(None, [choice_of_features, choice, about]))
        _check_method(chosen.method, sets, job.noise_matrix)
        check_effects(chosen, differing(job), clean=sets.clean is not None, outside=sets.outside is not None)
        Q = None if job.noise_matrix is None else read_noise_matrix(job.noise_matrix, sets.noisy.class_names)
        check_annotators(sets.noisy, chosen, Q)
        check_known(sets.noisy, Q)
        check_learnable(chosen.method, sets.noisy)
        with seeded(chosen.seed):
            network = build_model(
                chosen.model,
                num_classes=sets.noisy.num_classes,
                input_shape=tuple(sets.noisy.inputs.shape),
                **chosen.model_options,
            )
    config = run_config(reading, sets, chosen, hardware, Q)
    config |= {"choice": choice, "sources": {"clean": job.clean, "outside": job.outside, "test": job.test}}
    if is_first_process():
        folder.check_same(config)
        check_writable(job.out)
    return PreparedRun(folder, sets, chosen, choice, hardware, Q, config, count_parameters(network))


def run_config(
    reading: Reading, sets: RunSets, options: TrainingOptions, hardware: Hardware, noise_matrix: Tensor | None
) -> dict[str, Any]:
    """What identifies a run, as plain types: the content of config.json, but for the model's arguments."""
    data = sets.noisy
    encoder = encoder_of(data.inputs)
    known: dict[str, Any] | None = None
    if encoder is not None:
        known = encoder.to_dict() if isinstance(encoder, TableEncoder) else describe_source(encoder)
    return {
        "format": FORMAT,
        "options": asdict(options),
        "class_names": list(data.class_names),
        "inputs": {
            "kind": data.inputs.kind,
            "shape": list(data.inputs.shape),
            "dtype": str(data.inputs.dtype).removeprefix("torch."),
        },
        "largest_pixel": largest_pixel(data.inputs),
        "encoder": known,
        **sets.identity(),
        "known_noise_matrix": None if noise_matrix is None else noise_matrix.tolist(),
        "precision": str(hardware.precision),
        "source": data.origin,
        "reading": reading.to_dict(),
    }


def hardware_of(job: Any, **more: Any) -> Hardware:
    """The machine that a job asks for, if it is here; progress bars are for terminals."""
    progress = job.progress and sys.stderr.isatty()
    hardware = Hardware(**{**given(job, Hardware), "progress": progress, **more})
    check_hardware(hardware)
    return hardware


def training_options(
    data: LabeledData, options: dict[str, Any], optimization: dict[str, Any]
) -> TrainingOptions:
    """The defaults for the data with changes; options of the default model mean nothing to another one."""
    default = default_options(data.inputs.kind, num_samples=len(data), given={*options, *optimization})
    if options.get("model", default.model) != default.model:
        options = {"model_options": {}, **options}
    return replace(default, optimization=replace(default.optimization, **optimization), **options)


def _method(options: TrainingOptions, sets: RunSets) -> tuple[TrainingOptions, str | None]:
    """The options with what "auto" takes, and why; so a run resumed with that very method is the same."""
    if options.method != "auto":
        return options, None
    if options.model == HEAD:
        weighted = sets.outside is not None or options.noisy_weight != 1
        method, why = automatic_head_method(sets.noisy, sets.clean, weighted=weighted)
    else:
        method, why = automatic_method(sets.noisy, sets.clean)
    return replace(options, method=method), f"Method {method}: {why}."


def _check_method(method: str, sets: RunSets, noise_matrix: str | Path | None) -> None:
    if (noise_matrix is not None) != (method == "known"):
        matrix = argument("noise_matrix")
        raise InputError(
            f"method known needs the noise matrix: {matrix} FILE.csv."
            if method == "known"
            else f"{matrix} is for the method known; {method} finds its own."
        )
    if method in ("estimated", "refined", "gold") and sets.clean is None:
        raise InputError(
            f"method {method} measures the noise with trusted labels: give some with {argument('clean')} DATA, or take "
            "the method learned, which needs none."
        )
    if method in ("estimated", "refined") and sets.clean is not None:
        check_complete(sets.clean)
