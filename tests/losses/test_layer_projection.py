"""The noise layer's matrix is on the simplex whatever is done to it."""

import copy
import gc
import math
import pickle
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from noiselayer import NoiseLayer
from noiselayer.noise import project, symmetric

OPTIMIZERS: dict[str, Callable[[list[dict[str, object]]], torch.optim.Optimizer]] = {
    "SGD": lambda groups: torch.optim.SGD(groups, lr=0.5),
    "momentum": lambda groups: torch.optim.SGD(groups, lr=0.3, momentum=0.9, nesterov=True),
    "Adam": lambda groups: torch.optim.Adam(groups, lr=0.1),
    "AdamW": lambda groups: torch.optim.AdamW(groups, lr=0.1, weight_decay=0.1),
    "AdamW, not foreach": lambda groups: torch.optim.AdamW(groups, lr=0.1, foreach=False),
    "RMSprop": lambda groups: torch.optim.RMSprop(groups, lr=0.05),
    "Adagrad": lambda groups: torch.optim.Adagrad(groups, lr=0.2),
}
EVERY_OPTIMIZER = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)


def batch(K: int = 3) -> tuple[Tensor, Tensor]:
    return 2 * torch.randn(12, K), torch.arange(12) % K


def assert_on_simplex(Q: Tensor) -> None:
    assert (Q >= 0).all()
    ones = torch.ones(len(Q), dtype=torch.float64)
    tolerance = max(1e-6, float(torch.finfo(Q.dtype).eps))
    torch.testing.assert_close(Q.detach().double().sum(dim=0), ones, atol=tolerance, rtol=0)


def take_step(noise_layer: NoiseLayer, optimizer: torch.optim.Optimizer) -> Tensor:
    """One optimizer step on the matrix alone; what it would be without projection is returned."""
    logits, labels = batch(noise_layer.num_classes)
    optimizer.zero_grad()
    noise_layer.loss(logits, labels).backward()
    before, grad = noise_layer.noise_matrix.detach().clone(), noise_layer.noise_matrix.grad
    assert grad is not None
    optimizer.step()
    return before - optimizer.param_groups[-1]["lr"] * grad


@EVERY_OPTIMIZER
def test_on_the_simplex_after_every_step_of_every_optimizer(
    make: Callable[[list[dict[str, object]]], torch.optim.Optimizer],
) -> None:
    noise_layer = NoiseLayer(3, symmetric(3, 0.3))
    model = nn.Linear(3, 3)
    optimizer = make([{"params": model.parameters()}, noise_layer.parameter_group()])
    start = noise_layer.noise_matrix.detach().clone()
    for _ in range(5):
        take_step(noise_layer, optimizer)
        assert_on_simplex(noise_layer.noise_matrix)
    # Not after one step: Adam's first moves all entries of a column by the rate, which the projection undoes.
    assert not torch.equal(noise_layer.noise_matrix, start)


def test_a_step_is_a_gradient_step_and_then_the_nearest_point() -> None:
    noise_layer = NoiseLayer(3, symmetric(3, 0.3))
    optimizer = torch.optim.SGD([noise_layer.parameter_group(lr=0.2)])
    for _ in range(3):
        unprojected = take_step(noise_layer, optimizer)
        torch.testing.assert_close(noise_layer.noise_matrix.detach(), project(unprojected))
        assert unprojected.sum(dim=0).sub(1).abs().max() > 1e-3  # so there was something to do


def test_lbfgs_with_its_closure() -> None:
    noise_layer, (logits, labels) = NoiseLayer(3, symmetric(3, 0.3)), batch()
    optimizer = torch.optim.LBFGS(noise_layer.parameters(), max_iter=3)

    def closure() -> float:
        optimizer.zero_grad()
        loss = noise_layer.loss(logits, labels)
        loss.backward()
        return loss.item()

    optimizer.step(closure)
    assert_on_simplex(noise_layer.noise_matrix)


def test_several_layers_in_one_optimizer_and_layers_of_others() -> None:
    layers = [NoiseLayer(3, symmetric(3, 0.2)), NoiseLayer(5, symmetric(5, 0.2)), NoiseLayer(3)]
    optimizer = torch.optim.SGD([noise_layer.parameter_group(lr=1.0) for noise_layer in layers[:2]])
    for noise_layer in layers:
        noise_layer.loss(*batch(noise_layer.num_classes)).backward()
    optimizer.step()
    for noise_layer in layers[:2]:
        assert_on_simplex(noise_layer.noise_matrix)
        assert noise_layer._uses_without_step == 0
    assert torch.equal(layers[2].noise_matrix, torch.eye(3))
    assert layers[2]._uses_without_step == 1


