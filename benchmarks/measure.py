"""What the benchmarks share: interleaved timing, peak memory, and a file of results."""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import noiselayer

FOLDER = Path(__file__).parent
RESULTS = FOLDER / "results"


@dataclass
class Row:
    """One figure: what, the median and quartiles of its repetitions, and the target if there is one."""

    what: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    repetitions: int = 1
    target: str | None = None
    met: bool | None = None
    note: str = ""


def row(
    what: str,
    values: Sequence[float],
    unit: str,
    *,
    at_most: float | None = None,
    at_least: float | None = None,
    note: str = "",
) -> Row:
    """The median of ``values`` with their quartiles, held against a target."""
    value = statistics.median(values)
    quartiles = statistics.quantiles(values, n=4, method="inclusive") if len(values) > 1 else [None] * 3
    target = met = None
    if at_most is not None:
        target, met = f"at most {at_most:g}", value <= at_most
    elif at_least is not None:
        target, met = f"at least {at_least:g}", value >= at_least
    return Row(what, value, unit, quartiles[0], quartiles[2], len(values), target, met, note)


def interleaved(
    functions: dict[str, Callable[[], Any]], repetitions: int, *, warm_up: int = 2
) -> dict[str, list[float]]:
    """Seconds of every repetition; the functions take turns, so that a slow minute meets all of them."""
    for _ in range(warm_up):
        for function in functions.values():
            function()
    seconds: dict[str, list[float]] = {name: [] for name in functions}
    gc.collect()
    gc.disable()
    try:
        for _ in range(repetitions):
            for name, function in functions.items():
                began = time.perf_counter()
                function()
                seconds[name].append(time.perf_counter() - began)
    finally:
        gc.enable()
    return seconds


def ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Of the two times of each round."""
    return [a / b for a, b in zip(over, under, strict=True)]


def milliseconds(seconds: Sequence[float]) -> list[float]:
    """For rows."""
    return [1e3 * s for s in seconds]


def peak_bytes(function: Callable[[], Any]) -> int | None:
    """How far resident memory rises above its level before ``function``; None where Linux does not tell.

    Only where MALLOC_MMAP_THRESHOLD_ is small (see :func:`in_fresh_process`) does freed memory not count.
    """
    function()
    gc.collect()
    reset = Path("/proc/self/clear_refs")
    if not reset.exists():
        return None
    try:
        ctypes.CDLL(None).malloc_trim(0)
        reset.write_text("5", encoding="ascii")  # the peak starts anew from here
    except OSError:
        return None
    before = _status("VmRSS")
    function()
    return _status("VmHWM") - before


def _status(name: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(name + ":")).split()[1])


def in_fresh_process(script: str, *arguments: str, environment: dict[str, str] | None = None) -> Any:
    """What ``script`` prints as JSON in its last line, run with ``arguments`` in a new interpreter."""
    command = [sys.executable, str(FOLDER / script), *arguments]
    finished = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | (environment or {})
    )
    if finished.returncode:
        raise RuntimeError(f"{' '.join(arguments)} failed:\n{finished.stderr[-3000:]}")
    return json.loads(finished.stdout.splitlines()[-1])


def write(name: str, title: str, rows: Sequence[Row], *, quick: bool) -> None:
    """Print the rows and write them with the machine and the versions into ``results``."""
    for r in rows:
        spread = "" if r.low is None or r.high is None else f" ({r.low:.4g} to {r.high:.4g})"
        target = "" if r.target is None else f"  {r.target}: {'met' if r.met else 'MISSED'}"
        print(f"{r.what:<72} {r.value:10.4g} {r.unit}{spread}{target}", flush=True)
    result = {
        "title": title,
        "command": f"python benchmarks/{name}.py{' --quick' if quick else ''}",
        "quick": quick,
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "rows": [asdict(r) for r in rows],
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}{'-quick' if quick else ''}.json"
    beside = path.with_suffix(".tmp")
    beside.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    beside.replace(path)


def machine() -> dict[str, Any]:
    """Where the figures were taken."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average": [round(x, 2) for x in os.getloadavg()],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "noiselayer": noiselayer.__version__,
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def arguments(description: str | None) -> argparse.ArgumentParser:
    """The options that every benchmark has."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--quick", action="store_true", help="small sizes and few repetitions: does it run?")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    return parser
