"""A noise matrix per annotator, in the loss and in the layer, against naive loops."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from noiselayer import NoiseLayer, NoisyLabelLoss, SparseNoiseMatrix, noisy_label_loss
from noiselayer.joint import regularization
from noiselayer.noise import matrices

K, S = 4, 3


def per_annotator(seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    """Asymmetric ones, so that a transpose or a swapped annotator is seen."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack(
        [matrices.random(K, rate, generator=generator, dtype=dtype) for rate in (0.1, 0.4, 0.6)]
    )


def batch(n: int = 30, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(n, K, generator=generator, dtype=torch.float64)
    draw = [torch.randint(k, (n,), generator=generator) for k in (K, S)]
    return logits, draw[0], draw[1]


def naive(logits: Tensor, labels: Tensor, annotators: Tensor, Q: Tensor) -> Tensor:
    losses = []
    for z, label, annotator in zip(logits, labels.tolist(), annotators.tolist(), strict=True):
        p = z.exp() / z.exp().sum()
        losses.append(-torch.log(sum(Q[annotator, label, i] * p[i] for i in range(K))))
    return torch.stack(losses)


def test_every_sample_goes_through_its_own_annotators_matrix() -> None:
    logits, labels, annotators = batch()
    Q = per_annotator()
    expected = naive(logits, labels, annotators, Q)
    torch.testing.assert_close(
        noisy_label_loss(logits, labels, Q, annotators=annotators, reduction="none"), expected
    )
    torch.testing.assert_close(NoisyLabelLoss(Q)(logits, labels, annotators), expected.mean())


def test_gradients_are_those_of_the_naive_loss_for_logits_and_for_every_matrix() -> None:
    logits, labels, annotators = batch(12)
    annotators = annotators.masked_fill(annotators == 1, 0)  # an annotator without samples moves nothing
    ours, theirs = ([t.clone().requires_grad_() for t in (logits, per_annotator())] for _ in range(2))
    noisy_label_loss(ours[0], labels, ours[1], annotators=annotators, reduction="sum").backward()
    naive(theirs[0], labels, annotators, theirs[1]).sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad)
    assert ours[1].grad is not None
    assert not ours[1].grad[1].any()


def test_identities_are_cross_entropy_with_weights_ignored_labels_and_huge_logits() -> None:
    logits, labels, annotators = batch()
    labels[::5] = -100
    weight = torch.tensor([1.0, 2.0, 0.5, 3.0], dtype=torch.float64)
    for scale in (1.0, 1e4):
        ours = noisy_label_loss(
            scale * logits,
            labels,
            torch.eye(K).expand(S, K, K).double(),
            annotators=annotators,
            weight=weight,
        )
        expected = torch.nn.functional.cross_entropy(scale * logits, labels, weight=weight)
        torch.testing.assert_close(ours, expected)


@settings(max_examples=25, deadline=None)
@given(st.permutations(range(S)), st.integers(0, 10**6))
def test_renumbering_the_annotators_changes_nothing(order: list[int], seed: int) -> None:
    logits, labels, annotators = batch(8, seed)
    Q, new = per_annotator(seed), torch.tensor(order)
    moved = torch.empty_like(Q)
    moved[new] = Q
    torch.testing.assert_close(
        noisy_label_loss(logits, labels, Q, annotators=annotators),
        noisy_label_loss(logits, labels, moved, annotators=new[annotators]),
    )


def test_the_same_matrix_for_all_annotators_is_that_matrix() -> None:
    logits, labels, annotators = batch()
    Q = per_annotator()[1]
    torch.testing.assert_close(
        noisy_label_loss(logits, labels, Q.expand(S, K, K), annotators=annotators),
        noisy_label_loss(logits, labels, Q),
    )


def test_one_annotator_for_all_pixels_of_an_image() -> None:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2, K, 3, 5, generator=generator)
    labels = torch.randint(K, (2, 3, 5), generator=generator)
    Q = per_annotator(dtype=torch.float32)
    annotators = torch.tensor([2, 0])
    whole = noisy_label_loss(logits, labels, Q, annotators=annotators, reduction="none")
    for n, s in enumerate(annotators.tolist()):
        torch.testing.assert_close(
            whole[n], noisy_label_loss(logits[n : n + 1], labels[n : n + 1], Q[s], reduction="none")[0]
        )


def test_the_annotator_of_an_ignored_label_does_not_matter() -> None:
    logits, labels, annotators = batch(6)
    labels[2], annotators[2] = -100, -1
    kept = torch.tensor([0, 1, 3, 4, 5])
    torch.testing.assert_close(
        noisy_label_loss(logits, labels, per_annotator(), annotators=annotators),
        noisy_label_loss(logits[kept], labels[kept], per_annotator(), annotators=annotators[kept]),
    )


