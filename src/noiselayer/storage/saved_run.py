"""What a run leaves in its folder."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noiselayer.annotators.describe import describe_annotators
from noiselayer.data import LabeledData, TableEncoder
from noiselayer.estimation.in_words import about_estimate, finite
from noiselayer.features.feature_head import FeatureHead
from noiselayer.files.whole_file import whole_files, write_json, write_rows
from noiselayer.noise.floor import noise_floor
from noiselayer.storage.features_file import write_source
from noiselayer.storage.matrix_file import write_entries, write_noise_matrix
from noiselayer.storage.run_sets import RunSets
from noiselayer.training.checkpoints import save_weights
from noiselayer.training.logits import predict_logits
from noiselayer.training.options import THROUGH_Q
from noiselayer.training.trained import TrainedClassifier

OUT_OF_FOLD = "out_of_fold.npy"
_CURVES = ("epoch", "train_loss", "val_loss", "noise_trace", "noise_learning", "learning_rate", "seconds")


def save_run(
    folder: Path,
    trained: TrainedClassifier,
    *,
    config: dict[str, Any],
    metrics: dict[str, Any],
    encoder: Any = None,
    draw: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Write everything a run leaves, all of it or nothing, ``metrics.json`` last; ``draw`` may add files to them.

    ===============================  =========================================================================
    weights.safetensors              the network, without Q
    noise_matrix.csv                 Q: a row per noisy label, a column per true class
    metrics.json                     how it went
    config.json                      what was asked for, and all that is needed to build the network again
    splits.npz                       which samples were trained and validated on, of the noisy and of the clean set
    sample_counts.csv                how many samples are behind every label: noisy ones that carry it, clean ones of it
    annotators.json                  where it is known who gave each label: how good each is, and its noise matrix
    start_matrix.csv                 where a learned Q started
    noise_matrix_standard_error.csv  of every entry of Q where it was measured (estimated, refined: as measured)
    curves.csv                       an epoch a row, of all stages
    features.json, .safetensors      what makes features of texts, where it is that
    out_of_fold.npy                  of a head on features: log-probabilities of every sample's true class, by a
                                     classifier that has not seen its label, shape (N, K)
    ===============================  =========================================================================
    """
    with whole_files(folder, "metrics.json") as together:
        save_weights(trained.network, together / "weights.safetensors")
        write_noise_matrix(together / "noise_matrix.csv", trained.noise_matrix, trained.class_names)
        splits: dict[str, Any] = {name: indices.numpy() for name, indices in trained.splits.items()}
        np.savez(together / "splits.npz", **splits)
        write_rows(together / "sample_counts.csv", ["class", "noisy", "clean"], _counts(trained))
        if trained.start_matrix is not None:
            write_noise_matrix(together / "start_matrix.csv", trained.start_matrix, trained.class_names)
        if trained.by_annotator is not None and (found := trained.by_annotator.annotators) is not None:
            figures = describe_annotators(trained.by_annotator, found, len(trained.by_annotator))
            write_json(together / "annotators.json", figures)
        if trained.estimate is not None and trained.estimate.standard_error is not None:
            path = together / "noise_matrix_standard_error.csv"
            write_entries(path, trained.estimate.standard_error, trained.class_names)
        rows = [
            [stage.name, *(row.get(column) for column in _CURVES)]
            for stage in trained.stages
            for row in stage.curves
        ]
        write_rows(together / "curves.csv", ["stage", *_CURVES], rows)
        if encoder is not None and not isinstance(encoder, TableEncoder):
            write_source(together, encoder)
        if trained.head is not None:
            np.save(together / OUT_OF_FOLD, trained.head.out_of_fold.float().numpy())
        write_json(together / "config.json", {**config, "model": trained.model_arguments})
        write_json(together / "metrics.json", metrics)
        draw(together)


def summarize(trained: TrainedClassifier, sets: RunSets, device: torch.device) -> dict[str, Any]:
    """The figures of a run.

    ``wrong_labels`` is the share that Q implies for the classes that the network sees in the validation samples.
    """
    last, options = trained.stages[-1], trained.options
    if trained.head is not None:
        probs = trained.head.out_of_fold.exp()
    else:
        validation = sets.noisy.subset(trained.splits["validation"])
        probs = predict_logits(trained.network, validation.inputs, device=device).softmax(dim=1)
    trained.network.cpu()
    samples = {name: len(indices) for name, indices in trained.splits.items()}
    if sets.outside is not None:
        samples["outside"] = len(sets.outside)
    shares, Q = probs.double().mean(dim=0), trained.noise_matrix.double()
    figures = {
        "finished": not trained.interrupted,
        "method": options.method,
        "best_validation_loss": finite(last.best_loss),
        "best_epoch": last.best_epoch,
        "epochs": last.epochs,
        "seconds": sum(stage.seconds for stage in trained.stages),
        "noise_floor": noise_floor(Q, shares),
        # A method that assumes Q = I says nothing of how many labels are wrong.
        "wrong_labels": max(0.0, float(1 - Q.diagonal() @ shares)) if options.method in THROUGH_Q else None,
        "samples": samples,
        "mixed": sets.outside is not None or (sets.clean is not None and options.train_on_clean),
        "dropped": sets.dropped,
        "skipped": len(sets.noisy.skipped),
        "stages": [
            {
                "name": stage.name,
                "epochs": stage.epochs,
                "best_epoch": stage.best_epoch,
                "best_validation_loss": finite(stage.best_loss),
                "switched_at": stage.switched_at,
                "skipped_batches": stage.skipped_batches,
                "seconds": stage.seconds,
            }
            for stage in trained.stages
        ],
    }
    if trained.head is not None:
        head = trained.head
        figures["head"] = {
            "taken": head.taken,
            "ridge": head.ridge if isinstance(head, FeatureHead) else None,
            "gain": finite(head.gain),
            "gain_error": finite(head.gain_error),
            "summary": head.summary(),
            "found_matrix": (head.found_matrix if isinstance(head, FeatureHead) else head.matrix).tolist(),
        }
    if trained.estimate is not None:
        figures["estimate"] = about_estimate(trained.estimate, trained.class_names)
    return figures


def trusted_error(trained: TrainedClassifier, test: LabeledData, device: torch.device) -> dict[str, Any]:
    """The share of wrong predictions on trusted labels, with its standard error; for reading only."""
    predicted = predict_logits(trained.network, test.inputs, device=device).argmax(dim=1)
    trained.network.cpu()
    error = float((predicted != test.given).double().mean())
    return {
        "test_error": error,
        "test_error_standard_error": math.sqrt(error * (1 - error) / len(test)),
        "test_samples": len(test),
    }


def _counts(trained: TrainedClassifier) -> list[list[Any]]:
    """A row per class: its name, training samples with its noisy label, and clean ones of it."""
    none = torch.zeros(len(trained.class_names), dtype=torch.int64)
    columns = [trained.sample_counts.get(name, none).tolist() for name in ("noisy", "clean")]
    return [list(row) for row in zip(trained.class_names, *columns, strict=True)]
