"""The LightningModule: its schedule, its optimizer groups, its penalties, and who meets the noise layer."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from ordinary import train
from torch import Tensor, nn

from noiselayer import NoiseLayer
from noiselayer.training.batches import Trust
from noiselayer.training.module import NoisyLabelModule
from noiselayer.training.options import Optimization

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have many workers.*"),
    pytest.mark.filterwarnings(r"ignore:.*`isinstance\(treespec, LeafSpec\)` is deprecated.*"),
]

Q = torch.tensor([[0.7, 0.0, 0.4], [0.3, 0.8, 0.0], [0.0, 0.2, 0.6]])


def module_of(trainable: bool = True, **optimization: object) -> NoisyLabelModule:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))
    module = NoisyLabelModule(network, NoiseLayer(3, Q, trainable=trainable), Optimization(**optimization))  # type: ignore[arg-type]
    module.log = lambda *args, **kwargs: None  # type: ignore[method-assign]
    return module


def batch(size: int = 6) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(size, 2, generator=generator), torch.arange(size) % 3, torch.zeros(size).long()


@given(first=st.integers(0, 10_000), length=st.integers(8, 5_000))
def test_a_phase_warms_up_and_cools_down(first: int, length: int) -> None:
    module = module_of()
    module.restart_schedule(first, first + length)
    rates = [module._rate_factor(step) for step in range(first, first + length + 1, max(1, length // 100))]
    rates += [module._rate_factor(first + length)]
    peak = max(range(len(rates)), key=rates.__getitem__)
    assert rates[0] == pytest.approx(0.1)
    assert 0.9 < rates[peak] <= 1
    assert 0.1 < peak / len(rates) < 0.4  # after a quarter
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)
    assert 0 < rates[-1] < 0.01
    assert module._rate_factor(first + 2 * length) == rates[-1]  # a step more than was planned does no harm


def test_constant_rate() -> None:
    module = module_of(schedule="constant")
    module.restart_schedule(0, 10)
    assert {module._rate_factor(step) for step in range(12)} == {1.0}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_optimizer_groups(optimizer: str) -> None:
    module = module_of(optimizer=optimizer, learning_rate=0.1, weight_decay=0.3, noise_learning_rate=0.01)
    rates: list[float] = []

    class Batches(torch.utils.data.Dataset[tuple[Tensor, Tensor, Tensor]]):
        def __len__(self) -> int:
            return 24

        def __getitem__(self, index: int) -> tuple[Tensor, Tensor, Tensor]:
            return tuple(each[0] for each in batch())  # type: ignore[return-value]

    module.on_train_batch_end = lambda *args: rates.append(  # type: ignore[method-assign]
        module.trainer.optimizers[0].param_groups[0]["lr"]
    )
    trainer = train(module, [], max_epochs=2, data=Batches())
    weights, others, noise = trainer.optimizers[0].param_groups
    assert [tuple(p.shape) for p in weights["params"]] == [(4, 2), (3, 4)]
    assert [tuple(p.shape) for p in others["params"]] == [(4,), (3,)]
    assert [p is module.noise_layer.noise_matrix for p in noise["params"]] == [True]
    assert (weights["weight_decay"], others["weight_decay"], noise["weight_decay"]) == (0.3, 0.0, 0.0)
    assert (weights["initial_lr"], others["initial_lr"]) == (0.1, 0.1)
    assert noise["initial_lr"] == pytest.approx(
        0.03 if optimizer == "sgd" else 0.01
    )  # times K for plain steps
    if optimizer == "sgd":
        assert (noise["momentum"], noise["nesterov"]) == (0.0, False)
    assert rates[-1] < 0.002  # the schedule knew how many steps there would be


def gradient_of_q(module: NoisyLabelModule) -> Tensor:
    module.zero_grad()
    module.training_step(batch(), 0).backward()
    assert module.noise_layer.noise_matrix.grad is not None
    return module.noise_layer.noise_matrix.grad


def test_penalties_on_the_matrix() -> None:
    plain = gradient_of_q(module_of())
    # d/dQ of tr(Q) / K, of ||Q||^2 / 2, and of log |det Q|.
    penalties = {
        "trace_penalty": torch.eye(3) / 3,
        "noise_weight_decay": Q,
        "volume_penalty": Q.inverse().T,
    }
    for name, gradient in penalties.items():
        torch.testing.assert_close(gradient_of_q(module_of(**{name: 0.7})) - plain, 0.7 * gradient)


def test_penalties_leave_a_frozen_matrix_and_validation_alone() -> None:
    penalised = module_of(trainable=False, trace_penalty=10.0)
    assert torch.equal(
        penalised.training_step(batch(), 0), module_of(trainable=False).training_step(batch(), 0)
    )
    logged: list[Tensor] = []
    penalised = module_of(trace_penalty=10.0)
    penalised.log = lambda name, value, **options: logged.append(value)  # type: ignore[method-assign]
    penalised.validation_step(batch(), 0)
    loss = penalised.training_step(batch(), 0)
    assert torch.equal(logged[0], logged[1])  # what is reported of training is the likelihood too
    assert float(loss.detach() - logged[1]) == pytest.approx(10 * 0.7)


def test_alternation_scales_training_and_not_validation() -> None:
    module = module_of()
    module.trust_scale = (0.5, 3.0)
    logged: list[Tensor] = []
    module.log = lambda name, value, **options: logged.append(value)  # type: ignore[method-assign]
    inputs, labels, _ = batch()
    for trust, scale in ((Trust.NOISY, 3.0), (Trust.CLEAN, 0.5), (Trust.OUTSIDE, 3.0)):
        mixed = inputs, labels, torch.full((6,), int(trust))
        logged.clear()
        loss = module.training_step(mixed, 0)
        module.validation_step(mixed, 0)
        torch.testing.assert_close(loss, scale * logged[1])


def test_a_gradient_beyond_all_bounds_is_bounded_by_column() -> None:
    module = module_of()
    gradient = torch.tensor([[30.0, 0.1, 0.0], [40.0, 0.2, 0.0], [0.0, 0.2, 0.0]])
    module.noise_layer.noise_matrix.grad = gradient.clone()
    module.on_before_optimizer_step(torch.optim.SGD(module.parameters(), lr=1.0))
    # 5 / K long, in the direction it had; the columns below that length, and zeros, as they were. Then less the mean.
    expected = torch.stack([gradient[:, 0] / 50 * 5 / 3, gradient[:, 1], gradient[:, 2]], dim=1)
    torch.testing.assert_close(module.noise_layer.noise_matrix.grad, expected - expected.mean(dim=0))


def test_adamw_sees_what_moves_a_column_on_the_simplex() -> None:
    """All entries of a column want to grow, one more than the others: it does, and the others shrink."""
    module = module_of()
    optimizer = torch.optim.AdamW([module.noise_layer.parameter_group(lr=0.1)])
    before = module.noise_layer.noise_matrix.detach().clone()
    module.noise_layer.noise_matrix.grad = -torch.tensor([[1.0], [1.1], [1.0]]).expand(3, 3).clone()
    module.on_before_optimizer_step(optimizer)
    optimizer.step()
    moved = module.noise_layer.noise_matrix.detach() - before
    assert (moved[1] > 0).all()
    assert (moved[[0, 2]] <= 0).all()


def test_prediction_never_goes_through_the_matrix() -> None:
    module, other = module_of(), module_of()
    with torch.no_grad():
        other.noise_layer.noise_matrix.copy_(Q.flip(0))
    inputs = batch()[0]
    assert torch.equal(module(inputs), other(inputs))
    assert torch.equal(module.predict_step(inputs, 0), other.predict_step(batch(), 0))
    assert torch.equal(module.predict_step(inputs, 0), module.network(inputs))
    assert not torch.equal(module.training_step(batch(), 0), other.training_step(batch(), 0))
