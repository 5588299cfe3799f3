"""The head in the place of a network: what it shares with one, and what it says no to."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from noiselayer import NoisyLabelClassifier, corrupt_labels
from noiselayer.data import from_arrays
from noiselayer.errors import InputError
from noiselayer.features import fit_head
from noiselayer.losses.annotator_rows import mean_matrix
from noiselayer.noise import pair_flip, symmetric
from noiselayer.training.cross_fit import cross_fit
from noiselayer.training.frozen_head import fit_frozen_head
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import default_options

Q = torch.tensor([[0.6, 0.1], [0.4, 0.9]], dtype=torch.float64)


def blobs(count: int = 400, seed: int = 0) -> tuple[np.ndarray, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(2, (count,), generator=generator)
    X = torch.randn(count, 6, generator=generator) + 3 * torch.eye(2, 6)[truth]
    return X.numpy(), truth, corrupt_labels(truth, Q, generator=generator)


def test_the_network_is_the_head_that_fit_head_finds() -> None:
    X, _, noisy = blobs(400)
    data = from_arrays(X, noisy)
    trained = fit_classifier(data, default_options("embedded", method="known"), noise_matrix=Q)
    head = fit_head(X, noisy, 2, method="known", noise_matrix=Q)
    expected = head.logits(X)
    torch.testing.assert_close(
        predict_logits(trained.network, data.inputs).double(), expected, atol=1e-4, rtol=1e-4
    )
    assert trained.options.method == "known"
    torch.testing.assert_close(trained.noise_matrix, Q.float())
    assert len(trained.splits["train"]) == 400
    assert not len(trained.splits["validation"])


def test_a_cross_fit_is_the_heads_own_folds() -> None:
    X, truth, noisy = blobs(200)
    options = default_options("embedded", method="known")
    found = cross_fit(from_arrays(X, noisy), options, folds=4, noise_matrix=Q)
    head = fit_head(X, noisy, 2, method="known", noise_matrix=Q, folds=4)
    torch.testing.assert_close(found.probs.double(), head.out_of_fold.exp(), atol=1e-5, rtol=1e-4)
    assert found.probs_predict == "true"
    plain = cross_fit(from_arrays(X, truth), default_options("embedded", method="normal"))
    assert plain.probs_predict == "given"
    assert plain.noise_matrix is None


def test_a_matrix_that_is_not_taken_makes_the_run_a_normal_one() -> None:
    X, truth, _ = blobs(200)  # right labels, and a matrix that says otherwise
    options = default_options("embedded", method="known")
    trained = fit_frozen_head(from_arrays(X, truth), options, noise_matrix=Q)
    assert trained.head is not None
    assert trained.head.taken == "plain"
    assert trained.options.method == "normal"


def test_checked_pairs_of_labels_enter_the_measured_matrix() -> None:
    X, truth, noisy = blobs(600)
    clean = from_arrays(X[:200], truth[:200])
    data = from_arrays(X[200:], noisy[200:])
    options = default_options("embedded", method="estimated")
    trained = fit_frozen_head(data, options, clean=clean, clean_given=noisy[:200])
    counts = torch.zeros(2, 2).index_put_((noisy[:200], truth[:200]), torch.ones(200), accumulate=True)
    by_counting = counts / counts.sum(dim=0)
    assert trained.estimate is not None
    assert float((trained.estimate.noise_matrix - by_counting).abs().max()) < 0.1


@pytest.mark.parametrize("with_pairs", [False, True])
def test_checked_labels_choose_the_classifier(with_pairs: bool) -> None:
    X, truth, noisy = blobs(600)
    clean, data = from_arrays(X[:60], truth[:60]), from_arrays(X[60:], noisy[60:])
    options, said = default_options("embedded", method="auto"), list[str]()
    pairs = noisy[:60] if with_pairs else None
    trained = fit_classifier(data, options, clean=clean, clean_given=pairs, on_stage=said.append)
    assert said[0].startswith("Method gold: 60 trusted labels choose")
    assert "of checked labels held out" in said[-1]
    alone = fit_classifier(clean, default_options("embedded", method="normal"))
    fresh, of_fresh, _ = blobs(4000, seed=1)
    both, gold = (
        float(
            (predict_logits(t.network, from_arrays(fresh).inputs).argmax(dim=1) == of_fresh).double().mean()
        )
        for t in (trained, alone)
    )
    assert both >= gold - 0.005
    assert trained.head is not None
    assert len(trained.head.out_of_fold) == 540
    assert (trained.estimate is not None) == with_pairs


def test_labels_that_say_nothing_leave_the_checked_ones_alone() -> None:
    X, truth, _ = blobs(600)
    data = from_arrays(X[100:], torch.randint(2, (500,), generator=torch.Generator().manual_seed(1)))
    trained = fit_classifier(
        data, default_options("embedded", method="gold"), clean=from_arrays(X[:100], truth[:100])
    )
    assert trained.head is not None
    assert trained.head.taken == "gold"
    assert trained.options.method == "estimated"


def test_gold_chosen_by_its_label_or_without_a_class_is_said_with_the_name() -> None:
    X, truth, noisy = blobs(300)
    names = ["cat", "dog"]
    data = from_arrays(X[60:], noisy[60:], class_names=names)
    clean = from_arrays(X[:60], truth[:60], class_names=names)
    with pytest.warns(UserWarning, match=r"0 of 60 carry label 'cat', where \d+ are expected. Draw them"):
        fit_frozen_head(
            data, default_options("embedded", method="gold"), clean=clean, clean_given=torch.ones(60).long()
        )
    cats = clean.subset((truth[:60] == 0).nonzero().flatten())
    with pytest.warns(
        UserWarning, match="no checked sample is of 'dog': only the labels speak for such a class"
    ):
        fit_frozen_head(data, default_options("embedded", method="gold"), clean=cats)


def test_few_checked_labels_judge_nothing() -> None:
    X, truth, noisy = blobs(300)
    clean, data = from_arrays(X[:8], truth[:8]), from_arrays(X[8:], noisy[8:])
    trained = fit_classifier(data, default_options("embedded", method="auto"), clean=clean)
    assert trained.head is not None
    assert trained.head.taken in ("noise matrix", "plain")


def test_gold_needs_the_head_and_trusted_labels() -> None:
    X, truth, _ = blobs(100)
    data = from_arrays(X, truth)
    with pytest.raises(InputError, match="chooses between classifiers by trusted labels"):
        fit_classifier(data, default_options("embedded", method="gold"))
    with pytest.raises(ValueError, match="is for the linear head on features; this is model 'linear'"):
        default_options("vector", method="gold", model="linear", model_options={})


def test_the_estimator_takes_it_by_name() -> None:
    X, truth, _ = blobs(200)
    model = NoisyLabelClassifier("normal", model="head", random_state=0).fit(X, truth)
    assert model.score(X, truth) > 0.95


def test_what_it_cannot_do_is_said() -> None:
    X, _, noisy = blobs(60)
    data = from_arrays(X, noisy)
    with pytest.raises(InputError, match="let.* a network and the matrix learn on together"):
        fit_frozen_head(data, default_options("embedded", method="refined"), clean=from_arrays(X + 1, noisy))
    by_two = data.with_annotators(["ann", "bob"] * 30, "here")
    with pytest.raises(InputError, match="annotators would change nothing with method 'normal'"):
        fit_frozen_head(by_two, default_options("embedded", method="normal"))
    with pytest.raises(InputError, match="method gold has no noise matrix of its own for each annotator"):
        fit_frozen_head(by_two, default_options("embedded", method="gold"), clean=from_arrays(X + 1, noisy))
    with pytest.raises(InputError, match=r"noise_matrix must have shape \(2, K, K\)"):
        fit_frozen_head(by_two, default_options("embedded", method="known"), noise_matrix=torch.eye(3))
    images = from_arrays(np.zeros((60, 4, 4), np.uint8), noisy)
    with pytest.raises(InputError, match=r"takes vectors; these samples have shape \(1, 4, 4\)"):
        fit_frozen_head(images, default_options("embedded", method="normal"))


def by_three(
    count: int, seed: int
) -> tuple[np.ndarray, torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Samples of four classes near each other, their truth, who labelled each, the labels, and all matrices."""
    generator = torch.Generator().manual_seed(seed)
    truth = torch.randint(4, (count,), generator=generator)
    X = torch.randn(count, 40, generator=generator) + 2 * torch.eye(4, 40)[truth]
    who = torch.randint(3, (count,), generator=generator)
    Q = torch.stack([symmetric(4, 0.05), pair_flip(4, 0.6), symmetric(4, 0.7)])
    return X.numpy(), truth, who, torch.multinomial(Q[who, :, truth], 1, generator=generator)[:, 0], Q


