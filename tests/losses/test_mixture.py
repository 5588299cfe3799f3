"""The loss of mixed batches against a naive loop, torch's own losses, and sets that hold samples twice."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import cross_entropy

from noiselayer import NoiseLayer
from noiselayer.losses.reweighting import mixed_batch_loss, reweighted_loss
from noiselayer.losses.top_down import TopDownLoss, top_down_loss, uniform_conversion

NOISY, CLEAN, OUTSIDE = 0, 1, 2
K = 3
TOLERANCE = {"rtol": 0.0, "atol": 1e-6}


def batch(trust: list[int], seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    """Logits in double precision, labels and trust; labels of samples from outside mean nothing."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(len(trust), K, generator=generator, dtype=torch.float64)
    labels = torch.randint(K, (len(trust),), generator=generator)
    return logits.requires_grad_(), labels, torch.tensor(trust)


def layer_of(Q: Tensor) -> NoiseLayer:
    return NoiseLayer(K, Q)


def mixture_loss(
    logits: Tensor,
    labels: Tensor,
    trust: Tensor | None,
    layer: NoiseLayer,
    *,
    alpha: float | None = None,
    **weights: float,
) -> Tensor:
    """As training has it: noisy samples through the layer or, with alpha, against softened labels."""

    def bottom_up(logits: Tensor, labels: Tensor) -> Tensor:
        return layer.loss(logits, labels, reduction="none")

    top_down = None if alpha is None else TopDownLoss(uniform_conversion(K, alpha), reduction="none")
    masks = {} if trust is None else {"clean": trust == CLEAN, "outside": trust == OUTSIDE}
    return mixed_batch_loss(logits, labels, top_down or bottom_up, **masks, **weights)  # type: ignore[arg-type]


def naive(
    logits: Tensor, labels: Tensor, trust: Tensor, Q: Tensor, weights: dict[int, float], alpha: float | None
) -> float:
    """Sample by sample and entry by entry, in Python's numbers."""
    total = 0.0
    for z, y, kind in zip(logits.tolist(), labels.tolist(), trust.tolist(), strict=True):
        exponentials = [math.exp(value) for value in z]
        p = [e / sum(exponentials) for e in exponentials]
        if kind == CLEAN:
            loss = -math.log(p[y])
        elif kind == OUTSIDE:
            loss = -sum(math.log(share) for share in p) / K
        elif alpha is not None:
            loss = -sum((alpha * (i == y) + (1 - alpha) / K) * math.log(p[i]) for i in range(K))
        else:
            loss = -math.log(sum(Q[y, i].item() * p[i] for i in range(K)))
        total += weights[kind] * loss
    return total / len(labels)


@settings(max_examples=30)
@given(
    trust=st.lists(st.sampled_from([NOISY, CLEAN, OUTSIDE]), min_size=1, max_size=12),
    seed=st.integers(0, 1000),
    gamma=st.floats(0, 4),
    omega=st.floats(0, 4),
    clean_weight=st.floats(0.1, 4),
    alpha=st.none() | st.floats(0, 1),
)
def test_equals_a_naive_loop(
    trust: list[int], seed: int, gamma: float, omega: float, clean_weight: float, alpha: float | None
) -> None:
    Q = torch.tensor([[0.7, 0.1, 0.4], [0.3, 0.8, 0.0], [0.0, 0.1, 0.6]])
    logits, labels, kinds = batch(trust, seed)
    loss = mixture_loss(
        logits,
        labels,
        kinds,
        layer_of(Q),
        clean_weight=clean_weight,
        noisy_weight=gamma,
        outside_weight=omega,
        alpha=alpha,
    )
    weights = {NOISY: gamma, CLEAN: clean_weight, OUTSIDE: omega}
    assert loss.item() == pytest.approx(naive(logits, labels, kinds, Q, weights, alpha), rel=1e-5, abs=1e-6)


