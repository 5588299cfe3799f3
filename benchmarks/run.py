"""Run every benchmark here, write their figures into results, and set them into README.md.

    python benchmarks/run.py [--quick] [--only loss,training] [--data DIR] [--cleanlab-python VENV/bin/python]

Meant for a machine that does nothing else; each result says how loaded it was. ``--quick`` only shows that everything
runs: its figures go to files of their own, which README.md leaves out. What needs cleanlab or real images (DIR holds
cifar10.npz, see docs/datasets.md) is left out, and named, where they are not given. All of it takes an hour or two.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
PROBS = "{results}/audit_probs"
AS_PUBLISHED = ["--subset", "10000", "--epochs", "8", "--sets", "aggre,random1,worse,random-30"]
# In the order that they run: what is timed comes first. A word in braces is put in, or the command is left out.
BENCHMARKS: dict[str, list[list[str]]] = {
    "loss": [["loss.py"]],
    "projection": [["projection.py"]],
    "sparse": [["sparse.py"]],
    "training": [["training.py"]],
    "startup": [["startup.py"]],
    "step": [["step.py", "--threads", "2"]],
    "large_data": [["large_data.py"]],
    "memory_per_sample": [["memory_per_sample.py"]],
    "collectives": [["collectives.py"]],
    "audit_memory": [["audit/memory.py", "--cleanlab-python", "{cleanlab}", "--out", "{results}"]],
    "audit_digits": [["audit/digits.py"]],
    "audit": [
        ["audit/crossfit.py", "--data", "{data}", "--out", PROBS, *AS_PUBLISHED],
        ["audit/compare.py", "--probs", PROBS, "--cleanlab-python", "{cleanlab}"],
    ],
    "audit_training": [["audit/training.py", "--data", "{data}", "--cleanlab-python", "{cleanlab}"]],
}
HAVE_QUICK = {
    "loss",
    "projection",
    "sparse",
    "training",
    "startup",
    "step",
    "large_data",
    "memory_per_sample",
}


def commands(name: str, values: dict[str, str | None], quick: bool) -> list[list[str]] | str:
    """What to run for a benchmark; in words what is missing where that cannot be."""
    if quick and name not in HAVE_QUICK:
        return "has no quick form"
    found = []
    for template in BENCHMARKS[name]:
        words = [sys.executable, str(FOLDER / template[0])]
        for word in template[1:]:
            missing = [key for key, value in values.items() if value is None and f"{{{key}}}" in word]
            if missing:
                return f"needs --{missing[0]}{'-python' if missing[0] == 'cleanlab' else ''}"
            words.append(word.format(**values))
        found.append([*words, *(["--quick"] if quick else [])])
    return found


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes and few repetitions: does it run?")
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="names, with commas")
    parser.add_argument(
        "--data", default=os.environ.get("NOISELAYER_DATA"), help="else the variable NOISELAYER_DATA"
    )
    parser.add_argument("--cleanlab-python", help="an interpreter that has cleanlab 2.9.0")
    options = parser.parse_args()
    values = {
        "data": options.data,
        "cleanlab": options.cleanlab_python,
        "results": str(FOLDER / "results"),
    }
    failed = []
    for name in options.only.split(","):
        if name not in BENCHMARKS:
            parser.error(f"--only takes {', '.join(BENCHMARKS)}; got {name!r}.")
        found = commands(name, values, options.quick)
        if isinstance(found, str):
            print(f"== {name}: left out, it {found}", flush=True)
            continue
        print(f"== {name}", flush=True)
        began = time.monotonic()
        if any(subprocess.run(command, check=False).returncode for command in found):
            failed.append(name)
        print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
    subprocess.run([sys.executable, str(FOLDER / "tables.py")], check=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