def through_file(noise_layer: NoiseLayer, folder: Path) -> NoiseLayer:
    torch.save(noise_layer, folder / "layer.pt")
    loaded: NoiseLayer = torch.load(folder / "layer.pt", weights_only=False)
    return loaded


def through_state(noise_layer: NoiseLayer, folder: Path, assign: bool = False) -> NoiseLayer:
    torch.save(noise_layer.state_dict(), folder / "state.pt")
    other = NoiseLayer(noise_layer.num_classes)
    other.load_state_dict(torch.load(folder / "state.pt"), assign=assign)
    return other


@pytest.mark.parametrize(
    "copied",
    [
        lambda noise_layer, _: copy.deepcopy(noise_layer),
        lambda noise_layer, _: pickle.loads(pickle.dumps(noise_layer)),
        lambda noise_layer, _: copy.deepcopy(nn.Sequential(noise_layer))[0],
        through_file,
        through_state,
        lambda noise_layer, folder: through_state(noise_layer, folder, assign=True),
    ],
    ids=["deepcopy", "pickle", "inside another module", "file", "state_dict", "state_dict, assign"],
)
def test_copies_hold_the_same_matrix_bit_by_bit_and_are_projected_on_their_own(
    copied: Callable[[NoiseLayer, Path], NoiseLayer], tmp_path: Path
) -> None:
    original = NoiseLayer(3, symmetric(3, 0.3))
    take_step(original, torch.optim.SGD(original.parameters(), lr=0.1))
    before = original.noise_matrix.detach().clone()
    twin = copied(original, tmp_path)
    twin(torch.zeros(1, 3))
    assert torch.equal(twin.noise_matrix, before)
    take_step(twin, torch.optim.SGD(twin.parameters(), lr=0.5))
    assert_on_simplex(twin.noise_matrix)
    assert not torch.equal(twin.noise_matrix, before)
    assert torch.equal(original.noise_matrix, before)


def fill(noise_layer: NoiseLayer) -> None:
    with torch.no_grad():
        noise_layer.noise_matrix.fill_(2.0)


def replace(noise_layer: NoiseLayer) -> None:
    noise_layer.noise_matrix = nn.Parameter(torch.full((3, 3), 2.0))


def replace_data(noise_layer: NoiseLayer) -> None:
    noise_layer.noise_matrix.data = torch.full((3, 3), 2.0)


def load(noise_layer: NoiseLayer) -> None:
    noise_layer.load_state_dict({"noise_matrix": torch.full((3, 3), 2.0)})


def load_assign(noise_layer: NoiseLayer) -> None:
    noise_layer.load_state_dict({"noise_matrix": torch.full((3, 3), 2.0)}, assign=True)


@pytest.mark.parametrize("change", [fill, replace, replace_data, load, load_assign])
@pytest.mark.parametrize("mode", [torch.enable_grad, torch.no_grad, torch.inference_mode])
def test_a_matrix_changed_by_hand_is_projected_before_its_next_use(
    change: Callable[[NoiseLayer], None], mode: type
) -> None:
    for use_loss in (True, False):
        noise_layer = NoiseLayer(3)
        noise_layer(torch.zeros(1, 3))
        change(noise_layer)
        with mode():
            if use_loss:
                assert noise_layer.loss(torch.randn(2, 3), torch.tensor([0, 1])).item() == pytest.approx(
                    math.log(3)
                )
            else:
                noise_layer(torch.randn(2, 3))
        torch.testing.assert_close(noise_layer.noise_matrix.detach(), torch.full((3, 3), 1 / 3))


def test_a_copy_of_a_matrix_changed_by_hand_is_projected_too() -> None:
    noise_layer = NoiseLayer(3)
    fill(noise_layer)
    twin = copy.deepcopy(noise_layer)
    assert twin(torch.zeros(1, 3)).exp().sum().item() == pytest.approx(1)


def test_a_penalty_may_be_computed_before_the_loss(tmp_path: Path) -> None:
    # Projecting a matrix that needs none must not write to it: the penalty's graph holds it.
    noise_layer = through_state(NoiseLayer(3, symmetric(3, 0.3)), tmp_path)
    penalty = noise_layer.noise_matrix.square().sum()
    (noise_layer.loss(*batch()) + penalty).backward()


