"""Time and memory of an audit of a memory-mapped file beside cleanlab's batched mode, each in a process of its own.

    python benchmarks/audit/memory.py --cleanlab-python VENV/bin/python [--samples 200000] [--classes 1000]

Makes a float32 file of random probabilities (samples x classes x 4 bytes) in a temporary folder, or with --folder where
it may stay. Peak memory is the process's largest resident set less that of the same interpreter with its imports.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

OURS = """
import json, resource, sys, time
import numpy as np
from noiselayer.auditing import audit_stream
rss = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
labels = np.load(sys.argv[1] + "/labels.npy")
base, began = rss(), time.perf_counter()
audit = audit_stream(labels, sys.argv[1] + "/probs.npy", top=1000)
print(json.dumps({"seconds": time.perf_counter() - began, "base_mb": base, "peak_mb": rss(), "found": audit.flagged}))
"""
THEIRS = """
import json, resource, sys, time
import numpy as np
from cleanlab.experimental.label_issues_batched import find_label_issues_batched
rss = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
labels, probs = np.load(sys.argv[1] + "/labels.npy"), np.load(sys.argv[1] + "/probs.npy", mmap_mode="r")
base, began = rss(), time.perf_counter()
found = find_label_issues_batched(labels=labels, pred_probs=probs, verbose=False)
print(json.dumps({"seconds": time.perf_counter() - began, "base_mb": base, "peak_mb": rss(), "found": len(found)}))
"""


def make(folder: Path, samples: int, classes: int) -> None:
    """A file of probabilities whose argmax is right for nine samples in ten, and labels, a tenth of them wrong."""
    generator = np.random.default_rng(0)
    truth = generator.integers(classes, size=samples)
    wrong = generator.random(samples) < 0.1
    np.save(folder / "labels.npy", np.where(wrong, generator.integers(classes, size=samples), truth))
    probs = np.lib.format.open_memmap(
        folder / "probs.npy", mode="w+", dtype=np.float32, shape=(samples, classes)
    )
    for start in range(0, samples, 4096):
        part = truth[start : start + 4096]
        x = generator.standard_normal((len(part), classes), dtype=np.float32)
        seen = np.where(generator.random(len(part)) < 0.9, part, generator.integers(classes, size=len(part)))
        x[np.arange(len(part)), seen] += 7
        x = np.exp(x - x.max(axis=1, keepdims=True))
        probs[start : start + 4096] = x / x.sum(axis=1, keepdims=True)
    probs.flush()


def main() -> None:
    """Alternate both, print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--cleanlab-python", help="left out: ours alone")
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--out", type=Path, help="a .json file for the figures")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "probs.npy").exists():
            make(folder, args.samples, args.classes)
        programs = {"noiselayer": (sys.executable, OURS)}
        if args.cleanlab_python:
            programs["cleanlab batched"] = (args.cleanlab_python, THEIRS)
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in programs}
        for _ in range(args.repeats):
            for name, (python, code) in programs.items():
                done = subprocess.run(
                    [python, "-c", code, str(folder)], check=True, capture_output=True, text=True
                )
                runs[name].append(json.loads(done.stdout.splitlines()[-1]))
                last = runs[name][-1]
                print(
                    f"{name}: {last['seconds']:.2f} s, {last['peak_mb'] - last['base_mb']:.0f} MB, {last}",
                    flush=True,
                )
    if args.out:
        args.out.write_text(
            json.dumps({"samples": args.samples, "classes": args.classes, "runs": runs}, indent=2) + "\n",
            encoding="utf-8",
        )
    if len(runs) == 2:
        best = {name: min(run["seconds"] for run in of) for name, of in runs.items()}
        print(
            f"ratio of the best times, noiselayer / cleanlab: {best['noiselayer'] / best['cleanlab batched']:.2f}"
        )


if __name__ == "__main__":
    main()
