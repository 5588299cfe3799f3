"""What `import noiselayer` brings along, what it offers, and that every equation has one home."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import noiselayer

SOURCE = Path(noiselayer.__file__).parent

# One line per public name; README, reference and changelog speak of these.
PUBLIC = {
    "AuditResult",
    "NoiseLayer",
    "NoisyLabelBoostingClassifier",
    "NoisyLabelClassifier",
    "NoisyLabelFeaturesClassifier",
    "NoisyLabelLoss",
    "NoisyLabelMetaClassifier",
    "SparseNoiseMatrix",
    "TopDownLoss",
    "__version__",
    "accuracy_from_noisy_labels",
    "audit_labels",
    "check_noise_model",
    "combine_labels",
    "confusion_matrix",
    "corrupt_labels",
    "estimate_annotator_matrices",
    "estimate_from_pairs",
    "estimate_from_predictions",
    "estimate_noise_matrix",
    "estimate_source_matrices",
    "inverse_conversion",
    "label_error_probability",
    "load",  # of load_run, before 0.2
    "load_run",
    "measure_labels",
    "noise",
    "noise_floor",
    "noisy_label_loss",
    "noisy_label_metric",
    "noisy_label_objective",
    "posterior",
    "regularization",
    "top_down_loss",
    "uniform_conversion",
}
# These need more than torch.
HEAVY = {
    *("NoisyLabelBoostingClassifier", "NoisyLabelClassifier", "NoisyLabelFeaturesClassifier"),
    "NoisyLabelMetaClassifier",
    *("load", "load_run", "noisy_label_metric", "noisy_label_objective"),
}
MATHEMATICS = f"from noiselayer import {', '.join(sorted(PUBLIC - HEAVY))}"


def modules_after(*imports: str) -> list[set[str]]:
    """Every module that a fresh interpreter holds after each of these statements in turn."""
    lines = ["import json, sys"]
    for statement in imports:
        lines += [statement, "print(json.dumps(list(sys.modules)))"]
    finished = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True, timeout=300
    )
    return [set(json.loads(line)) for line in finished.stdout.splitlines()]


def test_the_mathematics_imports_torch_numpy_and_the_standard_library_alone() -> None:
    torch_alone, ours = modules_after("import torch", MATHEMATICS)
    new = {name.partition(".")[0] for name in ours - torch_alone}
    assert new - set(sys.stdlib_module_names) - {"numpy"} == {"noiselayer"}
    for heavy in ("pytorch_lightning", "torchvision", "torchmetrics", "pandas", "sklearn", "matplotlib"):
        assert heavy not in ours


def test_the_package_alone_imports_nothing_but_the_standard_library() -> None:
    # The command line answers before torch is there.
    (ours,) = modules_after("import noiselayer")
    assert "torch" not in ours
    assert "numpy" not in ours


def test_the_public_names_are_these_and_no_others() -> None:
    assert set(noiselayer.__all__) == PUBLIC
    assert noiselayer.__all__ == sorted(noiselayer.__all__)
    assert dir(noiselayer) == noiselayer.__all__


@pytest.mark.parametrize("name", sorted(PUBLIC - HEAVY - {"__version__"}))
def test_every_public_name_is_documented(name: str) -> None:
    documentation = getattr(noiselayer, name).__doc__
    assert documentation
    assert documentation.strip().splitlines()[0].endswith((".", ")"))


def test_lazy_names_are_imported_when_first_used() -> None:
    before, after = modules_after("import noiselayer", "noiselayer.NoisyLabelClassifier")
    assert "sklearn" in after - before


def test_the_old_name_of_a_module_still_leads_to_it() -> None:
    with pytest.warns(DeprecationWarning, match="noiselayer.noise_matrix has become noiselayer.noise"):
        assert noiselayer.noise_matrix.pair_flip is noiselayer.noise.pair_flip


def test_a_mistyped_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'noiselayer' has no attribute 'NoiseLayr'"):
        noiselayer.NoiseLayr  # noqa: B018


def public_docstrings() -> dict[str, str]:
    """Of every function and class without an underscore, and of methods, by file and name."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                found[f"{path.relative_to(SOURCE)}: {node.name}"] = ast.get_docstring(node) or ""
    return found


@pytest.mark.parametrize("number", range(1, 8))
def test_an_equation_has_one_home(number: int) -> None:
    homes = [name for name, text in public_docstrings().items() if f"Eq. {number}" in text]
    assert len(homes) <= 1, f"Eq. {number} stands in {homes}; keep the home and say the others in words"
    known = {
        1: ["losses/noise_layer.py: NoiseLayer"],
        2: ["losses/bottom_up.py: noisy_label_loss"],
        6: ["losses/top_down.py: top_down_loss"],
        7: ["losses/reweighting.py: reweighted_loss"],
    }
    assert homes == known.get(number, homes)


def test_files_stay_small_rooms() -> None:
    sizes = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCE.rglob("*.py")}
    assert {str(path): size for path, size in sizes.items() if size > 400} == {}
