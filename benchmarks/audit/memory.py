r"""Time and memory of an audit of a memory-mapped file beside cleanlab, each in a process of its own.

    python benchmarks/audit/memory.py [--cleanlab-python VENV/bin/python] [--sizes 200000x1000,1280000x1000] \
        [--out benchmarks/results]

For every size it makes a float32 file of random probabilities (samples x classes x 4 bytes), reads it once so that no
side is the first, lets the programs take turns, and removes the file. Peak memory is the process's largest resident set
less that of the same interpreter with its imports and the labels. cleanlab's default mode, which wants everything in
memory, takes part where that can be. Wants a quiet machine: about 15 minutes with both default sizes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.storage.environment import describe_hardware, versions
from noiselayer.training.options import Hardware

START = """
import json, resource, sys, time
import numpy as np
def rss():
    try:  # getrusage tells what the process had before it became this program, too
        with open("/proc/self/status") as status:
            return next(float(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
labels = np.load(sys.argv[1] + "/labels.npy")
def measure(run):
    base, began, cpu = rss(), time.perf_counter(), time.process_time()
    found = run()
    seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
    print(json.dumps({"seconds": seconds, "cpu": cpu, "base_mb": base, "peak_mb": rss() - base, "found": int(found)}))
"""
OURS = """
from noiselayer.audit.stream import audit_stream
measure(lambda: audit_stream(labels, sys.argv[1] + "/probs.npy", probs_predict="given", top=1000).flagged)
"""
BATCHED = """
from cleanlab.experimental.label_issues_batched import find_label_issues_batched
probs = np.load(sys.argv[1] + "/probs.npy", mmap_mode="r")
measure(lambda: len(find_label_issues_batched(labels=labels, pred_probs=probs, verbose=False)))
"""
DEFAULT = """
from cleanlab.filter import find_label_issues
measure(lambda: find_label_issues(labels, np.load(sys.argv[1] + "/probs.npy")).sum())
"""
PROGRAMS = {"noiselayer": OURS, "cleanlab batched": BATCHED, "cleanlab default": DEFAULT}
COPIES = 6
"""So many times the file must fit into free memory for cleanlab's default mode to be tried."""
LONGEST = 900.0
"""Seconds; what takes longer is stopped and said."""


def make(folder: Path, samples: int, classes: int) -> None:
    """A file of probabilities whose argmax is right for nine samples in ten, and labels, a tenth of them wrong."""
    generator = np.random.default_rng(0)
    truth = generator.integers(classes, size=samples)
    wrong = generator.random(samples) < 0.1
    np.save(folder / "labels.npy", np.where(wrong, generator.integers(classes, size=samples), truth))
    header = {"descr": "<f4", "fortran_order": False, "shape": (samples, classes)}
    with (folder / "probs.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for start in range(0, samples, 4096):
            part = truth[start : start + 4096]
            x = generator.standard_normal((len(part), classes), dtype=np.float32)
            seen = np.where(
                generator.random(len(part)) < 0.9, part, generator.integers(classes, size=len(part))
            )
            x[np.arange(len(part)), seen] += 7
            x = np.exp(x - x.max(axis=1, keepdims=True))
            (x / x.sum(axis=1, keepdims=True)).astype("<f4").tofile(file)


def run(python: str, name: str, folder: Path) -> dict[str, Any]:
    """One program on one file."""
    command = [python, "-c", START + PROGRAMS[name], str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return {"failed": f"stopped after {LONGEST:.0f} s"}
    if done.returncode:
        return {"failed": (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def free_memory() -> int:
    """Bytes that a process may still take, as far as the system says."""
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 0


def measure(samples: int, classes: int, folder: Path, args: argparse.Namespace) -> dict[str, Any]:
    """All programs on one size."""
    size = 4 * samples * classes
    if shutil.disk_usage(folder).free < 1.2 * size:
        raise SystemExit(
            f"{samples} x {classes} needs {size / 1e9:.1f} GB of disk in {folder}; name another --folder."
        )
    names = ["noiselayer", *(["cleanlab batched", "cleanlab default"] if args.cleanlab_python else [])]
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    fits = COPIES * size < free_memory()
    make(folder, samples, classes)
    with (folder / "probs.npy").open("rb") as file:
        while file.read(2**24):
            pass
    for turn in range(args.repeats):
        for name in names:
            if name == "cleanlab default" and (turn or not fits):
                continue
            found = run(sys.executable if name == "noiselayer" else args.cleanlab_python, name, folder)
            runs[name].append(found)
            print(f"{samples} x {classes}: {name}: {found}", flush=True)
    if "cleanlab default" in runs and not fits:
        runs["cleanlab default"].append(
            {"failed": f"not tried: {COPIES} times the file do not fit into memory"}
        )
    return {"samples": samples, "classes": classes, "file_gb": size / 1e9, "runs": runs}


def table(sizes: list[dict[str, Any]]) -> list[str]:
    """As Markdown, the quickest run of each program."""
    lines = ["| samples x classes | program | seconds | MB above imports |", "|---|---|---|---|"]
    for one in sizes:
        for name, runs in one["runs"].items():
            whole = [found for found in runs if "failed" not in found]
            best = min(whole, key=lambda found: found["seconds"], default=None)
            cells = (
                f"{best['seconds']:.2f} | {max(found['peak_mb'] for found in whole):,.0f}"
                if best
                else f"{runs[-1]['failed'] if runs else 'not run'} | "
            )
            lines.append(f"| {one['samples']:,} x {one['classes']:,} | {name} | {cells} |")
    return lines


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cleanlab-python", help="left out: ours alone")
    parser.add_argument("--sizes", default="200000x1000,1280000x1000")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument(
        "--folder", type=Path, help="where the files are made; a temporary folder if not given"
    )
    parser.add_argument("--out", type=Path, help="folder for audit_memory.json and .md")
    args = parser.parse_args()
    sizes = [tuple(map(int, size.split("x"))) for size in args.sizes.split(",")]
    measured = []
    for samples, classes in sizes:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            measured.append(measure(samples, classes, Path(folder), args))
    lines = table(measured)
    print("\n".join(lines))
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
        about = {"versions": {**versions(), "cleanlab": "2.9.0"}, "hardware": describe_hardware(Hardware())}
        write_json(args.out / "audit_memory.json", {**about, "repeats": args.repeats, "sizes": measured})
        head = [
            "# Audits of large files",
            "",
            "`python benchmarks/audit/memory.py`; the quickest of the runs.",
            "",
        ]
        with whole_file(args.out / "audit_memory.md") as beside:
            beside.write_text("\n".join([*head, *lines, ""]), encoding="utf-8")


if __name__ == "__main__":
    main()
