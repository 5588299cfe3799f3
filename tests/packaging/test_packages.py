"""What is built is whole, valid, and works where nothing but its dependencies is installed."""

import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

import noiselayer

ROOT = Path(__file__).parents[2]
SMOKE = """
import pathlib, numpy as np, noiselayer
from noiselayer import NoisyLabelClassifier, NoisyLabelLoss
assert pathlib.Path(noiselayer.__file__).is_relative_to({site!r}), noiselayer.__file__
assert (pathlib.Path(noiselayer.__file__).parent / "py.typed").exists()
X, y = np.repeat([[-1.0], [1.0]], 20, axis=0), np.repeat([0, 1], 20)
assert NoisyLabelClassifier("normal", max_iter=20, random_state=0).fit(X, y).score(X, y) == 1
print(noiselayer.__version__)
"""


def run(*command: object, cwd: Path | None = None) -> str:
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False, cwd=cwd)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_types_are_shipped() -> None:
    assert (Path(noiselayer.__file__).parent / "py.typed").exists()


def test_the_core_imports_in_a_moment_beyond_torch() -> None:
    # 50 ms on a quiet machine; processor time, and five times as much, so that a busy one does not fail.
    seconds = run(
        sys.executable,
        "-c",
        "import torch, time; began = time.process_time()\n"
        "from noiselayer import NoiseLayer, NoisyLabelLoss, noise_matrix, corrupt_labels\n"
        "print(time.process_time() - began)",
    )
    assert float(seconds) < 0.25


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist."""
    for package in ("build", "twine"):
        if find_spec(package) is None:
            pytest.skip(f"needs {package}: pip install noiselayer[package]")
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    return folder


@pytest.mark.slow
def test_wheel_and_sdist_are_whole_and_valid(built: Path) -> None:
    (wheel,), (sdist,) = built.glob("*.whl"), built.glob("*.tar.gz")
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    sources = {
        str(path.relative_to(ROOT / "src"))
        for path in (ROOT / "src" / "noiselayer").rglob("*")
        if path.suffix in (".py", ".typed") and "__pycache__" not in path.parts
    }
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert sources <= held
    assert not [name for name in held if name.startswith(("tests", "experiments", "benchmarks"))]
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for expected in ("pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE", "tests/conftest.py"):
        assert expected in names


@pytest.mark.slow
def test_wheel_works_in_an_environment_of_its_own(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=False)
    python = environment / "bin" / "python"
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])").strip())
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", wheel)
    # The dependencies are those of this environment, torch is too large to fetch twice. A .pth file inside a
    # folder that a .pth file names is not read: an editable install of noiselayer stays out.
    (site / "dependencies.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    printed = run(python, "-c", SMOKE.format(site=str(site)), cwd=tmp_path)
    assert printed.strip().endswith(noiselayer.__version__)
    assert "train" in run(environment / "bin" / "noiselayer", "--help", cwd=tmp_path)
