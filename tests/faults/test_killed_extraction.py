"""Kill -9 an extraction while it computes or writes: the next one goes on, and ends with the bytes of a calm one."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from killing import KILLS

from noiselayer.extraction import Pretrained, extract_features
from noiselayer.extraction.feature_cache import FeatureCache, keys_of
from noiselayer.files.whole_file import is_unfinished

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs processes that fork")

# Forked from a process that has imported everything; prints the kills of each round and what was computed in it.
PROGRAM = """
import json, os, random, signal, sys, time
from pathlib import Path
import noiselayer.extraction.extract as extract
sys.path.insert(0, str(Path(sys.argv[1]).parent))
from test_killed_extraction import X, named, summed

folder, kills, way = Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
extract._ROWS = 24

def start(cache, die_at=None):
    pid = os.fork()
    if pid:
        return pid
    count = 0
    with (folder / "operations").open("a", buffering=1) as log, (folder / "computed").open("a", buffering=1) as rows:
        def seen(event, arguments):
            nonlocal count
            if event not in ("open", "os.rename", "os.remove", "os.mkdir"):
                return
            path, mode = str(arguments[0]), str(arguments[1]) if event == "open" else ""
            if not path.startswith(str(cache)) or (event == "open" and not set("wax+") & set(mode)):
                return
            if count == die_at:
                os.kill(os.getpid(), signal.SIGKILL)
            count += 1
            log.write(f"{event} {Path(path).name}\\n")

        sys.addaudithook(seen)
        def slow(samples):
            rows.write(f"{len(samples)}\\n")
            time.sleep(0.002)
            return summed(samples)
        extract.extract_features(X, named(slow), cache_dir=cache, name="sum", batch_size=8)
        os._exit(0)

def emptied(name):
    file = folder / name
    lines = file.read_text().split("\\n")[:-1]
    file.write_text("")
    return lines

began = time.monotonic()
assert os.waitpid(start(folder / "calm"), 0)[1] == 0
seconds, operations, results = time.monotonic() - began, emptied("operations"), []
emptied("computed")
generator, total = random.Random(0), 0
while total < kills:
    cache, dead = folder / f"killed-{len(results)}", 0
    while True:
        last = total >= kills
        pid = start(cache, None if last or way == "time" else generator.randrange(len(operations)))
        if way == "time" and not last:
            time.sleep(generator.uniform(0, seconds))
            os.kill(pid, signal.SIGKILL)
        status = os.waitpid(pid, 0)[1]
        if status == 0:
            break
        assert status == signal.SIGKILL, status
        dead, total = dead + 1, total + 1
    results.append([cache.name, dead, sum(map(int, emptied("computed")))])
print(json.dumps([results, operations]))
"""
X = np.arange(600, dtype=np.float32).reshape(200, 3)


def summed(samples):
    return samples.sum(dim=1, keepdim=True).repeat(1, 4) / 64


def named(function):
    """The function as a network of its own: what it is does not hang on what it is called."""
    return Pretrained(
        "sum", "anything", None, lambda s, device: function(torch.stack(s)), lambda sample: sample, "1"
    )


def killed(folder: Path, kills: int, way: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, __file__, str(folder), str(kills), way],
        capture_output=True,
        text=True,
        check=False,
        timeout=1200,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    results, operations = json.loads(done.stdout)

    def never(samples):
        raise AssertionError("everything is in the cache")

    expected = (X.sum(axis=1, keepdims=True).repeat(4, axis=1) / 64).astype(np.float16)
    assert sum(dead for _, dead, _ in results) >= kills
    for name, dead, computed in results:
        found = extract_features(X, named(never), cache_dir=folder / name, name="sum")
        assert np.asarray(found).tobytes() == expected.tobytes()
        # A kill costs at most the rows of a piece and a batch; a piece's last write may be lost too.
        assert len(X) <= computed <= len(X) + dead * (24 + 8)
        [inside] = (folder / name / "features").glob("*/*")
        whole = [file.name for file in inside.iterdir() if not is_unfinished(file.name)]
        assert len([file for file in whole if file.endswith(".npy") and ".keys" not in file]) == 1
    # Whatever moment it is, a file has its own name only once it is whole.
    written = [line.partition(" ")[2] for line in operations if line.startswith("open ")]
    assert len(written) > 15
    assert [name for name in written if not is_unfinished(name)] == []


@pytest.mark.parametrize("way", ["time", "file"])
def test_an_extraction_that_is_killed_goes_on(tmp_path: Path, way: str) -> None:
    killed(tmp_path, 3, way)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["time", "file"])
def test_an_extraction_that_is_killed_at_many_moments_goes_on(tmp_path: Path, way: str) -> None:
    killed(tmp_path, 8 * KILLS, way)


def test_pieces_that_a_kill_left_beside_the_whole_are_removed(tmp_path: Path) -> None:
    cache, keys = FeatureCache(tmp_path), keys_of([b"a", b"b"])
    for k in range(2):
        cache.add(keys[[k]], np.array([[1.0]]))
    cache.in_order(keys)
    cache.add(keys[[1]], np.array([[1.0]]))  # as if the process had been killed before it was removed
    assert len(list(tmp_path.glob("*.keys.npy"))) == 2
    assert cache.in_order(keys).tolist() == [[1.0], [1.0]]
    assert len(list(tmp_path.glob("*.npy"))) == 2


def test_what_dead_processes_left_is_removed_and_what_living_ones_write_is_not(tmp_path: Path) -> None:
    dead, living, other = (
        tmp_path / name for name in (".9-aa.0123abcd.part.npy", ".9-bb.0123abcd.part.npy", "notes.txt")
    )
    for file in (dead, living, other):
        file.write_text("half")
    for file in (dead, other):
        os.utime(file, (time.time() - 7200,) * 2)
    FeatureCache(tmp_path)
    assert [file.exists() for file in (dead, living, other)] == [False, True, True]
