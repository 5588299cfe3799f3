"""The noise layer: its probabilities, its loss, and what freezing, compiling and forgetting it do."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, nll_loss

from noiselayer import NoiseLayer, corrupt_labels, noisy_label_loss
from noiselayer.noise import symmetric


def batch(K: int = 3) -> tuple[Tensor, Tensor]:
    return 2 * torch.randn(12, K), torch.arange(12) % K


def test_log_probabilities_equal_the_naive_sum(skewed: Tensor) -> None:
    logits = torch.randn(4, 3, dtype=torch.float64)
    log_probs = NoiseLayer(3, skewed)(logits)
    for n in range(4):
        p = [math.exp(z) for z in logits[n].tolist()]
        for j in range(3):
            expected = math.log(sum(float(skewed[j, i]) * p[i] / sum(p) for i in range(3)))
            assert log_probs[n, j].item() == pytest.approx(expected, rel=1e-12)


def test_starts_as_ordinary_training_exactly_for_huge_logits_too() -> None:
    noise_layer = NoiseLayer(5)
    assert torch.equal(noise_layer.noise_matrix, torch.eye(5))
    for scale in (1.0, 1e4, 1e30):
        logits, labels = scale * torch.randn(6, 5), torch.arange(6) % 5
        expected = logits.log_softmax(dim=1)
        torch.testing.assert_close(noise_layer(logits), expected, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(noise_layer.loss(logits, labels), cross_entropy(logits, labels))


def test_loss_is_the_negative_log_probability_with_the_same_gradients(skewed: Tensor) -> None:
    noise_layer, (logits, labels) = NoiseLayer(3, skewed), batch()
    logits = logits.double().requires_grad_()
    wanted = [logits, noise_layer.noise_matrix]
    short, long = noise_layer.loss(logits, labels), nll_loss(noise_layer(logits), labels)
    torch.testing.assert_close(short, long)
    torch.testing.assert_close(torch.autograd.grad(short, wanted), torch.autograd.grad(long, wanted))
    weighted = noise_layer.loss(logits, labels, weight=torch.ones(3), ignore_index=1, reduction="sum")
    assert weighted.item() == pytest.approx(
        noisy_label_loss(logits, labels, skewed, ignore_index=1, reduction="sum").item()
    )


def test_gradcheck_through_the_module() -> None:
    noise_layer = NoiseLayer(3, symmetric(3, 0.4, dtype=torch.float64))
    logits = torch.randn(4, 3, dtype=torch.float64, requires_grad=True)

    def through(z: Tensor, Q: Tensor) -> Tensor:
        out: Tensor = torch.func.functional_call(noise_layer, {"noise_matrix": Q}, (z,))
        return out

    assert torch.autograd.gradcheck(through, (logits, noise_layer.noise_matrix))


def test_frozen_stays_and_unfrozen_learns() -> None:
    noise_layer = NoiseLayer(3, symmetric(3, 0.3), trainable=False)
    model = nn.Linear(3, 3)
    groups = [{"params": model.parameters()}, noise_layer.parameter_group(lr=0.5, weight_decay=0.1)]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    start = noise_layer.noise_matrix.detach().clone()

    def step() -> None:
        optimizer.zero_grad()
        inputs, labels = batch()
        noise_layer.loss(model(inputs), labels).backward()
        optimizer.step()

    step()
    assert torch.equal(noise_layer.noise_matrix, start)
    assert noise_layer.unfreeze() is noise_layer
    step()
    moved = noise_layer.noise_matrix.detach().clone()
    assert not torch.equal(moved, start)
    noise_layer.loss(*batch()).backward()  # a gradient that must not be stepped on once it is frozen
    assert noise_layer.freeze() is noise_layer
    optimizer.step()
    step()
    assert torch.equal(noise_layer.noise_matrix, moved)


def test_the_loss_runs_the_hooks_of_the_layer() -> None:
    noise_layer, (logits, labels) = NoiseLayer(3), batch()
    plain = noise_layer.loss(logits, labels)
    seen: list[Tensor] = []
    noise_layer.register_forward_pre_hook(lambda _, args: (2 * args[0],))
    noise_layer.register_forward_hook(lambda _, args, output: seen.append(output) or output + 1)
    loss = noise_layer.loss(logits, labels)
    assert len(seen) == 1
    torch.testing.assert_close(loss, torch.nn.functional.cross_entropy(2 * logits, labels) + 1)
    assert loss != plain


def test_warns_once_when_no_optimizer_learns_the_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noiselayer.losses.noise_layer._PATIENCE", 3)
    noise_layer, (logits, labels) = NoiseLayer(3), batch()
    for _ in range(2):
        noise_layer.loss(logits, labels)
    with pytest.warns(
        UserWarning, match=r"used 3 times .* Add layer.parameter_group\(\) .* layer.freeze\(\)"
    ):
        noise_layer.loss(logits, labels)
    for _ in range(5):
        noise_layer.loss(logits, labels)  # warnings are errors here: a second one would fail


@pytest.mark.parametrize("why", ["eval", "frozen", "no_grad", "stepped"])
def test_does_not_warn_without_reason(why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("noiselayer.losses.noise_layer._PATIENCE", 3)
    noise_layer, (logits, labels) = NoiseLayer(3, trainable=why != "frozen"), batch()
    noise_layer.train(why != "eval")
    optimizer = torch.optim.SGD([noise_layer.noise_matrix], lr=0.0)
    for _ in range(6):
        with torch.set_grad_enabled(why != "no_grad"):
            loss = noise_layer.loss(logits, labels)
        if why == "stepped":
            loss.backward()
            optimizer.step()


def test_learns_the_noise_when_the_true_classes_are_known(skewed: Tensor, generator: torch.Generator) -> None:
    # With p one-hot the maximum of the likelihood is the table of counts, an answer known elsewhere.
    true = torch.arange(3000) % 3
    noisy = corrupt_labels(true, skewed, generator=generator)
    counts = torch.zeros(3, 3).index_put_((noisy, true), torch.ones(3000), accumulate=True) / 1000
    noise_layer, logits = NoiseLayer(3, symmetric(3, 0.5)), 100 * torch.eye(3)[true]
    optimizer = torch.optim.SGD(noise_layer.parameters(), lr=0.2)
    for _ in range(150):
        optimizer.zero_grad()
        noise_layer.loss(logits, noisy).backward()
        optimizer.step()
    torch.testing.assert_close(noise_layer.noise_matrix.detach(), counts, atol=2e-3, rtol=0)


def test_compiles_once_for_many_steps() -> None:
    noise_layer, (logits, labels) = NoiseLayer(3, symmetric(3, 0.3)), batch()
    graphs = []

    def backend(graph: torch.fx.GraphModule, _: list[Tensor]) -> Callable[..., object]:
        graphs.append(graph)
        return graph.forward

    torch._dynamo.reset()
    compiled = torch.compile(noise_layer.loss, backend=backend, fullgraph=True)
    for _ in range(4):
        torch.testing.assert_close(compiled(logits, labels), noise_layer.loss(logits, labels))
    assert len(graphs) == 1


def test_trace_group_and_repr() -> None:
    noise_layer = NoiseLayer(4, symmetric(4, 0.25))
    assert noise_layer.trace().item() == pytest.approx(3)
    (grad,) = torch.autograd.grad(noise_layer.trace(), noise_layer.noise_matrix)
    assert torch.equal(grad, torch.eye(4))
    group = noise_layer.parameter_group(lr=0.01, weight_decay=0.05, momentum=0.5)
    assert group == {"params": [noise_layer.noise_matrix], "lr": 0.01, "weight_decay": 0.05, "momentum": 0.5}
    optimizer = torch.optim.AdamW([noise_layer.parameter_group()], lr=0.3, weight_decay=0.1)
    assert optimizer.param_groups[0]["weight_decay"] == 0  # the network's setting does not leak in
    assert optimizer.param_groups[0]["lr"] == 0.3
    assert "num_classes=4, trainable=True" in repr(noise_layer)
    assert list(noise_layer.state_dict()) == ["noise_matrix"]


def test_the_matrix_given_is_copied_and_checked(skewed: Tensor) -> None:
    given = skewed.clone()
    noise_layer = NoiseLayer(3, given)
    given.zero_()
    assert torch.equal(noise_layer.noise_matrix, skewed)
    with pytest.raises(ValueError, match="columns must sum to 1.*from_transition_matrix"):
        NoiseLayer(3, skewed.T)
    with pytest.raises(ValueError, match="noise_matrix is 3 x 3, but there are 4 classes"):
        NoiseLayer(4, skewed)
    with pytest.raises(ValueError, match=r"logits must have shape \(N, 3\); got \(2, 4\)"):
        noise_layer(torch.zeros(2, 4))
    with torch.device("meta"):
        assert NoiseLayer(3).noise_matrix.is_meta