def test_what_is_wrong_with_annotators_is_said() -> None:
    logits, labels, annotators = batch(5)
    Q = per_annotator()
    with pytest.raises(ValueError, match=r"a matrix for each of 3 annotators; say which of them"):
        noisy_label_loss(logits, labels, Q)
    with pytest.raises(ValueError, match=r"annotators need a matrix each.*got shape \(4, 4\)"):
        noisy_label_loss(logits, labels, Q[0], annotators=annotators)
    with pytest.raises(
        IndexError, match=r"annotators must lie in 0\.\.2.*got 3\. For an annotator that nothing"
    ):
        noisy_label_loss(logits, labels, Q, annotators=annotators.clone().fill_(3))
    with pytest.raises(
        ValueError, match=r"annotators must have the shape of noisy_labels, \(5,\).*got \(4,\)"
    ):
        noisy_label_loss(logits, labels, Q, annotators=annotators[:4])
    with pytest.raises(TypeError, match="annotators must be whole numbers"):
        noisy_label_loss(logits, labels, Q, annotators=annotators.double())
    with pytest.raises(ValueError, match=r"noise_matrix must have shape \(S, 4, 4\)"):
        noisy_label_loss(logits, labels, Q[:, :3, :3], annotators=annotators)
    with pytest.raises(ValueError, match=r"noise_matrix\[2\] columns must sum to 1"):
        NoisyLabelLoss(torch.cat([Q[:2], Q[2:] / 2]))
    sparse = SparseNoiseMatrix.identity(K, 1)
    with pytest.raises(ValueError, match="annotators need a matrix each.*got a SparseNoiseMatrix"):
        NoisyLabelLoss(sparse)(logits, labels, annotators)


def test_a_learned_layer_keeps_every_matrix_on_the_simplex_and_finds_them() -> None:
    generator = torch.Generator().manual_seed(0)
    Q = per_annotator(dtype=torch.float32)
    n = 6000
    logits = 2 * torch.randn(n, K, generator=generator)  # a calibrated network: only the matrices are learned
    truth = torch.multinomial(logits.softmax(dim=1), 1, generator=generator).squeeze(1)
    annotators = torch.arange(n) % S
    labels = torch.multinomial(Q[annotators, :, truth], 1, generator=generator).squeeze(1)
    layer = NoiseLayer(K, matrices.symmetric(K, 0.3), num_annotators=S)
    assert layer.noise_matrix.shape == (S, K, K)
    assert layer.num_annotators == S
    optimizer = torch.optim.SGD([layer.parameter_group(lr=0.5)])
    for _ in range(60):
        optimizer.zero_grad()
        layer.loss(logits, labels, annotators=annotators).backward()
        optimizer.step()
        found = layer.noise_matrix.detach()
        torch.testing.assert_close(found.sum(dim=1), torch.ones(S, K))
        assert float(found.min()) >= 0
    near = (found - Q).abs().mean(dim=(1, 2))
    far = (found - Q.roll(1, 0)).abs().mean(dim=(1, 2))
    assert bool((near < 0.04).all()), near
    assert bool((far > 2 * near).all())


def test_log_probabilities_of_a_layer_are_those_of_each_samples_annotator() -> None:
    logits, labels, annotators = batch(9)
    layer = NoiseLayer(K, per_annotator())
    log_p = layer(logits, annotators)
    for n in range(9):
        torch.testing.assert_close(log_p[n], (per_annotator()[annotators[n]] @ logits[n].softmax(0)).log())
    torch.testing.assert_close(
        torch.nn.functional.nll_loss(log_p, labels), layer.loss(logits, labels, annotators=annotators)
    )
    with pytest.raises(ValueError, match="say which of them gave each label"):
        layer(logits)
    with pytest.raises(IndexError, match=r"annotators must lie in 0\.\.2"):
        layer(logits, annotators + 3)
    with pytest.raises(ValueError, match="holds 3 matrices, but num_annotators is 2"):
        NoiseLayer(K, per_annotator(), num_annotators=2)


def test_penalties_of_several_matrices_are_means() -> None:
    Q = per_annotator()
    assert NoiseLayer(K, Q).trace().item() == pytest.approx(sum(float(q.trace()) for q in Q) / S)
    for penalty in (
        regularization.trace_penalty,
        regularization.weight_decay_penalty,
        regularization.log_volume,
    ):
        torch.testing.assert_close(penalty(Q), torch.stack([penalty(q) for q in Q]).mean())
