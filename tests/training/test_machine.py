"""A machine that is not there, or a number that no machine has, is refused in a sentence before anything begins."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from noiselayer import NoisyLabelClassifier
from noiselayer.data import from_arrays
from noiselayer.errors import InputError
from noiselayer.files.given import check_writable
from noiselayer.training.machine import check_hardware, device_of
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, default_options
from noiselayer.training.precision import best_precision


@pytest.fixture
def cpu_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)


@pytest.mark.usefixtures("cpu_only")
@pytest.mark.parametrize(
    ("hardware", "message"),
    [
        ({"accelerator": "gpu"}, "accelerator='gpu': this machine has no GPU that torch can use. Take accel"),
        ({"accelerator": "cuda"}, "accelerator='cuda': this machine has no CUDA GPU"),
        ({"accelerator": "mps"}, "accelerator='mps': this machine has no Apple GPU"),
        ({"accelerator": "tpu"}, "accelerator='tpu': this machine has no torch_xla, which TPUs need"),
        ({"accelerator": "zzz"}, "accelerator must be one of auto, cpu, gpu, cuda, mps, tpu; got 'zzz'."),
        ({"devices": 0}, "devices must be auto, or a whole number from 1 to "),
        ({"devices": -1}, "got -1."),
        ({"devices": "a"}, "got 'a'."),
        ({"devices": "0,1"}, "got '0,1'."),
        ({"devices": 10**19}, "got 10000000000000000000."),
        ({"devices": 1.5}, "got 1.5."),
        ({"num_nodes": 0}, "num_nodes must be a whole number of machines from 1 up; got 0."),
        (
            {"precision": "8"},
            "precision must be one of 32-true, bf16-mixed, 16-mixed, bf16-true, 16-true, 64-true",
        ),
        ({"precision": "bf16mixed"}, "got 'bf16mixed'. Did you mean 'bf16-mixed'?"),
        ({"strategy": "zzz"}, "strategy must be auto or ddp; got 'zzz'."),
        ({"num_workers": -1}, "num_workers must be a whole number from 0 up; got -1."),
    ],
)
def test_hardware_that_is_not_here(hardware: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as error:
        check_hardware(Hardware(**hardware))
    assert message in str(error.value)
    data = from_arrays(torch.eye(2).repeat(4, 1), [0, 1] * 4)
    with pytest.raises(InputError) as again:
        fit_classifier(data, default_options("vector", method="normal"), hardware=Hardware(**hardware))
    assert str(again.value) == str(error.value)


@pytest.mark.usefixtures("cpu_only")
def test_the_estimator_and_the_choice_of_precision_ask_too() -> None:
    with pytest.raises(ValueError, match="accelerator='gpu': this machine has no GPU"):
        NoisyLabelClassifier("normal", accelerator="gpu").fit(np.eye(2).repeat(4, axis=0), [0, 1] * 4)
    with pytest.raises(InputError, match="this machine has no GPU"):
        best_precision("gpu")


@pytest.mark.usefixtures("two_gpus")
def test_gpus_are_counted_or_named() -> None:
    assert device_of("gpu").type == device_of("auto").type == "cuda"
    for devices in ("auto", 1, 2, "2", -1, "-1", "0,1", "1,"):
        check_hardware(Hardware(devices=devices))
    for devices in (0, 3, "0,2", -2, "a", ","):
        with pytest.raises(InputError, match="from 1 to 2 on cuda or numbers of GPUs such as 0,1; got"):
            check_hardware(Hardware(devices=devices))


def test_a_folder_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b")
    check_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file" / "x", tmp_path / ("x" * 300), Path("/proc/x")):
        with pytest.raises(InputError, match=r"cannot write to the output folder .*Name another with out\.$"):
            check_writable(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
