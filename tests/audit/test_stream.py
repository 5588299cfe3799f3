"""Streaming gives what the audit in memory gives, from files of any kind, and keeps no more than it was asked to."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from noiselayer import audit_labels, corrupt_labels
from noiselayer.audit.stream import audit_stream
from noiselayer.data.parquet_batches import batches_of_columns, batches_of_parquet
from noiselayer.errors import InputError
from noiselayer.noise import pair_flip

N, K = 3000, 4


@pytest.fixture(scope="module")
def arrays() -> tuple[Any, Any]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(K, (N,), generator=generator)
    x = 3 * torch.eye(K)[truth] + torch.randn(N, K, generator=generator)
    labels = corrupt_labels(truth, pair_flip(K, 0.2), generator=generator)
    return labels.numpy(), (3 * x).softmax(dim=1).numpy()


@pytest.mark.parametrize("kind", ["array", "map", "path", "parquet", "batches"])
def test_every_source_gives_the_same(kind: str, arrays: tuple[Any, Any], tmp_path: Path) -> None:
    labels, probs = arrays
    expected = audit_labels(torch.as_tensor(labels), probs, probs_predict="true")
    np.save(tmp_path / "probs.npy", probs)

    def batches() -> Iterator[tuple[Any, Any]]:
        for start in range(0, N, 777):
            yield labels[start : start + 777], torch.from_numpy(probs[start : start + 777])

    given_labels, given = {
        "array": (labels, probs),
        "map": (labels, np.load(tmp_path / "probs.npy", mmap_mode="r")),
        "path": (labels, tmp_path / "probs.npy"),
        "parquet": (None, _parquet(tmp_path / "probs.parquet", labels, probs)),
        "batches": (None, batches),
    }[kind]
    found = audit_stream(given_labels, given, probs_predict="true", top=None)
    torch.testing.assert_close(found.error_probability, expected.error_probability, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(found.noise_matrix, expected.noise_matrix)
    assert found.suggested_label.tolist() == expected.suggested_label.tolist()
    assert found.wrong.total == pytest.approx(expected.wrong.total)
    assert found.wrong.total_high == pytest.approx(expected.wrong.total_high)
    top = audit_stream(given_labels, given, probs_predict="true", top=7)
    assert top.samples.tolist() == expected.rank.argsort()[:7].tolist()
    assert top.flagged == expected.flagged
    with pytest.raises(ValueError, match="posterior needs the probabilities"):
        _ = top.posterior


def _parquet(path: Path, labels: Any, probs: Any) -> Any:
    import pandas as pd

    frame = pd.DataFrame(probs, columns=[f"p{k}" for k in range(K)])
    frame.assign(label=labels).to_parquet(path, row_group_size=500)
    return batches_of_parquet(path, label_column="label", prob_columns=[f"p{k}" for k in range(K)])


def test_batches_of_several_megabytes_from_a_file(tmp_path: Path) -> None:
    # 40 classes: more than one batch of 2**20 entries, and candidates instead of all classes.
    generator = np.random.default_rng(0)
    labels = generator.integers(40, size=60_000)
    probs = np.full((60_000, 40), 0.1 / 39, dtype=np.float32)
    wrong = generator.random(60_000) < 0.1
    probs[np.arange(60_000), np.where(wrong, (labels + 1) % 40, labels)] = 0.9
    np.save(tmp_path / "probs.npy", probs)
    audit = audit_stream(labels, tmp_path / "probs.npy", top=10, check_model=False, probs_predict="given")
    assert audit.num_samples == 60_000
    assert wrong[audit.samples].all()
    assert audit.flagged == pytest.approx(wrong.sum(), rel=0.01)
    assert audit.suggested_label.tolist() == ((labels[audit.samples] + 1) % 40).tolist()


@pytest.mark.parametrize("part", [slice(500, None), slice(None, None, 2)])
def test_a_part_of_a_map_is_that_part(part: slice, arrays: tuple[Any, Any], tmp_path: Path) -> None:
    labels, probs = arrays
    np.save(tmp_path / "probs.npy", probs)
    mapped = np.load(tmp_path / "probs.npy", mmap_mode="r")
    got = audit_stream(labels[part], mapped[part], probs_predict="true", top=len(labels))
    expected = audit_stream(labels[part], probs[part], probs_predict="true", top=len(labels))
    assert torch.equal(got.samples, expected.samples)
    torch.testing.assert_close(got.noise_matrix, expected.noise_matrix)


def test_a_generator_is_refused_and_one_that_changes_too(arrays: tuple[Any, Any]) -> None:
    labels, probs = arrays
    with pytest.raises(ValueError, match="probs is a generator, which can be read once"):
        audit_stream(None, (part for part in [(labels, probs)]), probs_predict="given")
    once = iter([(labels, probs)])
    with pytest.raises(
        ValueError, match="the second pass over the batches gave 0 samples, the first one 3000"
    ):
        audit_stream(None, lambda: once, check_model=False, probs_predict="given")


def test_the_row_at_fault_is_named_by_its_position(arrays: tuple[Any, Any]) -> None:
    labels, probs = arrays
    bad = probs.copy()
    bad[2500, 1] = np.nan

    def batches() -> Iterator[tuple[Any, Any]]:
        for start in range(0, N, 1000):
            yield labels[start : start + 1000], bad[start : start + 1000]

    with pytest.raises(ValueError, match="row 2500 holds NaN"):
        audit_stream(None, batches, probs_predict="given")


@pytest.mark.parametrize(
    ("labels", "probs", "error", "message"),
    [
        (None, np.eye(3), ValueError, "labels are missing"),
        ([0, 1], np.eye(3), ValueError, r"labels must have shape \(3,\)"),
        ([0, 1, 2], lambda: [], ValueError, "labels and verified come with the batches"),
        ([0], "nowhere.npy", InputError, "cannot read nowhere.npy"),
        (None, lambda: [], ValueError, "at least one sample"),
    ],
)
def test_what_it_refuses(labels: Any, probs: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        audit_stream(labels, probs, probs_predict="given")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_samples(tmp_path: Path) -> None:
    code = """
