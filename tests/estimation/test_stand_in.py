"""The alternative annotator test: against a plain reading of the paper, and with people whose answer is known."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from noiselayer.estimation import alternative_annotator_test

Array = npt.NDArray[Any]


def says(truth: Array, right: float, generator: np.random.Generator) -> Array:
    return np.where(generator.random(len(truth)) < right, truth, generator.integers(4, size=len(truth)))


def crowd(machine: float, seed: int = 0, N: int = 300, people: int = 4) -> tuple[Array, Array]:
    generator = np.random.default_rng(seed)
    truth = generator.integers(4, size=N)
    said = np.stack([says(truth, 0.7, generator) for _ in range(people)], axis=1)
    said[generator.random(said.shape) < 0.3] = -1
    return says(truth, machine, generator), said


def test_it_is_the_paper_read_line_by_line() -> None:
    stats = pytest.importorskip("scipy.stats")
    labels, people = crowd(0.6)
    labels[:20] = -1
    found = alternative_annotator_test(labels, people, epsilon=0.1)
    p_values = []
    for duel in found.duels:
        j, machine, human = duel.person, [], []
        for n in range(len(labels)):
            others = [people[n, k] for k in range(4) if k != j and people[n, k] >= 0]
            if people[n, j] < 0 or not others:
                continue
            by_machine = float(np.mean([labels[n] == other for other in others]))
            by_human = float(np.mean([people[n, j] == other for other in others]))
            machine.append(labels[n] >= 0 and by_machine >= by_human)
            human.append(labels[n] < 0 or by_human >= by_machine)
        assert duel.num_samples == len(machine)
        assert duel.labeller == pytest.approx(np.mean(machine))
        assert duel.human == pytest.approx(np.mean(human))
        worse = np.subtract(human, machine, dtype=float)
        p_values.append(stats.ttest_1samp(worse, 0.1, alternative="less").pvalue)
        assert duel.p_value == pytest.approx(p_values[-1], rel=1e-4, abs=1e-9)
    beaten = stats.false_discovery_control(p_values, method="by") <= 0.05
    assert [duel.beaten for duel in found.duels] == beaten.tolist()
    assert found.winning_rate == pytest.approx(beaten.mean())
    assert found.advantage == pytest.approx(np.mean([duel.labeller for duel in found.duels]))


def test_a_labeller_as_good_as_the_best_passes_and_one_that_guesses_does_not() -> None:
    assert all(alternative_annotator_test(*crowd(0.9, seed)).passed for seed in range(10))
    assert not any(alternative_annotator_test(*crowd(0.3, seed)).passed for seed in range(10))


def test_worse_by_just_epsilon_hardly_anybody_is_beaten() -> None:
    # People who agree always, and a labeller that is wrong on exactly a tenth: the bound of the hypothesis.
    generator = np.random.default_rng(0)
    beaten = []
    for _ in range(200):
        people = np.zeros((200, 3), dtype=int)
        labels = (generator.random(200) < 0.1).astype(int)
        beaten.append(alternative_annotator_test(labels, people, epsilon=0.1).winning_rate > 0)
    assert np.mean(beaten) < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_the_same_answers_as_a_person_beat_with_any_epsilon_above_0() -> None:
    _, people = crowd(0.5)
    people[:, 1] = np.where(people[:, 1] < 0, people[:, 0], people[:, 1])
    twice = np.stack([people[:, 1], people[:, 1]], axis=1)
    duels = alternative_annotator_test(people[:, 1], twice, epsilon=0.01).duels
    assert [(duel.labeller, duel.human, duel.p_value, duel.beaten) for duel in duels] == 2 * [(1, 1, 0, True)]
    assert not alternative_annotator_test(people[:, 1], twice, epsilon=0.0).passed  # as good is not better


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"people": np.zeros((60, 1), dtype=int)}, "labels of two or more, a column each; got 1"),
        ({"people": np.zeros((59, 2), dtype=int)}, "people .N, S."),
        ({"epsilon": 1.0}, "epsilon must lie between 0 and 1, as in 0.1; got 1.0"),
        ({"people": np.where(np.arange(60)[:, None] < [29, 60], 0, -1)}, "at least 30 samples .* are 29"),
    ],
)
def test_refusals(change: dict[str, Any], message: str) -> None:
    sound = {"labels": np.zeros(60, dtype=int), "people": np.zeros((60, 2), dtype=int)}
    with pytest.raises(ValueError, match=message):
        alternative_annotator_test(**{**sound, **change})
    with pytest.raises(
        TypeError,
        match="people must be class indices .* or -1, None or NaN .* got torch.float64",
    ):
        alternative_annotator_test(np.zeros(60, dtype=int), np.zeros((60, 2)))
