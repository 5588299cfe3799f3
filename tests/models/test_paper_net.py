"""The paper's network: sizes and counts by hand, pooling at the border by loops, the original's recipe."""

import io

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, local_response_norm

from noiselayer.models import PaperNet, build_model, count_parameters, paper_parameter_groups


def sizes(model: nn.Module, x: Tensor) -> dict[str, tuple[int, ...]]:
    """Shape after every layer, without the batch."""
    found: dict[str, tuple[int, ...]] = {}
    for name, layer in model.named_children():
        x = layer(x)
        found[name] = tuple(x.shape[1:])
    return found


def test_sizes_at_32_pixels_are_the_originals() -> None:
    found = sizes(PaperNet(10, (3, 32, 32)), torch.randn(2, 3, 32, 32))
    assert found["conv1"] == (32, 32, 32)
    assert found["pool1"] == found["rnorm1"] == found["conv2"] == (32, 16, 16)
    assert found["pool2"] == found["rnorm2"] == (32, 8, 8)
    assert found["conv3"] == (64, 8, 8)
    assert found["pool3"] == (64, 4, 4)
    assert found["flatten"] == (1024,)
    assert found["fc"] == (10,)


def test_parameters_counted_by_hand() -> None:
    original = (75 * 32 + 32) + (800 * 32 + 32) + (800 * 64 + 64) + (1024 * 10 + 10)
    assert count_parameters(PaperNet(10, (3, 32, 32))) == original == 89578
    wide = (75 * 64 + 64) + (1600 * 128 + 128) + (3200 * 128 + 128) + (2048 * 10 + 10)
    model = build_model("paper-wide", num_classes=10, input_shape=(3, 32, 32))
    assert count_parameters(model) == wide == 640010


@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 28, 28), (3, 9, 15), (4, 33, 40)])
def test_other_image_sizes(shape: tuple[int, int, int]) -> None:
    assert PaperNet(7, shape)(torch.randn(2, *shape)).shape == (2, 7)


@pytest.mark.parametrize(("layer", "n"), [("pool1", 9), ("pool2", 8), ("pool2", 9), ("pool3", 4)])
def test_windows_cover_the_border_and_averages_count_the_pixels_inside(layer: str, n: int) -> None:
    x = torch.randn(1, 1, n, n, dtype=torch.float64)
    windows = -((3 - n) // 2) + 1  # cuda-convnet: ceil((n - 3) / 2) + 1
    expected = torch.empty(windows, windows, dtype=torch.float64)
    for i in range(windows):
        for j in range(windows):
            inside = [
                x[0, 0, r, c]
                for r in range(2 * i, min(n, 2 * i + 3))
                for c in range(2 * j, min(n, 2 * j + 3))
            ]
            expected[i, j] = max(inside) if layer == "pool1" else sum(inside) / len(inside)
    pooled = PaperNet(10, (3, 32, 32)).get_submodule(layer)(x)
    torch.testing.assert_close(pooled[0, 0], expected)


def test_whole_network_written_out_with_torchs_functions() -> None:
    model = PaperNet(5, (3, 16, 16), response_norm="channels", alpha=0.3).double()
    weights = dict(model.named_parameters())
    x = torch.randn(2, 3, 16, 16, dtype=torch.float64)
    torch.nn.init.normal_(model.conv1.bias)
    F = torch.nn.functional
    h = F.relu(F.conv2d(x, weights["conv1.weight"], weights["conv1.bias"], padding=2))
    h = local_response_norm(F.max_pool2d(h, 3, 2, ceil_mode=True), 3, 0.3, 0.75)
    h = F.relu(F.conv2d(h, weights["conv2.weight"], weights["conv2.bias"], padding=2))
    h = local_response_norm(F.avg_pool2d(h, 3, 2, ceil_mode=True), 3, 0.3, 0.75)
    h = F.relu(F.conv2d(h, weights["conv3.weight"], weights["conv3.bias"], padding=2))
    h = F.avg_pool2d(h, 3, 2, ceil_mode=True).flatten(1)
    torch.testing.assert_close(model(x), F.linear(h, weights["fc.weight"], weights["fc.bias"]))


def test_the_original_normalises_over_pixels_and_the_options_differ() -> None:
    torch.manual_seed(1)
    model = PaperNet(10, (3, 32, 32))
    assert (model.rnorm1.over, model.rnorm1.size, model.rnorm1.alpha, model.rnorm1.beta) == (
        "pixels",
        3,
        5e-5,
        0.75,
    )
    x = torch.randn(2, 3, 32, 32)
    outputs = []
    for option in ("pixels", "channels", None):
        variant = PaperNet(10, (3, 32, 32), response_norm=option, alpha=1.0)
        variant.load_state_dict(model.state_dict())  # no option adds to a checkpoint
        outputs.append(variant(x))
    assert not torch.allclose(outputs[0], outputs[1])
    assert not torch.allclose(outputs[0], outputs[2])


def test_initialisations() -> None:
    he, original = PaperNet(10, (3, 32, 32)), PaperNet(10, (3, 32, 32), init="cuda-convnet")
    for layer, fan_in, deviation in [("conv1", 75, 1e-4), ("conv2", 800, 1e-2), ("conv3", 800, 1e-2)]:
        assert he.get_submodule(layer).weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05)
        assert original.get_submodule(layer).weight.std().item() == pytest.approx(deviation, rel=0.05)
        assert not he.get_submodule(layer).bias.any()
    assert he.fc.weight.std().item() == pytest.approx(0.01, rel=0.05)


def test_groups_hold_every_parameter_once_with_the_originals_settings() -> None:
    model = build_model("paper", num_classes=10, input_shape=(3, 32, 32), mean=0.0, std=1.0)
    groups = paper_parameter_groups(model)
    setting = {id(p): (g["lr"], g["weight_decay"]) for g in groups for p in g["params"]}
    assert sum(len(g["params"]) for g in groups) == len(setting) == len(list(model.parameters()))
    for name, p in model.named_parameters():
        rate = 0.002 if name.endswith("bias") else 0.001
        decay = 0.0 if name.endswith("bias") else 1.0 if "fc" in name else 0.004
        assert setting[id(p)] == (rate, decay), name
    with pytest.raises(TypeError, match=r"model must hold a PaperNet .* got Linear\."):
        paper_parameter_groups(nn.Linear(2, 2))


def test_a_few_steps_lower_the_loss_in_bfloat16_too() -> None:
    for autocast in (False, True):
        torch.manual_seed(0)
        model = build_model("paper", num_classes=3, input_shape=(3, 8, 8), mean=127.0, std=64.0)
        y = torch.arange(30) % 3
        x = (torch.randint(0, 128, (30, 3, 8, 8)) + 60 * y[:, None, None, None]).to(torch.uint8)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        losses = []
        for _ in range(40):
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                loss = cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        assert losses[0] == pytest.approx(1.0986, abs=0.2)  # log 3: it starts without an opinion
        assert losses[-1] < 0.1 * losses[0]


def test_state_survives_a_file() -> None:
    first, second = PaperNet(10, (3, 32, 32)), PaperNet(10, (3, 32, 32))
    x = torch.randn(2, 3, 32, 32)
    file = io.BytesIO()
    torch.save(first.state_dict(), file)
    file.seek(0)
    second.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(first(x), second(x))


def test_an_unknown_initialisation_is_named() -> None:
    with pytest.raises(ValueError, match=r"init must be 'he' or 'cuda-convnet'; got 'xavier'\."):
        PaperNet(10, (3, 32, 32), init="xavier")  # type: ignore[arg-type]
