"""Where a learned matrix starts: confusions, folds and patches."""

import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits, make_blobs

from noiselayer import corrupt_labels, noise
from noiselayer.arrays.folds import shuffled_folds
from noiselayer.data import from_arrays
from noiselayer.estimation.confusion import confusion_of_predictions
from noiselayer.features.head import fit_head
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import default_options
from noiselayer.training.patch_matrix import matrix_of_heads
from noiselayer.training.start import _gain_of_networks, _looked_at_again, _View

LABELS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


@given(labels=LABELS, data=st.data(), seed=st.integers(0, 100))
def test_confusion_counts_labels_under_predictions(labels: list[int], data: st.DataObject, seed: int) -> None:
    K = 4
    predicted = data.draw(st.lists(st.integers(0, 3), min_size=len(labels), max_size=len(labels)))
    generator = torch.Generator().manual_seed(seed)
    logits = torch.rand(len(labels), K, generator=generator)
    logits[torch.arange(len(labels)), predicted] += 1
    confusion = confusion_of_predictions(torch.tensor(labels), logits.argmax(dim=1), K)
    torch.testing.assert_close(confusion.sum(dim=0), torch.ones(K).double())
    assert float(confusion.min()) > 0
    for i in range(K):
        n = predicted.count(i)
        for j in range(K):
            count = sum(given == j and guess == i for given, guess in zip(labels, predicted, strict=True))
            added = 0.5 * (i == j) + 0.5 / K
            torch.testing.assert_close(confusion[j, i].item(), (count + added) / (n + 1), rtol=0, atol=1e-6)


@given(labels=LABELS, permutation=st.permutations(range(4)))
def test_relabelling_the_classes_relabels_the_confusion(labels: list[int], permutation: list[int]) -> None:
    logits = torch.randn(len(labels), 4, generator=torch.Generator().manual_seed(1))
    to = torch.tensor(permutation)
    moved = torch.empty_like(logits)
    moved[:, to] = logits
    confusion = confusion_of_predictions(torch.tensor(labels), logits.argmax(dim=1), 4)
    again = confusion_of_predictions(to[torch.tensor(labels)], moved.argmax(dim=1), 4)
    torch.testing.assert_close(again[to][:, to], confusion)


def test_a_class_never_predicted_starts_at_itself() -> None:
    confusion = confusion_of_predictions(torch.tensor([0, 1] * 4 + [0]), torch.zeros(9, dtype=torch.long), 2)
    torch.testing.assert_close(confusion[:, 1], torch.tensor([0.25, 0.75]).double())


@given(labels=LABELS, folds=st.integers(2, 5), seed=st.integers(0, 1000))
def test_every_class_is_dealt_out_evenly(labels: list[int], folds: int, seed: int) -> None:
    given_labels = torch.tensor(labels)
    fold_of = shuffled_folds(given_labels, folds, seed)
    assert set(fold_of.tolist()) <= set(range(folds))
    for of_class in (given_labels == k for k in set(labels)):
        shares = torch.bincount(fold_of[of_class], minlength=folds)
        assert int(shares.max() - shares.min()) <= 1
    shares = torch.bincount(fold_of, minlength=folds)
    assert int(shares.max() - shares.min()) <= 1
    again = shuffled_folds(given_labels, folds, seed)
    assert torch.equal(fold_of, again)


def test_folds_are_drawn_by_chance() -> None:
    labels = torch.zeros(40).long()
    one, other = (shuffled_folds(labels, 2, seed) for seed in (0, 1))
    assert not torch.equal(one, other)
    assert not torch.equal(one, torch.arange(40) % 2)


def test_better_features_mend_a_rough_matrix_and_others_leave_it() -> None:
    generator = torch.Generator().manual_seed(0)
    Q = torch.tensor([[0.45, 0.15, 0.3], [0.4, 0.5, 0.25], [0.15, 0.35, 0.45]])
    truth = torch.randint(3, (3000,), generator=generator)
    labels = torch.multinomial(Q.T[truth], 1, generator=generator)[:, 0]
    rough = 0.5 * Q + 0.5 / 3
    told = 3 * torch.eye(3)[truth] + torch.randn(3000, 3, generator=generator)
    untold = torch.randn(3000, 3, generator=generator)  # says nothing of the classes
    found, same = (
        _looked_at_again([_View(f[:2400], labels[:2400], f[2400:])], rough, labels[2400:])
        for f in (told, untold)
    )
    torch.testing.assert_close(found.sum(dim=0), torch.ones(3))
    assert torch.equal(same, rough)
    assert (found - Q).abs().sum() < 0.5 * (rough - Q).abs().sum()


def test_networks_are_compared_on_labels_that_they_have_not_seen() -> None:
    generator = torch.Generator().manual_seed(0)
    Q = torch.tensor([[0.7, 0.0, 0.2], [0.3, 0.8, 0.0], [0.0, 0.2, 0.8]])
    truth = torch.randint(3, (2000,), generator=generator)
    labels = torch.multinomial(Q.T[truth], 1, generator=generator)[:, 0]
    knows = 4 * torch.eye(3)[truth]
    as_labels_are = (
        (torch.eye(3)[truth] @ Q.T).clamp_min(1e-3).log()
    )  # says by itself how labels are mixed up
    gain, error = _gain_of_networks(labels, as_labels_are, knows, Q)
    assert abs(gain) < 0.02
    gain, error = _gain_of_networks(labels, knows, knows, Q)
    evenly = (
        0.65 * torch.eye(3)[truth] + 0.35 / 3
    )  # the best that one factor of all logits can say without a matrix
    naive = (Q[labels, truth].log() - evenly[torch.arange(2000), labels].log()).mean()
    assert abs(gain - float(naive)) < 0.05
    assert gain > 5 * error
    wrong, error = _gain_of_networks(labels, knows, knows, Q.T / Q.T.sum(dim=0))
    assert wrong < -2 * error


