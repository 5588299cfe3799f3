"""From files of predictions and labels to a noise matrix in a folder."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from noiselayer.data.label_files import label_file, names_in, read_labels
from noiselayer.data.labels import encode_together
from noiselayer.data.numpy_files import split_address
from noiselayer.data.probabilities import Probabilities, read_probabilities, warn_of_order
from noiselayer.errors import InputError, argument, as_input_errors
from noiselayer.estimation import (
    NoiseEstimate,
    combine_estimates,
    estimate_from_pairs,
    estimate_from_predictions,
)
from noiselayer.estimation.in_words import about_estimate, name_classes
from noiselayer.files.given import check_not_read, check_target_folder, content_of
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.jobs.estimate_options import EstimateJob
from noiselayer.report.matrix_drawing import save_noise_matrices
from noiselayer.storage.environment import versions
from noiselayer.storage.matrix_file import write_entries, write_noise_matrix


@dataclass(frozen=True, eq=False)
class Estimated:
    """What was found; ``parts`` holds the estimates from "predictions" and "pairs", and ``estimate`` is of both."""

    estimate: NoiseEstimate
    class_names: tuple[str, ...]
    samples: dict[str, int]
    parts: dict[str, NoiseEstimate]

    @property
    def warnings(self) -> list[str]:
        """What is to be known before the matrix is used, with class names."""
        return [name_classes(warning, self.class_names) for warning in self.estimate.warnings]

    @property
    def determined(self) -> bool:
        """Whether the data say anything about any entry."""
        error = self.estimate.standard_error
        return error is None or bool(error.isfinite().any())

    @property
    def wrong_labels(self) -> float:
        """The share of noisy labels that are wrong, by this matrix and its class prior."""
        return float(1 - self.estimate.noise_matrix.diagonal() @ self.estimate.class_prior)


def estimate_files(job: EstimateJob) -> Estimated:
    """Estimate a noise matrix, and write it with its errors and a picture; nothing if anything is unfit."""
    if job.force:
        content_of(job.out)
    else:
        check_target_folder(job.out, instead=f"write over it with {argument('force')}")
    evidence = job.evidence
    if job.checked_column is not None:
        evidence["true_labels"] = f"{label_file(evidence['given_labels']).file}:{job.checked_column}"
    check_not_read((job.out,), [split_address(one)[0] for one in evidence.values()])
    labels, probs, names = _read(evidence, job.class_names, gaps=job.checked_column is not None)
    parts: dict[str, NoiseEstimate] = {}
    with as_input_errors(lambda message: name_classes(message, names)):
        if probs:
            parts["predictions"] = estimate_from_predictions(
                probs["clean_probs"],
                labels["clean_labels"],
                probs["noisy_probs"],
                labels["noisy_labels"],
                soft=not job.decisions,
                method=job.method or "auto",
                sparsity=job.sparsity,
                num_bootstrap=job.num_bootstrap or 0,
                confidence=job.confidence,
                generator=torch.Generator().manual_seed(job.seed),
            )
        if "true_labels" in evidence:
            parts["pairs"] = estimate_from_pairs(
                labels["true_labels"],
                labels["given_labels"],
                len(names),
                prior_strength=1.0 if job.prior_strength is None else job.prior_strength,
                confidence=job.confidence,
            )
    estimate = combine_estimates(*parts.values()) if len(parts) == 2 else next(iter(parts.values()))
    counted = {"clean": "clean_labels", "noisy": "noisy_labels", "pairs": "true_labels"}
    samples = {what: len(labels[name]) for what, name in counted.items() if name in labels}
    found = Estimated(estimate, names, samples, parts)
    _write(job, found, evidence)
    return found


def _read(
    given: dict[str, str], class_names: Sequence[str] | None, *, gaps: bool = False
) -> tuple[dict[str, Tensor], dict[str, Tensor], tuple[str, ...]]:
    """Labels and probabilities by the names of their options, and the names of the classes.

    Of pairs with ``gaps``, those are left out that lack one of the labels.
    """
    tables: dict[str, Probabilities] = {
        name: read_probabilities(given[name]) for name in ("clean_probs", "noisy_probs") if name in given
    }
    written = {name: read_labels(given[name]) for name in given if name.endswith("labels")}
    if gaps:
        pair = written["true_labels"], written["given_labels"]
        whole = _present(pair[0]) & _present(pair[1])
        if not whole.any():
            raise InputError(f"{given['true_labels']} is empty: no label has been checked.")
        alone = int((_present(pair[0]) & ~_present(pair[1])).sum())
        if alone:
            warnings.warn(
                f"{alone:,} checked samples have no noisy label; pairs alone are counted, {whole.sum():,} here.",
                stacklevel=2,
            )
        written |= {"true_labels": pair[0][whole], "given_labels": pair[1][whole]}
    known = [table.class_names for table in tables.values() if table.class_names is not None]
    if class_names is None and known:
        class_names = known[0]
    if class_names is not None:
        for table in tables.values():
            table.ordered(
                class_names, chosen=True
            )  # of other classes: said before it looks like a wrong label
    columns = next((table.values.shape[1] for table in tables.values()), None)
    labels, names = encode_together(written, class_names, num_classes=columns)
    for one, other in (
        ("clean_probs", "clean_labels"),
        ("noisy_probs", "noisy_labels"),
        ("true_labels", "given_labels"),
    ):
        if one in tables and (names_of := names_in(label_file(given[other]).file)) is not None:
            tables[one] = tables[one].in_order_of(names_of)
        if one in given:
            sizes = len(tables[one].values) if one in tables else len(labels[one]), len(labels[other])
            if sizes[0] != sizes[1]:
                raise InputError(
                    f"{argument(one)} and {argument(other)} must be of the same samples, in the same order; "
                    f"{given[one]} has {sizes[0]:,} rows, {given[other]} {sizes[1]:,}."
                )
    probs = {name: table.ordered(names, chosen=class_names is not None) for name, table in tables.items()}
    if class_names is None:
        for name, table in tables.items():
            warn_of_order(table, labels[name.replace("probs", "labels")], names)
    return labels, probs, names


def _present(labels: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Where there is a label: no empty cell, no NaN, and no -1 in an array of integers."""
    missing = (
        np.isnan(labels) if labels.dtype.kind == "f" else labels == (-1 if labels.dtype.kind == "i" else "")
    )
    return np.asarray(~missing)


def _write(job: EstimateJob, found: Estimated, evidence: dict[str, str]) -> None:
    out, estimate, names = job.out, found.estimate, found.class_names
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cannot write to the output folder {out}: {error.strerror}.") from error
    write_noise_matrix(out / "noise_matrix.csv", estimate.noise_matrix, names)
    assert estimate.standard_error is not None
    assert estimate.interval is not None
    write_entries(out / "standard_error.csv", estimate.standard_error, names)
    write_entries(out / "interval_low.csv", estimate.interval[0], names)
    write_entries(out / "interval_high.csv", estimate.interval[1], names)
    with whole_file(out / "noise_matrix.png") as beside:
        save_noise_matrices(beside, {f"noise matrix, {estimate.method}": estimate.noise_matrix}, names)
    content = {
        **about_estimate(estimate, names),
        "class_names": list(names),
        "wrong_labels": found.wrong_labels,
        "samples": found.samples,
        "parts": {name: about_estimate(part, names) for name, part in found.parts.items()},
        "sources": evidence,
        "seed": job.seed,
        "versions": versions(),
    }
    write_json(out / "estimate.json", content)
