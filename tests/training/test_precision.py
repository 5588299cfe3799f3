"""bfloat16 only where the machine computes in it."""

import warnings

import pytest
import torch

from noiselayer.data import from_arrays
from noiselayer.training import precision
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, default_options
from noiselayer.training.precision import best_precision


@pytest.fixture(params=[True, False])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A CPU with bfloat16, or without."""
    monkeypatch.setattr(precision, "_cpu_has_bfloat16", lambda: request.param)
    return bool(request.param)


def test_the_quickest_that_trains_as_well(native: bool) -> None:
    assert best_precision("cpu") == ("bf16-mixed" if native else "32-true")


def test_a_gpu_before_ampere_computes_in_32_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for capability, expected in (((7, 5), "32-true"), ((8, 0), "bf16-mixed"), ((9, 0), "bf16-mixed")):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda capability=capability: capability)
        assert best_precision() == expected


def test_training_says_that_the_cpu_emulates(native: bool) -> None:
    data = from_arrays(torch.eye(2).repeat(20, 1), torch.tensor([0, 1]).repeat(20))
    options = default_options("vector", method="normal", model="linear", model_options={}, max_epochs=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_classifier(data, options, hardware=Hardware(accelerator="cpu", precision="bf16-mixed"))
    found = [warning for warning in caught if "emulates it" in str(warning.message)]
    assert len(found) == (0 if native else 1)


def test_a_torch_without_the_question_has_no_bfloat16(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, name, raising=False)
    assert best_precision("cpu") == "32-true"
