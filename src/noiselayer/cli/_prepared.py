"""The options of ``noiselayer train``, from words to a run that can begin."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any

from noiselayer.cli._parse import parse_devices, parse_list, parse_size

if TYPE_CHECKING:
    from noiselayer.jobs.train import PreparedRun

__all__ = ["prepared"]

# The names of options that the Python interface has under another one.
_RENAMED = {"epochs": "max_epochs"}
_OPTIONS = (
    *(
        "method",
        "model",
        "epochs",
        "warm_up_epochs",
        "batch_size",
        "augmentation",
        "validation_fraction",
        "patience",
        "start",
        "rule",
    ),
    *("noisy_weight", "outside_weight", "alpha", "mixing", "measure_with", "on_nonfinite", "seed"),
)
_RATES = ("learning_rate", "weight_decay", "noise_learning_rate", "trace_penalty", "noise_weight_decay")


def prepared(given: Mapping[str, Any]) -> PreparedRun:
    """Read and check all that a run needs.

    Args:
        given: The arguments of :func:`noiselayer.cli.train.train` by their names.

    Raises:
        InputError: If anything is wrong with them.
    """
    from noiselayer.data.reading import Reading
    from noiselayer.jobs.train_prepare import prepare_run
    from noiselayer.training import Hardware

    chosen = {_RENAMED.get(name, name): given[name] for name in _OPTIONS} | {
        # Switches: only their other position is a choice.
        "train_on_clean": False if given["no_train_on_clean"] else None,
        "fresh_network": False if given["no_fresh_network"] else None,
        "noise_trainable": given["noise_trainable"] or None,
    }
    return prepare_run(
        Reading(
            path=given["data"],
            labels=given["labels"],
            label_column=given["label_column"],
            annotator_column=given["annotator_column"],
            inputs_key=given["inputs_key"],
            layout=given["layout"],
            image_column=given["image_column"],
            image_size=parse_size(given["image_size"]),
            skip_unreadable=given["skip_unreadable"],
            feature_columns=parse_list(given["features"]),
            categorical_columns=parse_list(given["categorical"]) or (),
            impute_missing=given["impute_missing"],
            class_names=parse_list(given["class_names"]),
        ),
        given["out"],
        options={
            name: value.value if isinstance(value, Enum) else value
            for name, value in chosen.items()
            if value is not None
        },
        optimization={name: given[name] for name in _RATES if given[name] is not None},
        hardware=Hardware(
            accelerator=given["accelerator"],
            devices=parse_devices(given["devices"]),
            num_nodes=given["nodes"],
            strategy=given["strategy"],
            precision=given["precision"],
            num_workers=given["workers"],
            progress=not given["no_progress"] and sys.stderr.isatty(),
            logger=None if given["logger"] is None else given["logger"].value,
            log_folder=given["out"] / "logs",
        ),
        noise_matrix=given["noise_matrix"],
        clean=given["clean"],
        clean_labels=given["clean_labels"],
        outside=given["outside"],
        overlapping=given["overlapping"].value,
        test=given["test"],
        test_labels=given["test_labels"],
        resume=given["resume"],
    )
