"""Arrays that stay on the disk: the memory of the process does not grow with the file."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from noiselayer.arrays.memory_map import PageBudget
from noiselayer.data import ArrayInputs, from_arrays
from noiselayer.data.inputs import SubsetInputs
from noiselayer.data.numpy_files import read_npz
from noiselayer.data.splits import overlap

# Reads a file as training does: checks it, splits it, measures its statistics, hashes it, and takes batches at random.
SCRIPT = """
import resource, sys
import numpy as np, torch
from noiselayer.data import read_data
from noiselayer.data.splits import split_validation
from noiselayer.training.batches import make_loader
from noiselayer.training.batches import noisy_part
from noiselayer.training.input_statistics import input_statistics
from noiselayer.data.reading import fingerprint

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

def use(path, labels, batches):
    data = read_data(path, labels=labels, layout="NCHW")
    train, validation = split_validation(data.labels, 0.1, generator=torch.Generator().manual_seed(0))
    part = data.subset(train)
    input_statistics(part.inputs)
    fingerprint(data)
    loader = make_loader([noisy_part(part)], batch_size=64, shuffle_seed=0)
    for count, (inputs, _, _) in enumerate(loader):
        if count >= batches:
            break
    return inputs.shape

use(sys.argv[1], sys.argv[2], 10)  # what the libraries take is taken now
before = peak()
use(sys.argv[3], sys.argv[4], int(sys.argv[5]))
print(peak() - before)
"""


def sparse(folder: Path, name: str, samples: int, dtype: str) -> tuple[Path, Path]:
    """Images of 3 x 64 x 64, a hole of the file system but for one sample, and their labels."""
    array = np.lib.format.open_memmap(
        folder / f"{name}.npy", mode="w+", dtype=dtype, shape=(samples, 3, 64, 64)
    )
    array[0] = 1
    array.flush()
    np.save(folder / f"{name}-labels.npy", np.arange(samples, dtype=np.int32) % 3)
    return folder / f"{name}.npy", folder / f"{name}-labels.npy"


def growth(folder: Path, samples: int, dtype: str, batches: int) -> int:
    """By how many megabytes the peak of resident memory grows over that of a small file."""
    words = [*sparse(folder, "small", 2_000, dtype), *sparse(folder, "large", samples, dtype), batches]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, words)],
        capture_output=True,
        text=True,
        timeout=3000,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    (folder / "large.npy").unlink()
    return int(done.stdout.split()[-1])


linux = pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read in Linux's way")


@linux
@pytest.mark.slow
def test_memory_is_flat_in_the_file(tmp_path: Path) -> None:
    assert growth(tmp_path, 12_000, "float32", 150) < 150  # of 590 MB, all of it checked for gaps


@linux
@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_memory_is_flat_in_ten_gigabytes(tmp_path: Path, dtype: str) -> None:
    """10 GB on disk; 3,000 batches read at random places."""
    samples = 10_000_000_000 // (3 * 64 * 64 * np.dtype(dtype).itemsize)
    assert growth(tmp_path, samples, dtype, 3_000) < 250


def test_a_map_goes_to_another_process_as_an_address(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(5_000, 20)))
    inputs = SubsetInputs(ArrayInputs(np.load(tmp_path / "x.npy", mmap_mode="r")), np.arange(0, 5_000, 2))
    sent = pickle.dumps(inputs)
    assert len(sent) < 50_000  # 800 kB of samples
    there = pickle.loads(sent)
    assert torch.equal(there.__getitems__([3, 1]), inputs.__getitems__([3, 1]))
    assert there.ids[3] == inputs.ids[3] == "6"
    in_memory = ArrayInputs(np.eye(3))
    assert torch.equal(pickle.loads(pickle.dumps(in_memory)).__getitems__([2]), in_memory.__getitems__([2]))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_a_large_array_of_an_npz_file_stays_there(tmp_path: Path, compressed: bool, order: str) -> None:
    x = np.asarray(np.random.default_rng(0).normal(size=(50, 7)), order=order)
    (np.savez_compressed if compressed else np.savez)(tmp_path / "a.npz", first=np.arange(3), x=x)
    read = read_npz(tmp_path / "a.npz", "x", map_from=1_000)
    assert isinstance(read, np.memmap) != compressed
    np.testing.assert_array_equal(read, x)
    assert not isinstance(read_npz(tmp_path / "a.npz", "x", map_from=1 << 20), np.memmap)
    assert torch.equal(ArrayInputs(read).__getitems__([4, 9]), torch.from_numpy(x[[4, 9]]).float())


def test_pages_that_were_given_back_are_read_again(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(40_000.0).reshape(100, 400))
    array = np.load(tmp_path / "x.npy", mmap_mode="r")
    pages = PageBudget(array, budget=1)
    for _ in range(3):
        assert array[57, 3] == 57 * 400 + 3
        pages.read(8)


def test_overlap_finds_the_same_pairs_in_a_stream() -> None:
    x = np.random.default_rng(0).integers(0, 3, size=(3_000, 4)).astype(np.float32)
    found = overlap(from_arrays(x), from_arrays(x[:50]))
    naive = [(i, j) for i in range(3_000) for j in range(50) if (x[i] == x[j]).all()]
    assert found.tolist() == [list(pair) for pair in naive]
