"""Test with the lowest versions that pyproject.toml allows: a new environment that has exactly those.

    python3.11 tests/packaging/lowest.py FOLDER [--python python3.10] [PYTEST ARGUMENTS]

FOLDER becomes a virtual environment with the lower bound of every direct dependency, of the core and of the extra
"boosting"; what these need in turn is the newest that suits them. Without other arguments the quick tests of the
mathematics, of data, training, estimators and the command line run in it. It downloads about 3 GB on Linux, as torch's
wheels of that time bring CUDA with them.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

import tomllib

ROOT = Path(__file__).parents[2]
TESTS = (
    *(
        "tests/losses/test_layer.py",
        "tests/losses/test_loss.py",
        "tests/losses/test_functional.py",
        "tests/noise/test_noise_matrix.py",
    ),
    *(
        "tests/noise/test_corruption.py",
        "tests/noise/test_simplex.py",
        "tests/losses/test_top_down.py",
        "tests/test_import.py",
    ),
    *(
        "tests/noise/test_sparse_noise_matrix.py",
        "tests/estimators/test_estimator.py",
        "tests/estimation",
        "tests/audit",
    ),
    *("tests/data", "tests/models", "tests/training", "tests/boosting", "tests/meta", "tests/review"),
    *("tests/runs", "tests/cli", "tests/interchange"),
)
# Of these the newest will do: users of the package do not need them.
TOOLS = ("pytest", "hypothesis", "scipy", "click", "xgboost-cpu")


def lowest(requirements: list[str]) -> list[str]:
    """Every requirement at its lower bound."""
    pinned = []
    for requirement in requirements:
        name, bound = re.fullmatch(r"([\w.-]+)>=([\w.]+)", requirement).groups()
        pinned.append(f"{name}=={bound}")
    return pinned


def main() -> int:
    """Make the environment if it is not there, and run tests in it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--python", default="python3.10", help="the oldest that is supported")
    given, rest = parser.parse_known_args()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    wanted = lowest(project["dependencies"] + project["optional-dependencies"]["boosting"])
    python = given.folder / "bin" / "python"
    if not python.exists():
        subprocess.run([given.python, "-m", "venv", given.folder], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *wanted, *TOOLS], check=True)
        subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", "-e", ROOT], check=True)
    print("\n".join(wanted))
    # Warnings of libraries of that time about each other are not ours to mend.
    command = [python, "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider", *(rest or TESTS)]
    return subprocess.run(command, cwd=ROOT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
