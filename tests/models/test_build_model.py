"""Models by name: ours, torchvision's, wrong names, options and shapes, and what an import brings along."""

import subprocess
import sys

import pytest
import torch
from torch import nn

from noiselayer.errors import InputError
from noiselayer.models import MODELS, PaperNet, Standardize, build_model


@pytest.mark.parametrize("name", ["resnet18", "torchvision:resnet18"])
def test_torchvision_by_name(name: str) -> None:
    from torchvision.models import ResNet

    model = build_model(name, num_classes=7, input_shape=(3, 32, 32), mean=127.0, std=64.0)
    assert isinstance(model[0], Standardize)
    assert isinstance(model[1], ResNet)
    assert model(torch.zeros(2, 3, 32, 32, dtype=torch.uint8)).shape == (2, 7)


def test_torchvision_options_are_passed_on() -> None:
    model = build_model("mobilenet_v3_small", num_classes=4, input_shape=(3, 32, 32), dropout=0.7)
    assert [m.p for m in model.modules() if isinstance(m, nn.Dropout)] == [0.7]


def test_vision_transformers_learn_the_image_size() -> None:
    model = build_model("vit_b_32", num_classes=3, input_shape=(3, 64, 64))
    with torch.device("meta"):  # shapes only: the network is large
        assert model.to("meta").eval()(torch.empty(2, 3, 64, 64)).shape == (2, 3)


def test_googlenet_gives_logits_in_training_too() -> None:
    model = build_model("googlenet", num_classes=3, input_shape=(3, 32, 32), init_weights=False)
    assert model.train()(torch.randn(2, 3, 32, 32)).shape == (2, 3)


def test_own_models_join_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    def mine(num_classes: int, input_shape: tuple[int, ...], *, bias: bool = True) -> nn.Module:
        return nn.Linear(input_shape[0], num_classes, bias=bias)

    monkeypatch.setitem(MODELS, "mine", mine)
    model = build_model("mine", num_classes=3, input_shape=(4,), bias=False)
    assert [tuple(p.shape) for p in model.parameters()] == [(3, 4)]


def test_options_reach_the_model() -> None:
    model = build_model("paper-wide", num_classes=3, input_shape=(3, 32, 32), response_norm=None)
    assert isinstance(model, PaperNet)
    assert model.conv1.out_channels == 64
    assert isinstance(model.rnorm1, nn.Identity)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "papper",
            r"there is no model 'papper'\. Did you mean 'paper'\? Known are paper, paper-wide, small, ",
        ),
        ("resnet19", r"there is no model 'resnet19'\. Did you mean 'resnet1[58]'\?"),
        ("torchvision:papper", r"there is no model 'torchvision:papper'\. Known are"),
        ("zzzzzz", r"there is no model 'zzzzzz'\. Known are .*torchvision's \d+ classifiers by name\."),
        ("fasterrcnn_resnet50_fpn", r"there is no model 'fasterrcnn_resnet50_fpn'\."),
    ],
)
def test_unknown_names_get_the_nearest(name: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_model(name, num_classes=3, input_shape=(3, 32, 32))


def test_unknown_options_get_the_nearest() -> None:
    with pytest.raises(
        InputError, match=r"'mlp' has no option 'hiden'; it has hidden, dropout\. Did you mean 'hidden'"
    ):
        build_model("mlp", num_classes=3, input_shape=(4,), hiden=(3,))
    with pytest.raises(InputError, match=r"model 'linear' has no option 'hidden'; it has none\."):
        build_model("linear", num_classes=3, input_shape=(4,), hidden=(3,))


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        (
            "paper",
            (64,),
            r"model 'paper' takes images: .* got \(64,\)\. For tables and vectors use 'mlp' or 'linear'",
        ),
        (
            "small",
            (3, 4, 32),
            r"model 'small' needs images of at least 8 x 8 pixels; input_shape is \(3, 4, 32\)\.",
        ),
        ("small", (32, 32, 3), r"looks like channels last\. Permute the images and pass \(3, 32, 32\)\."),
        ("mlp", (), r"input_shape must be the positive sizes of one input, without the batch: .* got \(\)\."),
        ("linear", (3, 0), r"input_shape must be the positive sizes of one input, .* got \(3, 0\)\."),
        (
            "resnet18",
            (1, 32, 32),
            r"torchvision's models take 3 channels; input_shape is \(1, 32, 32\)\. Repeat the",
        ),
        (
            "alexnet",
            (3, 32, 32),
            r"torchvision's 'alexnet' cannot take images of shape \(3, 32, 32\): .*Enlarge",
        ),
    ],
)
def test_wrong_shapes_are_told_before_training(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_model(name, num_classes=3, input_shape=shape)


@pytest.mark.parametrize("name", [*MODELS, "resnet18"])
def test_one_class_is_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"num_classes must be at least 2; got 1\."):
        build_model(name, num_classes=1, input_shape=(3, 32, 32))


@pytest.mark.parametrize("name", MODELS)
def test_models_compute_the_same_on_every_device(name: str, device: torch.device) -> None:
    model = build_model(name, num_classes=3, input_shape=(3, 16, 16), mean=127.0, std=64.0).eval()
    x = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    expected = model(x)
    torch.testing.assert_close(model.to(device)(x.to(device)).cpu(), expected, rtol=1e-3, atol=1e-4)


def test_importing_the_models_imports_no_torchvision() -> None:
    code = (
        "import sys, noiselayer.models; sys.exit('torchvision' in sys.modules or 'lightning' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
