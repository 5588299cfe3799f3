"""The sparse noise matrix is the dense one that it stands for, in every loss, gradient and projection."""

import copy
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from noiselayer import NoiseLayer, NoisyLabelLoss, SparseNoiseMatrix, corrupt_labels, noisy_label_loss
from noiselayer.losses.log_space import noisy_nll
from noiselayer.losses.sparse_bottom_up import sparse_log_noisy_probs, sparse_noisy_nll
from noiselayer.noise import check, pair_flip, random, symmetric

F64 = torch.float64


def some_matrix(K: int = 6, confusions: int = 2, *, rest: bool = True, seed: int = 0) -> SparseNoiseMatrix:
    generator = torch.Generator().manual_seed(seed)
    Q = random(K, 0.5, concentration=0.5, generator=generator, dtype=F64)
    return SparseNoiseMatrix.from_dense(Q, confusions, rest=rest)


def written_out(matrix: SparseNoiseMatrix) -> Tensor:
    """The dense matrix by loops over slots and classes."""
    slots, K = matrix.labels.shape
    Q = torch.zeros(K, K, dtype=matrix.values.dtype)
    for i in range(K):
        for s in range(slots):
            Q[int(matrix.labels[s, i]), i] += matrix.values[s, i].item()
        if matrix.has_rest:
            Q[:, i] += matrix.values[-1, i].item() / K
    return Q


def counted(true: Tensor, noisy: Tensor, K: int) -> Tensor:
    """The maximum of the likelihood when the true classes are known: the table of counts."""
    counts = torch.zeros(K, K).index_put_((noisy, true), torch.ones(len(true)), accumulate=True)
    return counts / counts.sum(dim=0)


