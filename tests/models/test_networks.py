"""The other networks: counts by hand, sizes, learning, and what they refuse."""

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from noiselayer.models import AlexNet32, SmallNet, build_model, count_parameters, linear, mlp


def test_small_parameters_counted_by_hand() -> None:
    convolutions = 9 * (64 * 64 + 64 * 128 + 128 * 128 + 128 * 192 + 192 * 192)
    norms = 2 * (64 + 64 + 128 + 128 + 192 + 192)
    assert count_parameters(SmallNet(10, (3, 32, 32))) == convolutions + norms + 192 * 10 + 10


def test_alexnet32_parameters_counted_by_hand() -> None:
    convolutions = (
        (75 * 64 + 64) + (1600 * 192 + 192) + (1728 * 384 + 384) + (3456 * 256 + 256) + (2304 * 256 + 256)
    )
    dense = (4096 * 1024 + 1024) + (1024 * 1024 + 1024) + (1024 * 200 + 200)
    assert count_parameters(AlexNet32(200, (3, 32, 32))) == convolutions + dense


def test_alexnet32_has_the_filters_of_torchvisions() -> None:
    theirs = build_model("torchvision:alexnet", num_classes=200, input_shape=(3, 224, 224))
    filters = [
        [m.out_channels for m in net.modules() if isinstance(m, nn.Conv2d)]
        for net in (theirs, AlexNet32(200, (3, 32, 32)))
    ]
    assert filters[0] == filters[1]


def test_mlp_and_linear_parameters_counted_by_hand() -> None:
    assert count_parameters(mlp(3, (20,))) == (20 * 128 + 128) + (128 * 128 + 128) + (128 * 3 + 3)
    assert count_parameters(mlp(3, (4, 5), hidden=(7,))) == (20 * 7 + 7) + (7 * 3 + 3)
    assert count_parameters(linear(3, (20,))) == 63


def test_frozen_parameters_are_counted_unless_told() -> None:
    model = mlp(2, (3,), hidden=(4,))
    model[1].requires_grad_(False)
    assert count_parameters(model) == 16 + 10
    assert count_parameters(model, trainable_only=True) == 10


@pytest.mark.parametrize("name", ["small", "alexnet32", "mlp", "linear", "paper", "paper-wide"])
@pytest.mark.parametrize("shape", [(3, 8, 8), (1, 28, 28), (2, 9, 13)])
def test_any_image_size(name: str, shape: tuple[int, int, int]) -> None:
    model = build_model(name, num_classes=2, input_shape=shape)
    assert model(torch.randn(3, *shape)).shape == (3, 2)


def test_small_mirrored_gives_the_mean_of_both_views_in_evaluation_alone() -> None:
    plain = SmallNet(10, (3, 16, 16), widths=(16, 16, 16))
    mirrored = SmallNet(10, (3, 16, 16), widths=(16, 16, 16), mirrored=True)
    mirrored.load_state_dict(plain.state_dict())
    x = torch.randn(4, 3, 16, 16)
    torch.testing.assert_close(mirrored(x), plain(x))
    plain.eval(), mirrored.eval()
    assert not torch.allclose(plain(x), plain(x.flip(-1)), atol=1e-4)
    torch.testing.assert_close(mirrored(x), (plain(x) + plain(x.flip(-1))) / 2)


def test_small_has_half_a_quarter_and_an_eighth_of_the_size() -> None:
    x, seen = torch.randn(2, 3, 32, 32), []
    for layer in SmallNet(10, (3, 32, 32)):
        x = layer(x)
        if isinstance(layer, nn.ReLU):
            seen.append(tuple(x.shape[1:]))
    assert seen == [(64, 16, 16), (64, 16, 16), (128, 8, 8), (128, 8, 8), (192, 4, 4), (192, 4, 4)]


def test_alexnet32_sizes_are_16_8_and_4() -> None:
    x, seen = torch.randn(2, 3, 32, 32), []
    for layer in AlexNet32(10, (3, 32, 32), width=0.1):
        x = layer(x)
        if isinstance(layer, nn.MaxPool2d):
            seen.append(x.shape[-1])
    assert seen == [16, 8, 4]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("small", {"widths": (16, 16, 32)}),
        ("alexnet32", {"width": 0.25, "dropout": 0.0}),
        ("mlp", {}),
        ("linear", {}),
    ],
)
def test_training_lowers_the_loss(name: str, options: dict[str, object]) -> None:
    model = build_model(name, num_classes=3, input_shape=(3, 8, 8), mean=127.5, std=74.0, **options)
    y = torch.arange(30) % 3
    x = (torch.randint(0, 128, (30, 3, 8, 8)) + 60 * y[:, None, None, None]).to(torch.uint8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
    losses = []
    for _ in range(40):
        loss = cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


@pytest.mark.parametrize("name", ["small", "alexnet32"])
def test_start_is_without_an_opinion(name: str) -> None:
    """A confident start is a bad one: under a noise layer, the matrix would learn the network's whims."""
    model = build_model(name, num_classes=10, input_shape=(3, 32, 32))
    probs = model(torch.randn(4, 3, 32, 32)).softmax(dim=1)
    assert probs.max() < 0.25


def test_dropout_acts_in_training_only() -> None:
    model, x = mlp(3, (8,), dropout=0.5), torch.randn(4, 8)
    assert not torch.equal(model(x), model(x))
    model.eval()
    assert torch.equal(model(x), model(x))


def test_bad_sizes_are_named() -> None:
    with pytest.raises(ValueError, match=r"hidden must hold positive layer sizes; got \(4, 0\)\."):
        mlp(3, (4,), hidden=(4, 0))
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\); got 1\."):
        mlp(3, (4,), dropout=1)
    with pytest.raises(ValueError, match=r"dropout must lie in \[0, 1\); got -0\.1\."):
        AlexNet32(3, (3, 32, 32), dropout=-0.1)
    with pytest.raises(ValueError, match=r"width must be positive: it multiplies the filters; got 0\."):
        AlexNet32(3, (3, 32, 32), width=0)
    with pytest.raises(ValueError, match=r"widths must be three positive numbers of filters; got \(8, 8\)\."):
        SmallNet(3, (3, 32, 32), widths=(8, 8))
