"""What the demonstration measures, counted again by other means, and what it promises."""

import dataclasses

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import confusion_matrix

from noiselayer.jobs.demo.digits import Demo, find_suspects, label_errors, really_wrong, run_demo


def test_the_training_samples_are_those_of_scikit_learn(hurried: Demo) -> None:
    digits = load_digits()
    rows = hurried.samples.numpy()
    assert len(set(rows.tolist())) == len(rows) == 1347
    assert hurried.test_samples == 450
    np.testing.assert_array_equal(hurried.true_labels, digits.target[rows])
    np.testing.assert_array_equal(hurried.images, digits.images[rows])


def test_every_wrong_label_is_the_next_digit(hurried: Demo) -> None:
    step = (hurried.noisy_labels - hurried.true_labels) % 10
    assert set(step.tolist()) == {0, 1}
    assert float((step == 1).double().mean()) == pytest.approx(0.45, abs=0.05)
    assert hurried.wrong_share == pytest.approx(float((step == 1).double().mean()))


def test_the_counted_matrix_is_scikit_learns_confusion_with_columns_for_the_truth(hurried: Demo) -> None:
    by_row = confusion_matrix(hurried.true_labels, hurried.noisy_labels, normalize="true")
    np.testing.assert_allclose(hurried.counted_matrix, by_row.T, atol=1e-6)


def test_distances_are_column_sums(hurried: Demo) -> None:
    for name, matrix in (("learned", hurried.learned_matrix), ("counted", hurried.counted_matrix)):
        columns = [
            sum(abs(float(matrix[j, i] - hurried.true_matrix[j, i])) for j in range(10)) for i in range(10)
        ]
        assert hurried.noise_matrix_l1()[name] == pytest.approx(sum(columns) / 10, rel=1e-6)


def test_suspects_are_the_surest_and_suggest_another_class(hurried: Demo) -> None:
    suspects = find_suspects(hurried, limit=1347)
    by_probability = [suspect.probability for suspect in suspects]
    assert sorted(by_probability, reverse=True) == pytest.approx(by_probability)
    assert len({suspect.sample for suspect in suspects}) == 1347
    for suspect in suspects:
        if suspect.probability > 0.9:
            assert suspect.suggested != suspect.given
        assert suspect.given == int(hurried.noisy_labels[suspect.sample])
    assert find_suspects(hurried) == suspects[:60]
    assert label_errors(hurried)["flagged"] == sum(p > 0.5 for p in by_probability)


def test_a_perfect_network_and_the_true_matrix_find_every_wrong_label(hurried: Demo) -> None:
    sure = 30.0 * torch.nn.functional.one_hot(hurried.true_labels, 10)
    perfect = dataclasses.replace(hurried, learned_logits=sure, learned_matrix=hurried.true_matrix)
    errors = label_errors(perfect)
    assert errors["flagged"] == errors["flagged_and_wrong"] == errors["wrong"] > 500
    assert all(s.suggested == int(hurried.true_labels[s.sample]) for s in find_suspects(perfect))


@pytest.mark.filterwarnings("ignore:The network never predicts")  # nor does it, in an epoch
def test_a_seed_decides_everything(hurried: Demo) -> None:
    again = run_demo(seed=3, max_epochs=1, warm_up_epochs=1, start="confusion")
    assert again.test_error == hurried.test_error
    assert torch.equal(again.learned_matrix, hurried.learned_matrix)
    assert not torch.equal(
        run_demo(seed=4, max_epochs=1, warm_up_epochs=1, start="confusion").samples, hurried.samples
    )


@pytest.mark.slow
def test_the_promises_of_the_demonstration() -> None:
    demo = run_demo()
    distance = demo.noise_matrix_l1()
    assert demo.test_error["learned"] <= demo.test_error["normal"] / 2
    assert distance["learned"] <= 1.5 * distance["counted"]
    suspects = find_suspects(demo)
    assert really_wrong(demo, suspects) >= 57