@given(
    seed=st.integers(0, 10**6),
    K=st.integers(2, 8),
    rest=st.booleans(),
    scale=st.sampled_from([1.0, 30.0, 1e4]),
)
def test_loss_and_gradients_equal_the_dense_ones(seed: int, K: int, rest: bool, scale: float) -> None:
    torch.manual_seed(seed)
    matrix = some_matrix(K, seed % K, rest=rest, seed=seed).requires_grad_()
    z = (scale * torch.randn(7, K, dtype=F64)).requires_grad_()
    y, upstream = torch.randint(K, (7,)), torch.rand(7, dtype=F64)
    dense = matrix.to_dense()
    torch.testing.assert_close(dense.detach(), written_out(matrix))
    expected, loss = noisy_nll(z, y, dense), sparse_noisy_nll(z, y, matrix)
    torch.testing.assert_close(loss, expected, rtol=1e-9, atol=1e-12)
    possible = expected.detach() < torch.inf
    wanted = [z, matrix.values]
    if possible.any():
        grads = torch.autograd.grad((loss * upstream)[possible].sum(), wanted)
        expected_grads = torch.autograd.grad((expected * upstream)[possible].sum(), wanted)
        torch.testing.assert_close(grads, expected_grads, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("rest", [True, False])
def test_gradcheck(rest: bool) -> None:
    matrix = some_matrix(5, 2, rest=rest)
    z, y = torch.randn(6, 5, dtype=F64, requires_grad=True), torch.tensor([0, 1, 2, 3, 4, 4])

    def through(z: Tensor, values: Tensor) -> Tensor:
        one = copy.copy(matrix)
        one._parameters = {"values": values}  # type: ignore[dict-item]
        return sparse_noisy_nll(z, y, one)

    values = (matrix.values.detach() + 0.05).requires_grad_()
    assert torch.autograd.gradcheck(through, (z, values))


def test_float32_loss_equals_the_dense_one_to_a_millionth() -> None:
    matrix = some_matrix(50, 4).float()
    z, y = 3 * torch.randn(64, 50), torch.arange(64) % 50
    got, expected = noisy_label_loss(z, y, matrix), noisy_label_loss(z, y, matrix.to_dense())
    assert got.item() == pytest.approx(expected.item(), rel=1e-6)
    weight = torch.rand(50)
    got = noisy_label_loss(z, y, matrix, weight=weight, ignore_index=3, reduction="none")
    expected = noisy_label_loss(z, y, matrix.to_dense(), weight=weight, ignore_index=3, reduction="none")
    torch.testing.assert_close(got, expected)


def test_the_identity_is_cross_entropy_for_logits_of_any_size() -> None:
    matrix = SparseNoiseMatrix.identity(5, 2)
    for scale in (1.0, 1e4, 1e30):
        z, y = (scale * torch.randn(8, 5)).requires_grad_(), torch.arange(8) % 5
        loss, expected = noisy_label_loss(z, y, matrix), cross_entropy(z, y)
        torch.testing.assert_close(loss, expected)
        torch.testing.assert_close(torch.autograd.grad(loss, z), torch.autograd.grad(expected, z))


def test_a_label_that_is_nowhere_stored_costs_infinity_and_moves_nothing() -> None:
    matrix = SparseNoiseMatrix(torch.tensor([[0, 0, 2]]), torch.ones(1, 3))
    z = torch.randn(2, 3, requires_grad=True)
    loss = noisy_label_loss(z, torch.tensor([1, 0]), matrix, reduction="none")
    loss.sum().backward()
    assert loss[0] == torch.inf
    assert (z.grad[0] == 0).all()
    assert z.grad[1].count_nonzero() > 0
    with_rest = SparseNoiseMatrix(
        torch.tensor([[0, 0, 2]]), torch.full((1, 3), 0.7), rest=torch.full((3,), 0.3)
    )
    assert noisy_label_loss(z, torch.tensor([1, 1]), with_rest).item() == pytest.approx(
        -torch.tensor(0.1).log().item()
    )


def test_from_dense_keeps_what_it_stores_and_spreads_the_rest() -> None:
    Q = random(8, 0.4, generator=torch.Generator().manual_seed(1), dtype=F64)
    exact = SparseNoiseMatrix.from_dense(Q, 7)
    torch.testing.assert_close(exact.to_dense(), Q)
    few = SparseNoiseMatrix.from_dense(Q, 3).to_dense()
    check(few.detach())
    for i in range(8):
        kept = Q[:, i].topk(4).indices
        torch.testing.assert_close(few[kept, i], Q[kept, i])
        others = [j for j in range(8) if j not in kept.tolist()]
        torch.testing.assert_close(few[others, i], Q[others, i].mean().expand(4))
    without = SparseNoiseMatrix.from_dense(Q, 3, rest=False).to_dense()
    check(without.detach())
    assert (without == 0).sum(dim=0).tolist() == [4] * 8
    assert torch.equal(
        SparseNoiseMatrix.from_dense(pair_flip(5, 0.2), 1, rest=False).to_dense(), pair_flip(5, 0.2)
    )
    # A diagonal smaller than the even share is part of the rest, and stays stored, to learn.
    low = symmetric(5, 1.0)
    low[1:, 0] = torch.tensor([0.4, 0.3, 0.2, 0.1])
    sparse = SparseNoiseMatrix.from_dense(low, 1)
    check(sparse.to_dense().detach())
    assert sparse.labels[0].tolist() == [0, 1, 2, 3, 4]


def test_log_probabilities_of_all_labels_and_trace_equal_the_dense_ones() -> None:
    matrix = some_matrix(6, 2).requires_grad_()
    dense = matrix.to_dense()
    z = torch.randn(4, 6, dtype=F64, requires_grad=True)
    got, expected = sparse_log_noisy_probs(z, matrix), (z.softmax(dim=1) @ dense.T).log()
    torch.testing.assert_close(got, expected)
    upstream = torch.randn(4, 6, dtype=F64)
    wanted = [z, matrix.values]
    grads = torch.autograd.grad(got, wanted, upstream)
    torch.testing.assert_close(grads, torch.autograd.grad(expected, wanted, upstream, retain_graph=True))
    layer = NoiseLayer(6, matrix)
    torch.testing.assert_close(layer(z), expected)
    torch.testing.assert_close(layer.trace(), dense.trace())
    torch.testing.assert_close(
        torch.autograd.grad(matrix.trace(), matrix.values), torch.autograd.grad(dense.trace(), matrix.values)
    )


@pytest.mark.parametrize("rest", [True, False])
def test_a_layer_learns_it_on_the_simplex(rest: bool) -> None:
    true = torch.arange(4000) % 4
    noisy = corrupt_labels(true, pair_flip(4, 0.3), generator=torch.Generator().manual_seed(0))
    start = SparseNoiseMatrix.from_dense(pair_flip(4, 0.6), 1, rest=rest)
    layer, logits = NoiseLayer(4, start), 8 * torch.eye(4)[true]
    optimizer = torch.optim.SGD([layer.parameter_group(lr=0.2)])
    for _ in range(100):
        optimizer.zero_grad()
        layer.loss(logits, noisy).backward()
        optimizer.step()
        assert (layer.parameter >= 0).all()
        torch.testing.assert_close(layer.parameter.sum(dim=0), torch.ones(4))
    assert layer.sparse is not None
    torch.testing.assert_close(layer.sparse.to_dense().detach(), counted(true, noisy, 4), atol=5e-3, rtol=0)
    assert torch.equal(start.to_dense(), pair_flip(4, 0.6))  # the layer has a copy
    learned = layer.parameter.detach().clone()
    layer.freeze()
    assert not layer.noise_matrix.requires_grad
    optimizer.step()
    assert torch.equal(layer.parameter, learned)


def test_grows_the_confusions_that_samples_ask_for() -> None:
    K = 12
    true = torch.arange(200 * K) % K
    noisy = corrupt_labels(true, pair_flip(K, 0.3), generator=torch.Generator().manual_seed(0))
    logits = 6 * torch.eye(K)[true]
    slots = torch.stack([torch.arange(K), (torch.arange(K) + 5) % K])  # a confusion that nobody makes
    values = torch.stack([torch.full((K,), 0.9), torch.full((K,), 0.1)])
    layer = NoiseLayer(K, SparseNoiseMatrix(slots, values, torch.zeros(K)))
    sparse = layer.sparse
    assert sparse is not None
    assert sparse.grow(logits, noisy) == K
    assert torch.equal(sparse.labels, torch.stack([torch.arange(K), (torch.arange(K) + 1) % K]))
    # The evicted mass is in the rest, the new slots are empty, and columns still sum to 1.
    torch.testing.assert_close(sparse.values[-1], torch.full((K,), 0.1))
    assert (sparse.values[1] == 0).all()
    expected = noisy_label_loss(logits, noisy, sparse.to_dense())
    torch.testing.assert_close(layer.loss(logits, noisy), expected)
    optimizer = torch.optim.SGD([layer.parameter_group(lr=0.5)])
    for _ in range(100):
        optimizer.zero_grad()
        layer.loss(logits, noisy).backward()
        optimizer.step()
    torch.testing.assert_close(sparse.to_dense().detach(), counted(true, noisy, K), atol=5e-3, rtol=0)
    before = sparse.labels.clone()
    sparse.grow(logits[:0], noisy[:0])
    assert torch.equal(sparse.labels, before)


def test_growth_without_a_rest_leaves_the_mass_to_the_diagonal() -> None:
    matrix = SparseNoiseMatrix(
        torch.tensor([[1, 0, 2], [0, 1, 1]]), torch.tensor([[0.2, 0.1, 1.0], [0.8, 0.9, 0.0]])
    )
    logits, labels = 5 * torch.eye(3)[[0, 0, 0]], torch.tensor([2, 2, 0])  # class 0 is called 2
    assert matrix.grow(logits, labels, among=1) == 1
    assert matrix.labels[:, 0].tolist() == [2, 0]
    assert matrix.values[:, 0].tolist() == pytest.approx([0.0, 1.0])
    assert matrix.labels[:, 1:].tolist() == [[0, 2], [1, 1]]
    alone = SparseNoiseMatrix(torch.arange(3).unsqueeze(0), torch.ones(1, 3))
    assert alone.grow(logits, labels) == 0


def test_copies_files_and_states(tmp_path: Path) -> None:
    layer = NoiseLayer(6, some_matrix(6, 2).float())
    z, y = torch.randn(5, 6), torch.arange(5)
    expected = layer.loss(z, y)
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        torch.testing.assert_close(twin.loss(z, y), expected)
    other = NoiseLayer(6, SparseNoiseMatrix.identity(6, 2))
    torch.save(layer.state_dict(), tmp_path / "state.pt")
    other.load_state_dict(torch.load(tmp_path / "state.pt"))
    torch.testing.assert_close(other.loss(z, y), expected)
    criterion = NoisyLabelLoss(layer.sparse)
    torch.testing.assert_close(criterion(z, y), expected)
    assert not any(p.requires_grad for p in criterion.parameters())
    assert "num_classes=6" in repr(criterion)
    half = copy.deepcopy(layer).to(torch.bfloat16)
    torch.testing.assert_close(half.loss(z, y), expected, rtol=2e-2, atol=1e-2)


def test_twenty_thousand_classes_take_ten_megabytes() -> None:
    K = 21_841
    matrix = SparseNoiseMatrix.identity(K, 20)
    assert matrix.nbytes < 12e6 < 4 * K**2 / 100
    z, y = torch.randn(2, K), torch.tensor([5, K - 1])
    torch.testing.assert_close(noisy_label_loss(z, y, matrix), cross_entropy(z, y))


def test_devices(device: torch.device) -> None:
    matrix = some_matrix(6, 2).float()
    z, y = torch.randn(4, 6), torch.tensor([0, 5, 2, 2])
    expected = noisy_label_loss(z, y, matrix)
    on_device = noisy_label_loss(z.to(device), y.to(device), copy.deepcopy(matrix).to(device))
    torch.testing.assert_close(on_device.cpu(), expected)


def test_logarithms_of_the_rest_on_other_devices_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = some_matrix(6, 1).requires_grad_()
    z, y = (200 * torch.randn(8, 6, dtype=F64)).requires_grad_(), torch.arange(8) % 6
    expected = sparse_noisy_nll(z, y, matrix)
    wanted = [z, matrix.values]
    grads = torch.autograd.grad(expected.sum(), wanted)
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    got = sparse_noisy_nll(z, y, matrix)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(torch.autograd.grad(got.sum(), wanted), grads)


def test_compiles_to_one_graph() -> None:
    matrix = some_matrix(6, 2).float().requires_grad_()
    z, y = torch.randn(5, 6, requires_grad=True), torch.tensor([0, 1, 2, -100, 5])
    torch._dynamo.reset()
    compiled = torch.compile(noisy_label_loss, fullgraph=True, backend="aot_eager")
    got, expected = compiled(z, y, matrix), noisy_label_loss(z, y, matrix)
    torch.testing.assert_close(got, expected)
    wanted = [z, matrix.values]
    torch.testing.assert_close(torch.autograd.grad(got, wanted), torch.autograd.grad(expected, wanted))


TWO = torch.tensor([[0, 1], [1, 0]])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ((TWO.float(), torch.ones(2, 2) / 2), TypeError, r"class indices \(integers\); got torch.float32"),
        ((TWO, TWO), TypeError, "floating-point probabilities; got torch.int64"),
        ((TWO[0], torch.ones(2)), ValueError, r"must have shape \(S, K\).*got \(2,\)"),
        ((TWO, torch.ones(1, 2)), ValueError, r"shape of labels, \(2, 2\); got \(1, 2\)"),
        ((TWO, torch.ones(2, 2) / 2, torch.zeros(3)), ValueError, r"rest must have shape \(2,\).*got \(3,\)"),
        ((TWO + 1, torch.ones(2, 2) / 2), ValueError, r"lie in 0\.\.1; got 2"),
        ((torch.tensor([[0, 1], [1, 1]]), torch.ones(2, 2) / 2), ValueError, "holds 1 twice in column 1"),
        ((TWO, torch.tensor([[1.5, 1], [-0.5, 0]])), ValueError, "probabilities; column 0 holds -0.5"),
        (
            (TWO, torch.tensor([[0.5, 1], [0.3, 0]])),
            ValueError,
            r"column 0 sums to 0.8. Give what is missing",
        ),
    ],
)
def test_errors_say_what_to_do(arguments: tuple[Tensor, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SparseNoiseMatrix(*arguments)


def test_errors_of_use() -> None:
    with pytest.raises(ValueError, match=r"num_confusions must lie in 0\.\.2 for 3 classes; got 3"):
        SparseNoiseMatrix.identity(3, 3)
    with pytest.raises(ValueError, match="columns must sum to 1"):
        SparseNoiseMatrix.from_dense(torch.ones(3, 3), 1)
    matrix = SparseNoiseMatrix.identity(3, 1)
    with pytest.raises(ValueError, match=r"noise_matrix must have shape \(4, 4\).*got \(3, 3\)"):
        noisy_label_loss(torch.zeros(1, 4), torch.tensor([0]), matrix)
    with pytest.raises(ValueError, match="noise_matrix is of 3 classes, but there are 4"):
        NoiseLayer(4, matrix)
    with pytest.raises(ValueError, match=r"logits must have shape \(N, 3\).*got \(2, 4\)"):
        matrix.grow(torch.zeros(2, 4), torch.tensor([0, 1]))


def test_a_network_with_a_fixed_sparse_matrix_trains() -> None:
    model, criterion = nn.Linear(4, 3), NoisyLabelLoss(SparseNoiseMatrix.from_dense(symmetric(3, 0.2), 1))
    inputs, labels = torch.eye(4).repeat(5, 1), torch.arange(20) % 3
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    losses = []
    for _ in range(10):
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0]
