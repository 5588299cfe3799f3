"""Maps of a network's last blocks beside its features: which, how long, and that the cache and a run know of them."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from noiselayer.errors import InputError
from noiselayer.extraction import NetworkFeatures, extract_features, load_pretrained
from noiselayer.extraction.block_maps import blocks_of

models = pytest.importorskip("torchvision.models")


@pytest.fixture(scope="module")
def resnet(tmp_path_factory) -> tuple[nn.Module, str]:
    """One with random weights, and its name."""
    torch.manual_seed(0)
    whole = models.resnet18().eval()
    file = tmp_path_factory.mktemp("weights") / "weights.pt"
    torch.save(whole.state_dict(), file)
    return whole, f"torchvision:resnet18@{file}"


def pixels(count: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(count, 40, 40, 3), dtype=np.uint8)


def test_the_last_blocks_stand_behind_the_features_each_of_the_same_length(resnet, tmp_path) -> None:
    whole, name = resnet
    features = np.asarray(extract_features(pixels(), name, cache_dir=tmp_path), dtype=np.float32)
    prepare = models.ResNet18_Weights.DEFAULT.transforms()
    x = torch.stack([prepare(torch.from_numpy(p).permute(2, 0, 1)) for p in pixels()])
    with torch.no_grad():
        x = whole.maxpool(whole.relu(whole.bn1(whole.conv1(x))))
        before = whole.layer4[0](whole.layer3(whole.layer2(whole.layer1(x))))
        end = whole.layer4[1](before).mean((2, 3))
    assert features.shape == (3, 512 + 512)  # the last block's mean is the features themselves
    for found, expected in ((features[:, :512], end), (features[:, 512:], before.mean((2, 3)))):
        np.testing.assert_allclose(np.linalg.norm(found, axis=1), 512**0.5, rtol=1e-3)
        unit = expected / expected.norm(dim=1, keepdim=True)
        np.testing.assert_allclose(found / 512**0.5, unit, atol=2e-3)


def test_the_end_alone_is_as_it_was_and_the_cache_keeps_both(resnet, tmp_path) -> None:
    _, name = resnet
    said: list[str] = []
    both = extract_features(pixels(), name, cache_dir=tmp_path)
    end = extract_features(pixels(), name, cache_dir=tmp_path, layers="end", say=said.append)
    assert end.shape == (3, 512)
    assert "or the layers that are taken have changed" in said[0]
    unit = end.astype(np.float32)
    unit *= 512**0.5 / np.linalg.norm(unit, axis=1, keepdims=True)
    np.testing.assert_allclose(both[:, :512], unit, atol=2e-2, rtol=1e-2)
    again = extract_features(pixels(), name, cache_dir=tmp_path, say=said.append)
    assert "all are in" in said[-1]
    np.testing.assert_array_equal(again, both)
    np.testing.assert_array_equal(extract_features(pixels(), f"{name}:end", cache_dir=tmp_path), end)


def test_a_batch_of_one_gives_what_a_batch_of_all_gives(resnet, tmp_path) -> None:
    _, name = resnet
    together = extract_features(pixels(), name, cache_dir=tmp_path / "a").astype(np.float32)
    alone = extract_features(pixels(), name, cache_dir=tmp_path / "b", batch_size=1)
    np.testing.assert_allclose(together, alone, atol=2e-3)


def test_two_names_stand_beside_each_other(resnet, tmp_path) -> None:
    _, name = resnet
    both = extract_features(pixels(), f"{name}+{name}:end", cache_dir=tmp_path)
    assert both.shape == (3, 1024 + 512)


class Small(nn.Module):
    """Blocks of 4, 3 and 2 maps, then ``width`` features."""

    def __init__(self, width: int) -> None:
        super().__init__()

        def block(i: int, o: int) -> nn.Module:
            whole = nn.Module()
            whole.conv = nn.Conv2d(i, o, 1)
            whole.forward = whole.conv.forward
            return whole

        self.stages = nn.ModuleList([nn.Sequential(block(3, 4), block(4, 3)), nn.Sequential(block(3, 2))])
        self.last = nn.Linear(2, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for stage in self.stages:
            x = stage(x)
        return self.last(x.mean(dim=(2, 3)))


@pytest.mark.parametrize(("width", "beside"), [(1, 0), (2, 0), (3, 2), (4, 2), (5, 5), (8, 5), (9, 9)])
def test_blocks_have_no_more_numbers_than_the_features(width, beside, tmp_path) -> None:
    X = torch.rand(5, 3, 4, 4)
    features = extract_features(X, Small(width), cache_dir=tmp_path)
    assert features.shape == (5, width + beside)


def test_networks_without_convolutional_blocks_keep_their_features_alone(tmp_path) -> None:
    vit = models.VisionTransformer(
        image_size=8, patch_size=4, num_layers=2, num_heads=2, hidden_dim=8, mlp_dim=8, num_classes=3
    )
    assert blocks_of(vit) == []
    for network in (vit, models.vgg11().features):
        assert load_pretrained(network).layers == "end"
    assert load_pretrained(Small(4)).layers == "blocks"
    assert not Small(4).stages[0][0]._forward_hooks
    with pytest.raises(InputError, match="layers must be 'blocks' or 'end'; got 'all'"):
        load_pretrained(Small(4), layers="all")  # type: ignore[arg-type]


def test_a_source_knows_its_layers_and_one_of_before_has_the_end(resnet) -> None:
    _, name = resnet
    source = NetworkFeatures.by_name(name, [])
    assert not source.standardize
    state = source.to_dict()
    assert NetworkFeatures.from_dict(state, {}).to_dict() == state
    of_before = NetworkFeatures.by_name(f"{name}:end", []).to_dict() | {"name": name}
    del of_before["layers"]
    restored = NetworkFeatures.from_dict(of_before, {})  # no warning
    assert restored.standardize
    assert restored.network.layers == "end"


def test_hooks_are_gone_after_an_error(resnet, tmp_path) -> None:
    network = Small(4)
    with pytest.raises(RuntimeError):
        extract_features(torch.rand(2, 5, 4, 4), network, cache_dir=Path(tmp_path))
    assert not any(module._forward_hooks for module in network.modules())
