"""From files of predictions and labels to a noise matrix in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from noiselayer.data.label_sets import Probabilities, encode_together, read_labels, read_probabilities
from noiselayer.errors import InputError, list_some
from noiselayer.estimation import (
    NoiseEstimate,
    combine_estimates,
    estimate_from_pairs,
    estimate_from_predictions,
)
from noiselayer.estimation.in_words import about_estimate, name_classes
from noiselayer.files.records import whole_file, write_json
from noiselayer.storage.environment import versions
from noiselayer.storage.matrix_file import write_entries, write_noise_matrix

__all__ = ["Estimated", "estimate_files"]

_OF_PREDICTIONS = ("clean_probs", "clean_labels", "noisy_probs", "noisy_labels")
_OF_PAIRS = ("true_labels", "given_labels")


@dataclass(frozen=True, eq=False)
class Estimated:
    """What was found.

    Attributes:
        estimate: The noise matrix with its errors; of both kinds of evidence together, if both were given.
        class_names: The K names.
        samples: How many "clean" and "noisy" samples and "pairs" there were.
        parts: "predictions" and "pairs", whichever were given.
    """

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


def estimate_files(
    out: str | Path,
    *,
    clean_probs: str | None = None,
    clean_labels: str | None = None,
    noisy_probs: str | None = None,
    noisy_labels: str | None = None,
    true_labels: str | None = None,
    given_labels: str | None = None,
    class_names: Sequence[str] | None = None,
    method: str | None = None,
    sparsity: float | None = None,
    decisions: bool = False,
    num_bootstrap: int | None = None,
    prior_strength: float | None = None,
    confidence: float = 0.95,
    seed: int = 0,
    force: bool = False,
) -> Estimated:
    r"""Estimate a noise matrix, and write it with its errors and a picture.

    The evidence is of two kinds; with both, the two estimates are combined by their variances.

    Args:
        out: The folder to write.
        clean_probs: What a model predicts on samples with trusted labels, see
            :func:`~noiselayer.data.label_sets.read_probabilities`; it must have been fitted to neither set.
        clean_labels: Those labels, see :func:`~noiselayer.data.label_sets.read_labels`.
        noisy_probs: What the same model predicts on samples with noisy labels.
        noisy_labels: Those labels.
        true_labels: Trusted labels of samples that have noisy ones as well.
        given_labels: The noisy labels of the same samples, in the same order.
        class_names: The K names in the order of the columns, where the files do not say.
        method: "inverse", "sparse" or "auto" (None), for predictions.
        sparsity: The weight of the penalty for "sparse"; cross-validated if None.
        decisions: Count the most probable class instead of averaging probabilities.
        num_bootstrap: Draws for the standard errors of predictions, 200 if None; 0 for the closed form.
        prior_strength: Imagined pairs in every column, 1 if None.
        confidence: Of the intervals.
        seed: Of cross-validation and bootstrap.
        force: Write over files in ``out``.

    Raises:
        InputError: If anything is unfit; then nothing is written.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "pairs.csv").write_text("true,given\ncat,cat\ncat,dog\ndog,dog\n")
    >>> pairs = {"true_labels": f"{folder}/pairs.csv:true", "given_labels": f"{folder}/pairs.csv:given"}
    >>> estimate_files(folder / "out", **pairs).estimate.noise_matrix
    tensor([[0.5000, 0.2500],
            [0.5000, 0.7500]])
    """
    addresses = {
        "clean_probs": clean_probs,
        "clean_labels": clean_labels,
        "noisy_probs": noisy_probs,
        "noisy_labels": noisy_labels,
        "true_labels": true_labels,
        "given_labels": given_labels,
    }
    given = {name: address for name, address in addresses.items() if address is not None}
    _check_evidence(set(given))
    only_predictions = {"method": method, "sparsity": sparsity, "num_bootstrap": num_bootstrap}
    chosen = [name for name, value in only_predictions.items() if value is not None]
    if clean_probs is None and (chosen or decisions):
        raise InputError(
            f"{_option((chosen or ['decisions'])[0])} is about predictions, and none are given: --clean-probs."
        )
    if true_labels is None and prior_strength is not None:
        raise InputError(
            "--prior-strength is about pairs, and none are given: --true-labels, --given-labels."
        )
    _check_folder(Path(out), force)

    labels, probs, names = _read(given, class_names)
    parts: dict[str, NoiseEstimate] = {}
    try:
        if probs:
            parts["predictions"] = estimate_from_predictions(
                probs["clean_probs"],
                labels["clean_labels"],
                probs["noisy_probs"],
                labels["noisy_labels"],
                soft=not decisions,
                method=method or "auto",
                sparsity=sparsity,
                num_bootstrap=200 if num_bootstrap is None else num_bootstrap,
                confidence=confidence,
                generator=torch.Generator().manual_seed(seed),
            )
        if true_labels is not None:
            parts["pairs"] = estimate_from_pairs(
                labels["true_labels"],
                labels["given_labels"],
                len(names),
                prior_strength=1.0 if prior_strength is None else prior_strength,
                confidence=confidence,
            )
    except ValueError as error:
        raise InputError(name_classes(str(error), names)) from error
    estimate = combine_estimates(*parts.values()) if len(parts) == 2 else next(iter(parts.values()))
    counted = {"clean": "clean_labels", "noisy": "noisy_labels", "pairs": "true_labels"}
    samples = {what: len(labels[name]) for what, name in counted.items() if name in labels}
    found = Estimated(estimate, names, samples, parts)
    _write(Path(out), found, {"sources": given, "seed": seed})
    return found


def _read(
    given: dict[str, str], class_names: Sequence[str] | None
) -> tuple[dict[str, Tensor], dict[str, Tensor], tuple[str, ...]]:
    """Labels and probabilities by the names of their options, and the names of the classes."""
    tables: dict[str, Probabilities] = {
        name: read_probabilities(given[name]) for name in ("clean_probs", "noisy_probs") if name in given
    }
    written = {name: read_labels(given[name]) for name in given if name.endswith("labels")}
    known = [table.class_names for table in tables.values() if table.class_names is not None]
    if class_names is None and known:
        class_names = known[0]
    if class_names is not None:
        for table in tables.values():
            table.ordered(class_names)  # of other classes: said before it looks like a wrong label
    columns = next((table.values.shape[1] for table in tables.values()), None)
    labels, names = encode_together(written, class_names, num_classes=columns)
    for one, other in (("clean_probs", "clean_labels"), ("noisy_probs", "noisy_labels"), _OF_PAIRS):
        if one in given:
            sizes = len(tables[one].values) if one in tables else len(labels[one]), len(labels[other])
            if sizes[0] != sizes[1]:
                raise InputError(
                    f"{_option(one)} and {_option(other)} must be of the same samples, in the same order; "
                    f"{given[one]} has {sizes[0]:,} rows, {given[other]} {sizes[1]:,}."
                )
    return labels, {name: table.ordered(names) for name, table in tables.items()}, names


def _check_evidence(given: set[str]) -> None:
    for needed, what in ((_OF_PREDICTIONS, "predictions"), (_OF_PAIRS, "pairs")):
        missing = [_option(name) for name in needed if name not in given]
        if missing and len(missing) < len(needed):
            raise InputError(f"an estimate from {what} also needs {', '.join(missing)}.")
    if not given:
        raise InputError(
            f"give predictions ({', '.join(map(_option, _OF_PREDICTIONS))}), pairs "
            f"({', '.join(map(_option, _OF_PAIRS))}), or both."
        )


def _check_folder(out: Path, force: bool) -> None:
    if out.exists() and not out.is_dir():
        raise InputError(f"the output folder {out} is a file; name another with --out.")
    content = sorted(file.name for file in out.iterdir()) if out.is_dir() else []
    if content and not force:
        raise InputError(
            f"the output folder {out} is in use (it holds {list_some(content, 4)}). Name another with --out, or "
            "write over it with --force."
        )


def _write(out: Path, found: Estimated, about: dict[str, Any]) -> None:
    from noiselayer.report import save_noise_matrices

    estimate, names = found.estimate, found.class_names
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
        **about,
        "versions": versions(),
    }
    write_json(out / "estimate.json", content)


def _option(name: str) -> str:
    return "--bootstrap" if name == "num_bootstrap" else "--" + name.replace("_", "-")