def test_every_annotator_has_a_matrix() -> None:
    X, truth, who, noisy, Q = by_three(1500, 0)
    data = from_arrays(X, noisy.numpy())
    by_all = data.with_annotators([("ann", "bob", "cy")[s] for s in who], "here")
    options = default_options("embedded", method="learned")
    alone, together = fit_frozen_head(data, options), fit_frozen_head(by_all, options)
    known = fit_frozen_head(by_all, replace(options, method="known"), noise_matrix=Q)
    assert together.annotator_names == ("ann", "bob", "cy")
    assert together.annotator_matrices is not None
    assert float((together.annotator_matrices - Q).abs().sum(dim=1).mean()) < 0.3
    assert known.annotator_matrices is not None
    torch.testing.assert_close(known.annotator_matrices, Q)
    mean = mean_matrix(together.annotator_matrices.double(), who)
    torch.testing.assert_close(together.noise_matrix.double(), mean, atol=1e-6, rtol=0)
    assert together.by_annotator is not None
    of_alone, of_together, of_known = (
        float((trained.network(torch.from_numpy(X)).argmax(dim=1) == truth).float().mean())
        for trained in (alone, together, known)
    )
    assert of_together > of_alone + 0.03
    assert of_together > of_known - 0.02


def test_annotators_alike_change_nothing() -> None:
    X, _, noisy = blobs(300)
    one = fit_head(X, noisy, 2, method="known", noise_matrix=Q)
    stacked = fit_head(
        X, noisy, 2, method="known", noise_matrix=torch.stack([Q] * 2), annotators=np.arange(300) % 2
    )
    torch.testing.assert_close(stacked.weight, one.weight)
    torch.testing.assert_close(stacked.noise_matrix, one.noise_matrix)
    assert stacked.gain == pytest.approx(one.gain)
