"""Run every benchmark here, write their figures into results, and set them into README.md.

    python benchmarks/run.py [--quick] [--only loss,training]

Meant for a machine that does nothing else; each result says how loaded it was. ``--quick`` only shows that everything
runs: its figures go to files of their own, which README.md leaves out.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

FOLDER = Path(__file__).parent
BENCHMARKS = ("loss", "projection", "sparse", "training")


def main() -> None:
    """Parse the options and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes and few repetitions: does it run?")
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="names, with commas")
    options = parser.parse_args()
    failed = []
    for name in options.only.split(","):
        if name not in BENCHMARKS:
            parser.error(f"--only takes {', '.join(BENCHMARKS)}; got {name!r}.")
        print(f"== {name}", flush=True)
        began = time.monotonic()
        command = [sys.executable, str(FOLDER / f"{name}.py"), *(["--quick"] if options.quick else [])]
        if subprocess.run(command, check=False).returncode:
            failed.append(name)
        print(f"== {name}: {time.monotonic() - began:.0f} s", flush=True)
    subprocess.run([sys.executable, str(FOLDER / "tables.py")], check=True)
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