import resource, sys
import numpy as np
from noiselayer.audit.stream import audit_stream
K, N = 100, int(sys.argv[1])
rows = np.full((10_000, K), 0.1 / (K - 1), dtype=np.float32)
labels = np.arange(10_000) % K
rows[np.arange(10_000), labels] = 0.9
def batches():
    for _ in range(N // 10_000):
        yield labels, rows
audit_stream(None, batches, check_model=False, probs_predict="given")
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""
    few, many = (
        float(
            subprocess.run([sys.executable, "-c", code, n], capture_output=True, text=True, check=True).stdout
        )
        for n in ("20000", "220000")
    )
    assert many - few < 40  # 80 MB of probabilities


def test_thousands_of_classes_take_the_memory_of_two_matrices() -> None:
    """3,000 classes, one label in ten wrong: below 12 bytes for each pair of classes, and 60 MB for all else."""
    code = """
import resource
import numpy as np
from noiselayer.audit.stream import audit_stream
K, N = 3000, 6000
start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
generator = np.random.default_rng(0)
truth = generator.integers(K, size=N)
labels = np.where(generator.random(N) < 0.1, generator.integers(K, size=N), truth)
def batches():
    for start in range(0, N, 300):
        part = slice(start, start + 300)
        probs = np.full((300, K), 0.2 / K, dtype=np.float32)
        probs[np.arange(300), truth[part]] += 0.8
        yield labels[part], probs
audit = audit_stream(None, batches, probs_predict="given")
print(audit.wrong.total, int((labels != truth).sum()), audit.flagged)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 - start / 1024)
"""
    lines = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    expected, wrong, flagged, megabytes = (float(word) for word in lines)
    assert expected == pytest.approx(wrong, rel=0.05)
    assert flagged == pytest.approx(wrong, rel=0.05)
    assert megabytes < 60 + 12 * 3000**2 / 2**20


def test_probabilities_of_a_table_are_read_in_pieces(arrays: tuple[Any, Any], tmp_path: Path) -> None:
    import pandas as pd

    labels, probs = arrays
    names = [f"p({k})" for k in range(K)]
    frame = pd.DataFrame(probs[:, ::-1], columns=names[::-1]).assign(id=1)
    frame.to_parquet(tmp_path / "probs.parquet")
    batches = batches_of_columns(tmp_path / "probs.parquet", names, torch.from_numpy(labels))
    assert batches is not None
    found = audit_stream(None, batches, probs_predict="true", top=None)
    expected = audit_labels(torch.as_tensor(labels), probs, probs_predict="true")
    torch.testing.assert_close(found.error_probability, expected.error_probability, atol=1e-5, rtol=1e-4)
    assert batches_of_columns(tmp_path / "probs.parquet", names[1:], labels) is None
    assert batches_of_columns(tmp_path / "probs.parquet", names, labels[1:]) is None