def gradients(loss: Tensor, logits: Tensor, layer: NoiseLayer | None = None) -> list[Tensor]:
    inputs = [logits] if layer is None else [logits, layer.noise_matrix]
    found = torch.autograd.grad(loss, inputs, allow_unused=True, retain_graph=True)
    return [torch.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]


def assert_same(
    loss: Tensor, expected: Tensor, logits: Tensor, layer: NoiseLayer | None = None, *, factor: float = 1.0
) -> None:
    """Values and gradients."""
    torch.testing.assert_close(loss, factor * expected, check_dtype=False, **TOLERANCE)
    pairs = zip(gradients(loss, logits, layer), gradients(expected, logits, layer), strict=True)
    for mine, theirs in pairs:
        torch.testing.assert_close(mine, factor * theirs, **TOLERANCE)


MIXED = [NOISY, CLEAN, NOISY, NOISY, CLEAN, NOISY, NOISY]


def test_alpha_1_is_plain_training(skewed: Tensor) -> None:
    logits, labels, trust = batch(MIXED)
    loss = mixture_loss(logits, labels, trust, layer_of(skewed.float()), alpha=1.0)
    assert_same(loss, cross_entropy(logits, labels), logits)


@pytest.mark.parametrize("alpha", [0.0, 0.3, 0.9])
def test_top_down_is_label_smoothing(alpha: float, skewed: Tensor) -> None:
    logits, labels, trust = batch([NOISY] * 7)
    loss = mixture_loss(logits, labels, trust, layer_of(skewed.float()), alpha=alpha)
    assert_same(loss, cross_entropy(logits, labels, label_smoothing=1 - alpha), logits)
    S = uniform_conversion(K, alpha, dtype=torch.float64)
    assert_same(loss, top_down_loss(logits, labels, S), logits)


def test_top_down_leaves_clean_labels_sharp(skewed: Tensor) -> None:
    logits, labels, trust = batch([CLEAN, CLEAN, NOISY, NOISY])
    loss = mixture_loss(logits, labels, trust, layer_of(skewed.float()), alpha=0.4)
    sharp = cross_entropy(logits[:2], labels[:2], reduction="sum")
    smooth = cross_entropy(logits[2:], labels[2:], label_smoothing=0.6, reduction="sum")
    assert_same(loss, (sharp + smooth) / 4, logits)


def per_sample(logits: Tensor, labels: Tensor, trust: Tensor, layer: NoiseLayer) -> tuple[Tensor, Tensor]:
    """Losses of the clean samples, and of the noisy ones through Q."""
    log_noisy = torch.log(logits.softmax(dim=1) @ layer.noise_matrix.double().T)
    noisy = -log_noisy[torch.arange(len(labels)), labels]
    clean = cross_entropy(logits, labels, reduction="none")
    return clean[trust == CLEAN], noisy[trust == NOISY]


Q_POSITIVE = torch.tensor([[0.7, 0.1, 0.4], [0.2, 0.8, 0.1], [0.1, 0.1, 0.5]])


@pytest.mark.parametrize("gamma", [0.0, 0.25, 1.0, 2.0])
def test_gamma_is_that_of_the_reweighted_loss(gamma: float) -> None:
    logits, labels, trust = batch(MIXED)
    layer = layer_of(Q_POSITIVE)
    clean, noisy = per_sample(logits, labels, trust, layer)
    loss = mixture_loss(logits, labels, trust, layer, noisy_weight=gamma)
    assert_same(loss, reweighted_loss(clean, noisy, gamma), logits, layer)


def test_gamma_1_is_the_plain_mixture() -> None:
    logits, labels, trust = batch(MIXED)
    layer = layer_of(Q_POSITIVE)
    plain = torch.cat(per_sample(logits, labels, trust, layer)).mean()
    assert_same(mixture_loss(logits, labels, trust, layer), plain, logits, layer)


