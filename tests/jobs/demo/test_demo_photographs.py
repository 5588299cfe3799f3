"""``noiselayer demo --photos`` on coloured squares and a made-up network: what it writes, and when it skips."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from noiselayer.cli.app import app
from noiselayer.extraction import NetworkFeatures, Pretrained
from noiselayer.features.by_name import KINDS, Kind
from noiselayer.jobs.demo import photographs

NAMES = ["blue", "green", "red"]


def colours(name: str) -> NetworkFeatures:
    return NetworkFeatures(
        Pretrained(
            name,
            "images",
            None,
            lambda samples, device: torch.stack(list(samples)),
            lambda image: torch.tensor(np.asarray(image.resize((2, 2))), dtype=torch.float32).flatten() / 255,
            "1",
        )
    )


@pytest.fixture
def at_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kind = Kind(lambda name, samples: colours(name), lambda state, arrays: colours(str(state["name"])))
    monkeypatch.setitem(KINDS, "colours", kind)
    monkeypatch.setattr(photographs, "network_at_hand", lambda: "colours:mean")
    monkeypatch.setenv("NOISELAYER_CACHE", str(tmp_path / "cache"))


def squares(folder: Path, *, people: bool = True) -> tuple[np.ndarray, np.ndarray]:
    """``cifar10.npz`` of squares of three colours, and a third of blue ones labelled green by people."""
    generator = np.random.default_rng(0)
    truth, test_truth = np.arange(240) % 3, np.arange(60) % 3
    noisy = np.where((truth == 0) & (generator.random(240) < 0.33), 1, truth)

    def images(of: np.ndarray) -> np.ndarray:
        centres = 110 + 60 * np.eye(3)[:, ::-1][of]
        return generator.normal(centres[:, None, None], 50, (len(of), 32, 32, 3)).clip(0, 255).astype("uint8")

    arrays = {"x_train": images(truth), "y_train": truth, "x_test": images(test_truth), "y_test": test_truth}
    folder.mkdir()
    np.savez(
        folder / "cifar10.npz", class_names=NAMES, **arrays, **({"cifar10n_worse": noisy} if people else {})
    )
    return truth, noisy


@pytest.mark.usefixtures("at_hand")
def test_it_trains_audits_and_leaves_a_page(tmp_path: Path) -> None:
    truth, noisy = squares(tmp_path / "data")
    out = tmp_path / "out"
    command = ["demo", "--photos", "--data", str(tmp_path / "data"), "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    assert {path.name for path in out.iterdir()} == {
        *("photographs", "photographs-audit", "noise_matrix.png", "metrics.json")
    }
    metrics = json.loads((out / "metrics.json").read_text())
    wrong = int((truth != noisy).sum())
    assert metrics["label_errors"]["wrong"] == wrong
    assert metrics["suspects"]["really_wrong"] <= wrong
    assert metrics["label_errors"]["flagged_and_wrong"] >= 0.8 * wrong
    assert metrics["noise_matrix_l1"]["counted"] == pytest.approx(0, abs=1e-6)  # all photographs were drawn
    assert metrics["noise_matrix_l1"]["learned"] < 0.2
    for method, error in metrics["test_error"].items():
        assert f"{error:.1f} %" in done.stdout
        assert error == pytest.approx(0, abs=2), method
    assert f"of {wrong} in all" in " ".join(done.stderr.split())
    files = sorted((out / "photographs").glob("*/*.png"))
    assert [NAMES.index(path.parent.name) for path in sorted(files, key=lambda p: p.name)] == noisy.tolist()
    assert np.asarray(Image.open(out / "photographs" / NAMES[noisy[7]] / "00007.png")).shape == (32, 32, 3)
    assert "data:image/png" in (out / "photographs-audit" / "report.html").read_text()

    assert CliRunner().invoke(app, [*command, "--seed", "1"]).exit_code == 0  # its own folder is replaced
    assert json.loads((out / "metrics.json").read_text())["seed"] == 1


@pytest.mark.parametrize(
    ("lacking", "message"),
    [
        (
            "data",
            "skipped: demo --photos needs CIFAR-10 with people's labels: name the folder of cifar10.npz",
        ),
        ("people", "has no labels that people gave, cifar10n_worse"),
        ("weights", "skipped: demo --photos needs a pretrained network, and no weights are on this machine"),
        ("file", "should hold cifar10.npz or cifar-10-batches-py"),
    ],
)
@pytest.mark.usefixtures("at_hand")
def test_it_skips_by_name_what_is_not_there(
    lacking: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOISELAYER_DATA", raising=False)
    squares(tmp_path / "data", people=lacking != "people")
    if lacking == "weights":
        monkeypatch.setattr(photographs, "network_at_hand", lambda: None)
    if lacking == "file":
        (tmp_path / "data" / "cifar10.npz").unlink()
    data = [] if lacking == "data" else ["--data", str(tmp_path / "data")]
    done = CliRunner().invoke(app, ["demo", "--photos", *data, "--out", str(tmp_path / "out")])
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "out").exists()
