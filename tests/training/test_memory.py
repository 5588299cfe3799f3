"""The allocator keeps what is freed: seen in the page faults of a fresh process."""

import os
import subprocess
import sys

import pytest

from noiselayer.training import memory
from noiselayer.training.memory import keep_freed_memory

FAULTS = """
import resource, runpy, sys
import torch
torch.set_num_threads(1)
memory = runpy.run_path(sys.argv[2])
kept = memory["keep_freed_memory"]() if sys.argv[1] == "kept" else False
def step():
    tensors = [torch.ones(2**20 * size) for size in (4, 12, 40)]
    return sum(t[0].item() for t in tensors)
counts = []
for _ in range(10):  # the heap finds its size in the first ones
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    assert step() == 3
    counts.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
print(int(kept), min(counts))
"""


def faults(how: str, **environment: str) -> tuple[bool, int]:
    clean = {k: v for k, v in os.environ.items() if k not in memory._SETTINGS}
    finished = subprocess.run(
        [sys.executable, "-c", FAULTS, how, memory.__file__],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        env=clean | environment,
    )
    kept, count = finished.stdout.split()
    return kept == "1", int(count)


def test_tensors_are_reused_without_page_faults() -> None:
    kept, count = faults("kept")
    if not kept:
        pytest.skip("needs Linux with glibc")
    _, ordinary = faults("ordinary")
    assert count < ordinary / 10


def test_what_the_user_has_chosen_stands() -> None:
    assert faults("kept", MALLOC_TRIM_THRESHOLD_="131072")[0] is False


def test_other_systems_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in memory._SETTINGS:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(memory.platform, "libc_ver", lambda: ("musl", "1.2"))
    assert keep_freed_memory() is False
    monkeypatch.setattr(memory.sys, "platform", "darwin")
    assert keep_freed_memory() is False
    with pytest.raises(ValueError, match="from 1 to 2147483647; got 0"):
        keep_freed_memory(0)