def test_gamma_0_is_clean_only() -> None:
    logits, labels, trust = batch(MIXED)
    layer = layer_of(Q_POSITIVE)
    clean = trust == CLEAN
    alone = cross_entropy(logits[clean], labels[clean])
    loss = mixture_loss(logits, labels, trust, layer, noisy_weight=0.0)
    assert_same(loss, alone, logits, layer, factor=2 / 7)  # the divisor counts samples, not weights


def test_gamma_2_is_every_noisy_sample_twice() -> None:
    logits, labels, trust = batch(MIXED)
    layer = layer_of(Q_POSITIVE)
    again = torch.cat([torch.arange(7), (trust == NOISY).nonzero().flatten()])
    doubled = mixture_loss(logits[again], labels[again], trust[again], layer)
    loss = mixture_loss(logits, labels, trust, layer, noisy_weight=2.0)
    assert_same(loss, doubled, logits, layer, factor=12 / 7)  # a mean over 12 samples against one over 7


def test_clean_samples_never_meet_the_noise_layer() -> None:
    logits, labels, trust = batch([CLEAN, OUTSIDE, CLEAN])
    layer = layer_of(Q_POSITIVE)
    loss = mixture_loss(logits, labels, trust, layer)
    assert torch.equal(loss, mixture_loss(logits, labels, trust, layer_of(torch.eye(K))))
    assert torch.equal(gradients(loss, logits, layer)[1], torch.zeros(K, K))
    # And in a batch with noisy samples Q's gradient is that of the noisy samples alone.
    logits, labels, trust = batch(MIXED)
    noisy = trust == NOISY
    of_all = gradients(mixture_loss(logits, labels, trust, layer), logits, layer)[1]
    alone = mixture_loss(logits[noisy], labels[noisy], trust[noisy], layer)
    torch.testing.assert_close(of_all, gradients(alone, logits, layer)[1] * 5 / 7, **TOLERANCE)


def test_samples_from_outside_have_uniform_labels() -> None:
    logits, labels, trust = batch([OUTSIDE] * 5)
    loss = mixture_loss(logits, labels, trust, layer_of(Q_POSITIVE), outside_weight=0.3)
    uniform = torch.full((5, K), 1 / K, dtype=torch.float64)
    assert_same(loss, cross_entropy(logits, uniform), logits, factor=0.3)
    assert torch.equal(
        loss, mixture_loss(logits, (labels + 1) % K, trust, layer_of(torch.eye(K)), outside_weight=0.3)
    )


def test_weight_0_does_not_read_impossible_labels() -> None:
    impossible = layer_of(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.0]]))
    logits = torch.zeros(2, K, requires_grad=True)
    for trust, expected in (([CLEAN, NOISY], math.log(K) / 2), ([NOISY, NOISY], 0.0)):
        loss = mixture_loss(logits, torch.tensor([1, 1]), torch.tensor(trust), impossible, noisy_weight=0.0)
        assert loss.item() == pytest.approx(expected)
        loss.backward()  # even where nothing has a weight
        assert logits.grad is not None
        assert bool(logits.grad.isfinite().all())


@pytest.mark.parametrize("weight", [0.0, 0.7])
def test_no_trust_says_that_all_are_noisy(weight: float, skewed: Tensor) -> None:
    logits, labels, trust = batch([NOISY] * 5)
    layer = layer_of(skewed)
    told = mixture_loss(logits, labels, None, layer, noisy_weight=weight)
    found = mixture_loss(logits, labels, trust, layer, noisy_weight=weight)
    torch.testing.assert_close(told, found, rtol=0, atol=0)


def test_half_precision_is_added_up_in_single() -> None:
    logits, labels, trust = batch(MIXED)
    layer = layer_of(Q_POSITIVE)
    half = mixture_loss(logits.detach().bfloat16(), labels, trust, layer)
    assert half.dtype == torch.float32
    rounded = logits.detach().bfloat16().double()
    torch.testing.assert_close(half, mixture_loss(rounded, labels, trust, layer).float())
