"""The linear head: the ridge path, its folds, the matrix, and that it is never worse than plain regression."""

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from noiselayer import corrupt_labels, noisy_label_loss
from noiselayer.arrays.folds import stratified_folds
from noiselayer.features import fit_head, project_features
from noiselayer.features.cross_fitted import Folds
from noiselayer.features.discriminant import Discriminant
from noiselayer.features.matrix_choice import Smoothing, group_posteriors
from noiselayer.features.soft_targets import fit_soft_targets
from noiselayer.noise import symmetric

Q = torch.tensor([[0.55, 0.05, 0.1], [0.4, 0.9, 0.0], [0.05, 0.05, 0.9]])


def blobs(n: int, dim: int = 20, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(3, (n,), generator=generator)
    centres = 2 * torch.randn(3, dim, generator=torch.Generator().manual_seed(99))
    return torch.randn(n, dim, generator=generator) + centres[truth], truth


def noisy(truth: torch.Tensor, seed: int = 1) -> torch.Tensor:
    return corrupt_labels(truth, Q, generator=torch.Generator().manual_seed(seed))


def right(head, features: torch.Tensor, truth: torch.Tensor) -> float:
    return float((head.logits(features).argmax(dim=1) == truth).double().mean())


def test_projected_components_are_standardised_features_rotated() -> None:
    f = torch.randn(200, 5, dtype=torch.float64) * torch.tensor([1.0, 10, 0.1, 3, 0]) + 7
    projection = project_features(f, dtype=torch.float64)
    Z = projection.apply(f, torch.float64)
    assert Z.shape == (200, 4)  # the constant one is left out
    used = (f - f.mean(0))[:, :4] / f.std(0, correction=0)[:4]
    torch.testing.assert_close(Z @ Z.T, used @ used.T)
    torch.testing.assert_close(Z.square().mean(0), projection.variances)


def test_more_features_than_samples_give_the_same_components() -> None:
    f = torch.randn(30, 80, dtype=torch.float64)
    Z = project_features(f, dtype=torch.float64).apply(f, torch.float64)
    used = (f - f.mean(0)) / f.std(0, correction=0)
    torch.testing.assert_close(Z @ Z.T, used @ used.T)


def test_weights_go_back_to_raw_features() -> None:
    f = torch.randn(100, 6, dtype=torch.float64) * 3 + 2
    projection = project_features(f, dtype=torch.float64)
    W = torch.randn(3, 7, dtype=torch.float64)
    weight, bias = projection.weights_of_features(W)
    Z = projection.apply(f, torch.float64)
    torch.testing.assert_close(f @ weight.T + bias, Z @ W[:, :-1].T + W[:, -1])


def test_a_feature_that_is_not_a_number_is_named_by_its_row() -> None:
    f = torch.zeros(10, 2)
    f[7, 1] = torch.nan
    with pytest.raises(ValueError, match=r"features must be finite numbers; row 7"):
        project_features(f)


def test_a_fit_is_scikit_learns() -> None:
    from sklearn.linear_model import LogisticRegression

    f, y = blobs(300)
    projection = project_features(f, dtype=torch.float64)
    Z = projection.apply(f, torch.float64)
    T = one_hot(y, 3).double()
    W = fit_soft_targets([(Z[:100], T[:100]), (Z[100:], T[100:])], projection.variances, 0.1, iterations=300)
    peer = LogisticRegression(C=1 / (0.1 * 300), tol=1e-8, max_iter=1000).fit(Z.numpy(), y.numpy())
    ours = (Z @ W[:, :-1].T + W[:, -1]).softmax(1)
    torch.testing.assert_close(ours, torch.from_numpy(peer.predict_proba(Z.numpy())), atol=1e-4, rtol=1e-3)


def test_the_weight_of_a_sample_is_the_sum_of_its_targets() -> None:
    f, y = blobs(60)
    T = one_hot(y, 3).double()
    Z, variances = f.double(), torch.ones(20, dtype=torch.float64)
    twice = fit_soft_targets([(Z, 2 * T)], variances, 0.2, iterations=300)
    once = fit_soft_targets([(Z, T)], variances, 0.1, iterations=300)
    torch.testing.assert_close((twice - twice.mean(0)), (once - once.mean(0)), atol=1e-3, rtol=1e-3)


def test_folds_deal_every_class_out_evenly() -> None:
    labels = torch.tensor([0] * 50 + [1] * 10 + [2] * 5)
    fold_of = stratified_folds(labels, 5, lambda rows: rows[torch.randperm(len(rows))])
    for label, count in ((0, 10), (1, 2), (2, 1)):
        assert torch.bincount(fold_of[labels == label], minlength=5).tolist() == [count] * 5


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_learned_matrix_is_near_the_truth_and_the_classifier_better(dtype: torch.dtype) -> None:
    f, truth = blobs(4000, dim=4)
    test_f, test_truth = blobs(4000, dim=4, seed=5)
    labels = noisy(truth)
    head = fit_head(f, labels, 3, dtype=dtype)
    plain = fit_head(f, labels, 3, method="normal", dtype=dtype)
    assert head.taken == "noise matrix"
    assert head.gain > head.gain_error > 0
    assert (head.noise_matrix - Q).abs().max() < 0.16  # asymmetric: a transpose would be 0.35 off
    assert right(head, test_f, test_truth) > right(plain, test_f, test_truth) + 0.05


def test_where_errors_depend_on_the_class_alone_groups_of_confidence_do_not_blur_the_matrix() -> None:
    f, truth = blobs(4000, dim=30)
    centres = 2 * torch.randn(3, 30, generator=torch.Generator().manual_seed(99))
    head = fit_head(f - 0.75 * centres[truth], noisy(truth), 3)  # classes overlap: 94 % are told right
    assert float((head.found_matrix - Q).abs().sum() / 3) < 0.045  # by twenty groups .063


def test_a_known_matrix_is_kept_and_its_order_matters() -> None:
    f, truth = blobs(2000, dim=4)
    labels = noisy(truth)
    head = fit_head(f, labels, 3, method="known", noise_matrix=Q)
    torch.testing.assert_close(head.noise_matrix.float(), Q)
    transposed = fit_head(f, labels, 3, method="known", noise_matrix=Q.T / Q.T.sum(0))
    assert right(head, f, truth) > right(transposed, f, truth)
    assert head.gain > transposed.gain


def test_with_trusted_samples_the_matrix_is_measured() -> None:
    f, truth = blobs(2000, dim=4)
    clean, clean_truth = blobs(300, dim=4, seed=7)
    head = fit_head(f, noisy(truth), 3, method="estimated", clean_features=clean, clean_labels=clean_truth)
    assert head.estimate is not None
    assert (head.found_matrix - Q).abs().max() < 0.15


def test_on_clean_labels_the_plain_classifier_is_taken() -> None:
    f, truth = blobs(800, dim=4)
    head = fit_head(f, truth, 3)
    plain = fit_head(f, truth, 3, method="normal")
    assert head.taken == "plain"
    assert "is not taken: the plain classifier is" in head.summary()
    torch.testing.assert_close(head.noise_matrix, torch.eye(3, dtype=torch.float64))
    torch.testing.assert_close(head.logits(f), plain.logits(f))


def test_frequent_classes_are_not_predicted_too_often_where_the_ridge_is_strong() -> None:
    # 600 samples of 300 features: the ridge shrinks the weights and not the biases, whatever factor follows.
    generator = torch.Generator().manual_seed(1)
    truth = torch.multinomial(torch.tensor([0.5, 0.2, 0.2, 0.1]), 3600, replacement=True, generator=generator)
    centres = torch.randn(4, 300, generator=generator) / 4
    f = torch.randn(3600, 300, generator=generator) + centres[truth]
    noise = symmetric(4, 0.4)
    labels = corrupt_labels(truth, noise, generator=generator)[:600]
    for chosen, least in ({"method": "known", "noise_matrix": noise}, 0.96), ({"method": "normal"}, 0.9):
        head = fit_head(f[:600], labels, 4, **chosen)
        predicted = head.logits(f[600:]).argmax(dim=1)
        assert right(head, f[600:], truth[600:]) > least  # 0.88 and 0.89 with a factor alone
        assert (predicted == 3).double().mean() > 0.05  # 0.01 and 0.03
        rare = head.out_of_fold.exp().mean(dim=0)[3]
        assert rare == pytest.approx(0.1 if head.taken != "plain" else 0.16, abs=0.04)


def test_predictions_out_of_fold_have_not_seen_the_label() -> None:
    # Random labels: whoever has seen them does better than chance.
    generator = torch.Generator().manual_seed(3)
    f, y = torch.randn(300, 200, generator=generator), torch.randint(3, (300,), generator=generator)
    head = fit_head(f, y, 3, method="normal", ridges=(1e-3,))
    assert ((f.double() @ head.weight.T).argmax(1) == y).double().mean() > 0.5  # whatever the biases say
    assert (head.out_of_fold.argmax(1) == y).double().mean() < 0.45
    torch.testing.assert_close(head.out_of_fold.exp().sum(1), torch.ones(300, dtype=torch.float64))


def test_top_down_is_label_smoothing() -> None:
    f, truth = blobs(400, dim=4)
    head = fit_head(f, truth, 3, method="top-down", alpha=0.7, ridges=(1e-5,), dtype=torch.float64)
    # Its logits minimise torch's own smoothed loss: no scaling of them is lower by much.
    z = head.logits(f)
    scale = [float(cross_entropy(z * s, truth, label_smoothing=0.3)) for s in (0.9, 1.0, 1.1)]
    assert head.taken == "top-down"
    assert z.softmax(1).amax(1).mean() < 0.95
    assert min(scale) > 0.3


def test_noisy_weight_zero_leaves_the_trusted_samples() -> None:
    f, truth = blobs(300, dim=4)
    wrong = (truth + 1) % 3
    clean, clean_truth = blobs(200, dim=4, seed=7)
    head = fit_head(
        f, wrong, 3, method="normal", clean_features=clean, clean_labels=clean_truth, noisy_weight=1e-3
    )
    test_f, test_truth = blobs(1000, dim=4, seed=8)
    assert right(head, test_f, test_truth) > 0.75


def test_outside_samples_make_unsure() -> None:
    f, truth = blobs(300, dim=4)
    outside = torch.randn(300, 4) * 3
    with_outside = fit_head(f, truth, 3, method="normal", outside_features=outside)
    without = fit_head(f, truth, 3, method="normal")

    def entropy(head) -> float:
        return float(torch.distributions.Categorical(logits=head.logits(outside)).entropy().mean())

    assert entropy(with_outside) > entropy(without)


def test_a_memory_map_gives_what_the_array_gives(tmp_path) -> None:
    f, truth = blobs(500, dim=6)
    labels = noisy(truth)
    path = tmp_path / "features.npy"
    np.save(path, f.numpy())
    mapped = fit_head(np.load(path, mmap_mode="r"), labels, 3, method="normal")
    torch.testing.assert_close(mapped.weight, fit_head(f, labels, 3, method="normal").weight)


def test_order_of_samples_is_that_of_the_input() -> None:
    f, truth = blobs(600, dim=4)
    head = fit_head(f, truth, 3, method="normal")
    assert (head.out_of_fold.argmax(1) == truth).double().mean() > 0.8


def test_the_likelihood_climbed_is_equation_2() -> None:
    f, truth = blobs(400, dim=4)
    labels = noisy(truth)
    W = fit_soft_targets(
        [(f.double(), Q.double()[labels], torch.ones(1, 400).double())],
        torch.ones(4).double(),
        0.01,
        iterations=500,
    )
    x = W.clone().requires_grad_()
    z = f.double() @ x[:, :-1].T + x[:, -1]
    loss = noisy_label_loss(z, labels, Q.double()) + 0.005 * x[:, :-1].square().sum()
    loss.backward()
    assert x.grad is not None
    assert x.grad.abs().max() < 1e-3


def four_folds(seed: int = 0) -> tuple[Folds, torch.Tensor]:
    f, y = blobs(400, dim=6, seed=seed)
    return Folds(f.double(), y, [100] * 4, 3, torch.ones(6), torch.float64), y


def test_a_discriminant_is_scikit_learns() -> None:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    data, y = four_folds()
    ours = Discriminant(data).held_out(0.0).softmax(dim=1)
    for fold in range(4):
        held = data.fold_of == fold
        peer = LinearDiscriminantAnalysis(solver="lsqr").fit(data.components[~held].numpy(), y[~held].numpy())
        theirs = torch.from_numpy(peer.predict_proba(data.components[held].numpy()))
        torch.testing.assert_close(ours[held], theirs, atol=0.01, rtol=0)  # they divide by N - K


def shrunk(data: Folds) -> Discriminant:
    """Which labels choose the shrinkage is not asked here."""
    discriminant = Discriminant(data)
    discriminant.shrinkage = 0.1
    return discriminant


def test_a_discriminant_has_seen_neither_fold() -> None:
    data, y = four_folds()
    before = shrunk(data).logits()
    data.labels = torch.where(data.fold_of == 2, (y + 1) % 3, y)
    after = shrunk(data).logits()
    of_2 = data.fold_of == 2
    torch.testing.assert_close(before[:, 2], after[:, 2])  # left out for all samples
    torch.testing.assert_close(before[of_2], after[of_2])  # and for its own
    assert (before[~of_2][:, [0, 1, 3]] - after[~of_2][:, [0, 1, 3]]).abs().mean() > 0.1


def test_trusted_samples_count_as_so_many_more_in_a_discriminant() -> None:
    data, y = four_folds()
    alone = Discriminant(data).held_out(0.1)
    first = data.fold_of == 0
    more = Folds(data.components[~first], y[~first], [100] * 3, 3, data.variances, torch.float64)
    more.beside.append((data.components[first], one_hot(y[first], 3).double()))
    # Without fold 3, of all others: 1, 2 and, trusted, 0.
    torch.testing.assert_close(Discriminant(more).held_out(0.1)[-100:], alone[-100:])


def test_a_matrix_that_the_surest_labels_contradict_is_not_taken() -> None:
    generator = torch.Generator().manual_seed(1)
    truth = torch.arange(800) % 3
    hard = torch.rand(800, generator=generator) < 0.5  # all wrong labels are of these
    features = torch.where(hard[:, None], 1.2, 4.0) * torch.eye(6)[truth]
    features = features + torch.randn(800, 6, generator=generator)
    wrong = hard & (torch.rand(800, generator=generator) < 0.6)
    head = fit_head(features, torch.where(wrong, (truth + 1) % 3, truth), 3, seed=1)
    assert head.gain > 2 * head.gain_error  # the likelihood of labels held out has no objection
    assert head.taken == "plain"
    assert not torch.equal(head.found_matrix, torch.eye(3))


def test_a_discriminant_of_posteriors_that_are_labels_is_that_of_the_labels() -> None:
    data, _ = four_folds()
    discriminant = shrunk(data)
    before = discriminant.logits()
    certain = data.of_labels()[:, None].expand(-1, len(data), -1)
    torch.testing.assert_close(discriminant.logits(certain), before)
    relabelled = certain.clone()
    relabelled[:, 0] = certain[:, 0].roll(1, dims=1)  # the classes of one column moved on by one
    after = discriminant.logits(relabelled)
    torch.testing.assert_close(after[:, 1:], before[:, 1:])
    torch.testing.assert_close(after[:, 0], before[:, 0].roll(1, dims=1))


def test_posteriors_by_group_know_where_labels_say_less() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(2, (6000,), generator=generator)
    hard = torch.rand(6000, generator=generator) < 0.5
    # On hard samples the classifier is right in 70 % and a label means nothing; on easy ones labels are right in 90 %.
    guess = torch.where(hard & (torch.rand(6000, generator=generator) < 0.3), 1 - truth, truth)
    size = torch.where(hard, 0.85, 4.0).double()
    logits = (2 * guess - 1).double()[:, None] * size[:, None] * torch.tensor([-0.5, 0.5])
    wrong = torch.rand(6000, generator=generator) < torch.where(hard, 0.5, 0.1)
    labels = torch.where(wrong, 1 - truth, truth)
    seen = torch.ones(6000, 2, dtype=torch.bool)
    seen[:100, 1] = False
    found = group_posteriors(logits[:, None].expand(-1, 2, -1), labels, seen, Smoothing(10.0, 0.0, 20))
    assert found.shape == (6000, 2, 2)
    torch.testing.assert_close(found.sum(2), torch.ones(6000, 2, dtype=torch.float64))
    against = hard & (labels != guess)
    easy = ~hard & (labels == guess)
    for column in found.unbind(dim=1):
        of_guess = column.gather(1, guess[:, None])[:, 0]
        assert of_guess[against].mean() == pytest.approx(0.7, abs=0.07)  # whatever the label says
        assert of_guess[easy].mean() > 0.95
