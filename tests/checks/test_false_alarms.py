"""All tests together: silent on data that obey the noise model, loud on data that do not."""

from typing import Any

import pytest
import torch
from obedient import Simulated, input_dependent, obeying, open_set

from noiselayer.checks import Finding, check_noise_model

CLEAN = 400  # samples of the clean set; the rest is noisy


def names_found(
    data: Simulated, *, clean: Simulated | None = None, paired: bool = True, beside: bool = True
) -> Any:
    """The names of what the tests find, whatever of the data they are given."""
    trusted = clean or data
    arguments: dict[str, Any] = {
        "noisy_probs": data.probs[CLEAN:],
        "noisy_labels": data.noisy[CLEAN:],
        "noisy_groups": data.groups[CLEAN:],
    }
    if beside:
        arguments |= {"clean_probs": trusted.probs[:CLEAN], "clean_labels": trusted.true[:CLEAN]}
    if paired:
        arguments |= {"clean_noisy_labels": trusted.noisy[:CLEAN], "clean_groups": trusted.groups[:CLEAN]}
    findings: list[Finding] = check_noise_model(data.noise_matrix, **arguments)
    return {finding.name for finding in findings if finding.p_value is not None}


@pytest.mark.slow
def test_false_alarms_over_three_hundred_data_sets() -> None:
    alarms = 0
    for seed in range(300):
        generator = torch.Generator().manual_seed(seed)
        alarms += bool(names_found(obeying(2000, generator=generator, kind=seed)))
    assert alarms <= 21  # 7 %: fifteen expected at most, and two standard deviations


@pytest.mark.slow
@pytest.mark.parametrize("kind", range(3))
@pytest.mark.parametrize("num_classes", [3, 10])
def test_false_alarms_over_a_thousand_data_sets(kind: int, num_classes: int) -> None:
    alarms = 0
    for seed in range(1000):
        generator = torch.Generator().manual_seed(seed)
        alarms += bool(names_found(obeying(3000, generator=generator, kind=kind, num_classes=num_classes)))
    assert alarms <= 65


@pytest.mark.parametrize(("beside", "paired"), [(False, False), (True, False), (True, True)])
def test_power_on_input_dependent_noise(beside: bool, paired: bool) -> None:
    found = 0
    for seed in range(25):
        data = input_dependent(4000, generator=torch.Generator().manual_seed(seed))
        found += "input_dependent_noise" in names_found(data, beside=beside, paired=paired)
    assert found >= 20


def test_power_on_images_from_outside() -> None:
    found = 0
    for seed in range(25):
        generator = torch.Generator().manual_seed(seed)
        data, clean = open_set(3000, generator=generator, share=0.2), obeying(CLEAN, generator=generator)
        found += "outside_images" in names_found(data, clean=clean, paired=False)
    assert found >= 20


def test_an_estimated_matrix_raises_no_alarm_if_its_errors_are_given() -> None:
    # Off by its standard error everywhere: enough to be seen in so many samples, were it taken as exact.
    alarms = {True: 0, False: 0}
    for seed in range(30):
        generator = torch.Generator().manual_seed(seed)
        data = obeying(12_000, generator=generator, kind=2)
        Q = data.noise_matrix
        counts = torch.stack(
            [
                torch.bincount(q, minlength=4)
                for q in torch.multinomial(Q.T, 150, replacement=True, generator=generator)
            ],
            dim=1,
        )
        estimate = (counts + 0.25) / 151
        error = (estimate * (1 - estimate) / 152).sqrt()
        for given in (True, False):
            alarms[given] += bool(
                check_noise_model(
                    estimate,
                    standard_error=error if given else None,
                    noisy_probs=data.probs,
                    noisy_labels=data.noisy,
                )
            )
    assert alarms[True] <= 3
    assert alarms[False] >= 10


def test_noise_a_little_rarer_on_easy_samples_of_every_class_is_seen() -> None:
    """No class shows it by itself: 3,000 labels of ten classes, 12 % wrong, of the surest third 7 %."""
    found = []
    Q = torch.full((10, 10), 0.12 / 9).fill_diagonal_(0.88)
    for seed in range(20):
        generator = torch.Generator().manual_seed(seed)
        truth = torch.arange(3000) % 10
        ease = torch.rand(3000, generator=generator)
        moved = torch.rand(3000, generator=generator) < torch.where(ease > 2 / 3, 0.07, 0.145)
        labels = torch.where(moved, (truth + torch.randint(1, 10, (3000,), generator=generator)) % 10, truth)
        probs = torch.eye(10)[truth] * (0.5 + 0.45 * ease[:, None]) + (0.5 - 0.45 * ease[:, None]) / 10
        probs = probs / probs.sum(dim=1, keepdim=True)
        found += check_noise_model(Q, noisy_probs=probs, noisy_labels=labels)
    assert len(found) >= 18
    assert "Where the model is surest, 9" in found[0].message