def test_a_matrix_that_became_nan_stops_training_aloud() -> None:
    noise_layer = NoiseLayer(3)
    optimizer = torch.optim.SGD(noise_layer.parameters(), lr=1.0)
    noise_layer.noise_matrix.grad = torch.full((3, 3), float("nan"))
    with pytest.raises(ValueError, match="must be finite to be projected"):
        optimizer.step()


def test_importing_the_module_hooks_no_optimizer_and_the_first_layer_hooks_once() -> None:
    code = """
import torch
from torch.optim.optimizer import _global_optimizer_post_hooks as hooks
from noiselayer import NoiseLayer
assert not hooks
layers = [NoiseLayer(2), NoiseLayer(3)]
assert len(hooks) == 1
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_state_saved_after_a_change_by_other_means_is_on_the_simplex() -> None:
    noise_layer = NoiseLayer(3, symmetric(3, 0.3))
    with torch.no_grad():  # as an optimizer that is none of torch's
        noise_layer.noise_matrix.add_(torch.tensor([[0.5, 0.0, 0.1], [0.0, 0.2, 0.0], [0.0, 0.0, 0.0]]))
    expected = project(noise_layer.noise_matrix.detach().clone())
    assert torch.equal(nn.Sequential(noise_layer).state_dict()["0.noise_matrix"], expected)


def test_a_dropped_layer_is_collected() -> None:
    noise_layer = NoiseLayer(3)
    gone, parameter = weakref.ref(noise_layer), noise_layer.noise_matrix
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    del noise_layer
    gc.collect()
    assert gone() is None
    parameter.grad = torch.ones(3, 3)
    optimizer.step()  # nobody's matrix any more: an ordinary step
    assert torch.equal(parameter, torch.eye(3) - 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floating_types(dtype: torch.dtype) -> None:
    noise_layer = NoiseLayer(3, symmetric(3, 0.3)).to(dtype)
    assert noise_layer(torch.randn(2, 3, dtype=dtype)).dtype == dtype
    take_step(noise_layer, torch.optim.SGD(noise_layer.parameters(), lr=0.1))
    assert noise_layer.noise_matrix.dtype == dtype
    assert_on_simplex(noise_layer.noise_matrix)
    assert NoiseLayer(3, symmetric(3, 0.3, dtype=dtype)).noise_matrix.dtype == dtype


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
def test_gradient_scaler_and_autocast(device_type: str) -> None:
    if device_type == "cuda" and not torch.cuda.is_available():
        pytest.skip("needs CUDA")
    inputs, labels = (x.to(device_type) for x in batch())
    model, noise_layer = nn.Linear(3, 3).to(device_type), NoiseLayer(3, symmetric(3, 0.3)).to(device_type)
    optimizer = torch.optim.SGD([{"params": model.parameters()}, noise_layer.parameter_group(lr=0.1)], lr=0.1)
    scaler = torch.amp.GradScaler(device_type, init_scale=2.0**10)
    losses = []
    for step in range(20):
        optimizer.zero_grad()
        with torch.autocast(device_type, dtype=torch.float16):
            logits = model(inputs)
            loss = noise_layer.loss(logits, labels)
            assert noise_layer(logits).dtype == loss.dtype == torch.float32
        before = noise_layer.noise_matrix.detach().clone()
        scaler.scale(loss).backward()
        if step == 10:
            model.weight.grad[0, 0] = torch.inf  # an overflow: the scaler skips this step
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(noise_layer.noise_matrix, before) == (step == 10)
        assert_on_simplex(noise_layer.noise_matrix.cpu())
        losses.append(loss.item())
    assert losses[-1] < losses[0]


def test_devices(device: torch.device) -> None:
    noise_layer = NoiseLayer(3, symmetric(3, 0.3)).to(device)
    optimizer = torch.optim.SGD(noise_layer.parameters(), lr=0.5)
    logits, labels = (x.to(device) for x in batch())
    noise_layer.loss(logits, labels).backward()
    optimizer.step()
    assert noise_layer.noise_matrix.device.type == device.type
    assert_on_simplex(noise_layer.noise_matrix.detach().cpu())
    assert noise_layer(logits).device.type == device.type