def digits(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Images of 8 x 8 pixels of the digits 0 to 3, and what they show."""
    loaded = load_digits(n_class=4)
    return torch.from_numpy(loaded.images[:count]).float()[:, None], torch.from_numpy(loaded.target[:count])


def test_images_need_no_network_to_find_the_noise_matrix() -> None:
    images, truth = digits(500)
    Q = noise.random(4, 0.4, generator=torch.Generator().manual_seed(0))
    told: list[str] = []

    def found(labels: torch.Tensor) -> torch.Tensor:
        options = default_options("image", method="learned", max_epochs=1)
        trained = fit_classifier(from_arrays(images, labels), options, on_stage=told.append)
        assert next(stage.name for stage in trained.stages) == "main"
        assert trained.start_matrix is not None
        return trained.start_matrix

    noisy = found(corrupt_labels(truth, Q, generator=torch.Generator().manual_seed(1)))
    assert (noisy - Q).abs().sum(dim=0).mean() < 0.3
    assert told[0] == "A linear classifier of patches finds where Q starts."
    told.clear()
    assert torch.equal(found(truth), torch.eye(4))
    assert told[1].startswith(
        "Labels of samples held out are not explained better through a noise matrix by a linear classifier of patches "
        "than without ("
    )


def test_few_rows_of_a_table_say_first_that_many_labels_are_wrong() -> None:
    columns, truth = make_blobs(800, centers=5, n_features=6, cluster_std=4.0, random_state=0)
    Q = noise.random(5, 0.5, generator=torch.Generator().manual_seed(0))
    labels = corrupt_labels(torch.from_numpy(truth), Q, generator=torch.Generator().manual_seed(1))
    told: list[str] = []

    def stages(labels: torch.Tensor) -> list[str]:
        data = from_arrays(torch.from_numpy(columns).float(), labels)
        options = default_options("vector", method="learned", max_epochs=1, warm_up_epochs=1)
        trained = fit_classifier(data, options, on_stage=told.append)
        assert trained.start_matrix is not None
        found.append(trained.start_matrix)
        return [stage.name for stage in trained.stages]

    found: list[torch.Tensor] = []
    assert "warm-up-0" not in (names := stages(labels))
    assert "warm-up-again-0" in names
    assert (found[0] - Q).abs().sum(dim=0).mean() < 0.3
    assert told[0].startswith("Warm-up: a linear classifier of the columns, then 2 models")
    assert "warm-up-0" in stages(torch.from_numpy(truth))
    assert found[1].diagonal().mean() > 0.9


def test_annotators_of_images_are_judged_by_patches() -> None:
    images, truth = digits(700)
    generator = torch.Generator().manual_seed(0)
    annotator = torch.arange(len(truth)) % 2
    errs = (torch.rand(len(truth), generator=generator) < 0.5) & (annotator == 1)
    labels = (truth + errs * torch.randint(1, 4, (len(truth),), generator=generator)) % 4
    data = from_arrays(images, labels).with_annotators(annotator, "an array")
    trained = fit_classifier(data, default_options("image", method="learned", max_epochs=1))
    assert trained.annotator_matrices is not None
    careful, careless = trained.annotator_matrices
    assert careful.diagonal().min() > 0.9
    assert abs(float(careless.diagonal().mean()) - 0.5) < 0.1


def test_heads_whose_mistakes_differ_tell_more_together() -> None:
    generator = torch.Generator().manual_seed(0)
    truth = torch.randint(3, (3000,), generator=generator)
    Q = torch.tensor([[0.6, 0.3, 0.0], [0.0, 0.7, 0.4], [0.4, 0.0, 0.6]])
    labels = corrupt_labels(truth, Q, generator=generator)
    views = [torch.eye(3)[truth] + 0.8 * torch.randn(3000, 3, generator=generator) for _ in range(2)]
    heads = [fit_head(view, labels, 3) for view in views]
    assert [head.taken for head in heads] == ["noise matrix"] * 2
    alone = [float((matrix_of_heads([head], labels, 3).noise_matrix - Q).abs().sum()) for head in heads]
    both = matrix_of_heads(heads, labels, 3)
    assert float((both.noise_matrix - Q).abs().sum()) < sum(alone) / 2
    right = [
        float((z.argmax(dim=1) == truth).double().mean())
        for z in (heads[0].out_of_fold, both.head.out_of_fold)
    ]
    assert right[1] > right[0] + 0.02
    plain = fit_head(views[1], labels, 3, method="normal")
    mixed = matrix_of_heads([heads[0], plain], labels, 3)
    assert torch.equal(mixed.noise_matrix, matrix_of_heads(heads[:1], labels, 3).noise_matrix)
