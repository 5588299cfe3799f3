"""Audits of more samples than memory holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np
from torch import Tensor

from noiselayer.arrays.stored_rows import StoredRows
from noiselayer.arrays.tensors import as_tensor
from noiselayer.audit.audit_result import AuditResult
from noiselayer.audit.checked_batches import ENTRIES, Batches, batches_of_arrays
from noiselayer.audit.passes import Options, audit_batches
from noiselayer.audit.second_look import accuracy_of_batches, check_second_look, mean_of_both
from noiselayer.errors import InputError, reason


def audit_stream(
    labels: Any,
    probs: Any,
    noise_matrix: Tensor | None = None,
    *,
    probs_predict: Literal["given", "true"] | None = None,
    standard_error: Tensor | None = None,
    calibrate: bool = True,
    verified: Any = None,
    threshold: float | None = None,
    class_names: Sequence[str] | None = None,
    top: int | None = 1000,
    check_model: bool = True,
    second_probs: Any = None,
) -> AuditResult:
    """Audit labels whose probabilities are read batch by batch, twice, in memory that does not grow with N.

    The same as :func:`noiselayer.audit_labels` on the same data; what is kept is ``top`` rows, or 20 bytes or
    so for each of all samples if that is None.

    Args:
        labels: Shape (N,), integers 0..K-1; None if the batches of ``probs`` bring them.
        probs: Shape (N, K): an array, a memory-mapped one (its file is read piece by piece, so that it does
            not count as memory either), the path of an .npy file, or a function without arguments that makes
            batches ``(labels, probs)`` or ``(labels, probs, verified)``, the same at both calls: for instance

            :func:`noiselayer.data.parquet_batches.batches_of_parquet`.
        noise_matrix: Shape (K, K), ``noise_matrix[j, i] = p(noisy = j | true = i)``, columns sum to 1.
        probs_predict: As in :func:`noiselayer.audit_labels`, like all that follow.
        standard_error: Of the noise matrix.
        calibrate: Sharpen or soften the probabilities.
        verified: Shape (N,), bool.
        threshold: Of the verdict.
        class_names: For messages and files.
        top: Keep the rows of so many labels, those most likely wrong.
        check_model: Run :func:`noiselayer.check_noise_model`.
        second_probs: Shape (N, K), an array or the path of an .npy file, beside ``probs`` that is one too; as in
            :func:`noiselayer.audit_labels`.

    Raises:
        InputError: If the file cannot be read.
        TypeError: As in :func:`noiselayer.audit_labels`.
        ValueError: Likewise, or if ``probs`` is a generator that can be read only once.
        IndexError: If a label is out of range.

    >>> import tempfile, torch
    >>> path = Path(tempfile.mkdtemp()) / "probs.npy"
    >>> truth = np.arange(3000) % 3
    >>> np.save(path, np.eye(3, dtype=np.float32)[truth] * 0.7 + 0.1)
    >>> labels = np.where(np.arange(3000) % 50 == 0, (truth + 1) % 3, truth)
    >>> audit = audit_stream(labels, path, probs_predict="given", top=60)
    >>> len(audit), audit.flagged, bool(torch.all(audit.samples % 50 == 0))
    (60, 60, True)
    """
    second, both = _second_opinion(labels, probs, second_probs, verified, noise_matrix)
    options = Options(
        noise_matrix=noise_matrix,
        standard_error=standard_error,
        probs_predict=probs_predict,
        calibrate=calibrate,
        threshold=threshold,
        top=top,
        check_model=check_model,
        class_names=None if class_names is None else tuple(class_names),
        accuracy=second,
    )
    if callable(probs):
        if labels is not None or verified is not None:
            raise ValueError("labels and verified come with the batches of probs; give labels=None.")
        return audit_batches(probs, options)
    if isinstance(probs, Iterator):
        raise ValueError(
            "probs is a generator, which can be read once, and an audit reads twice. Give a function that makes it."
        )
    if labels is None:
        raise ValueError("labels are missing: give them, or a function that makes batches (labels, probs).")
    if isinstance(probs, str | Path):
        probs = _memory_mapped(Path(probs))
    N, K = _shape(probs)
    if np.shape(labels) != (N,):
        raise ValueError(
            f"labels must have shape ({N},), one per row of probs; got {tuple(np.shape(labels))}."
        )
    if both is not None:
        return audit_batches(both, options, num_classes=K, num_samples=N)
    if isinstance(probs, np.memmap):
        return audit_batches(_batches_of_file(labels, probs, verified), options, num_classes=K, num_samples=N)
    return audit_batches(batches_of_arrays(labels, probs, verified), options, num_classes=K, num_samples=N)


def _second_opinion(
    labels: Any, probs: Any, second_probs: Any, verified: Any, noise_matrix: Any
) -> tuple[float | None, Batches | None]:
    """How often the mean of both models is right, and batches of it; None without a second one."""
    if second_probs is None:
        return None, None
    check_second_look(noise_matrix)
    if callable(probs) or labels is None:
        raise ValueError(
            "second_probs needs labels, and probs as an array or a file: batches bring one model's probabilities."
        )
    both = [_memory_mapped(Path(p)) if isinstance(p, str | Path) else p for p in (probs, second_probs)]
    (N, K), second = _shape(both[0]), tuple(getattr(both[1], "shape", ()))
    if second != (N, K):
        raise ValueError(
            f"second_probs must have the shape of probs, ({N}, {K}), of the same samples; got {second}."
        )
    read = [StoredRows(p).between if isinstance(p, np.memmap) else lambda a, b, p=p: p[a:b] for p in both]
    rows = max(1, ENTRIES // K)

    def pairs() -> Iterator[tuple[int, Any, Any]]:
        for a in range(0, N, rows):
            yield a, as_tensor(read[0](a, a + rows)), as_tensor(read[1](a, a + rows))

    def make() -> Iterator[tuple[Any, ...]]:
        for a, one, two in pairs():
            where = slice(a, a + rows)
            more = () if verified is None else (verified[where],)
            yield labels[where], mean_of_both(one, two), *more

    return accuracy_of_batches((as_tensor(labels[a : a + rows]), one, two) for a, one, two in pairs()), make


def _memory_mapped(path: Path) -> np.memmap[Any, Any]:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {reason(error)}.") from error
    if not isinstance(array, np.memmap):
        raise InputError(f"{path} must be an .npy file with one array.")
    return array


def _shape(probs: Any) -> tuple[int, int]:
    shape = tuple(getattr(probs, "shape", ()))
    if len(shape) != 2 or shape[1] < 2:
        raise ValueError(f"probs must have shape (N, K) with K >= 2, a row per sample; got {shape}.")
    return int(shape[0]), int(shape[1])


def _batches_of_file(labels: Any, probs: np.memmap[Any, Any], verified: Any) -> Batches:
    """Batches read from the file behind a memory map, the next one while the last is worked on."""
    N, K = probs.shape
    rows = max(1, ENTRIES // K)
    stored = StoredRows(probs)

    def make() -> Iterator[tuple[Any, ...]]:
        with ThreadPoolExecutor(1) as ahead:
            waiting = ahead.submit(stored.between, 0, rows)
            for start in range(0, N, rows):
                part = waiting.result()
                if start + rows < N:
                    waiting = ahead.submit(stored.between, start + rows, start + 2 * rows)
                where = slice(start, start + rows)
                yield (labels[where], part, *(() if verified is None else (verified[where],)))

    return make
