"""The value chosen, its uncertainty, the words for both, and the picture."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from noiselayer.jobs.tuning.criterion import Objective
from noiselayer.jobs.tuning.curve import draw_curve
from noiselayer.jobs.tuning.search import SearchRange
from noiselayer.jobs.tuning.tuning_files import save_report
from noiselayer.jobs.tuning.tuning_result import TrialRecord, TuningResult
from noiselayer.training.options import TrainingOptions

ERROR = Objective("error", "clean")


def trial(number: int, value: float, error: float, state: str = "complete", loss: float = 1.0) -> TrialRecord:
    return TrialRecord(
        number, state, {"noisy_weight": value}, error, 0.01, error=error, loss=loss, samples=1000, epochs=5
    )


def result_of(*trials: TrialRecord, log: bool = False) -> TuningResult:
    low = 0.01 if log else 0.0
    return TuningResult(
        (SearchRange("noisy_weight", low, 1.0, log),), ERROR, trials, TrainingOptions("normal")
    )


FIG_7 = result_of(
    *(trial(0, 1.0, 0.154), trial(1, 0.2, 0.132), trial(2, 0.4, 0.137), trial(3, 0.1, 0.1419)),
    *(trial(4, 0.0, 0.161), trial(5, 0.3, 0.10, state="pruned"), TrialRecord(6, "running", {})),
)


def test_the_best_and_what_cannot_be_told_from_it() -> None:
    """A trial that was stopped early is not chosen, however good it looked."""
    assert FIG_7.best == FIG_7.trials[1]
    chosen = FIG_7.chosen["noisy_weight"]
    assert (chosen.value, chosen.low, chosen.high, chosen.all_alike) == (0.2, 0.1, 0.4, False)
    assert FIG_7.options.noisy_weight == 0.2
    assert FIG_7.counts() == {"complete": 5, "pruned": 1, "running": 1}
    assert FIG_7.sentence() == (
        "noisy-weight = 0.2 has the smallest error on held-out clean samples of 5 complete trials: 13.20 % (standard "
        "error 1.00, 1,000 samples). noisy-weight from 0.1 to 0.4 lies within one standard error of it. As the "
        "smallest of several it is a little too small; the error of the final model is for other data to tell."
    )
    assert FIG_7.train_command(["noiselayer", "train", "a.npz"])[-2:] == ["--noisy-weight", "0.2"]


def test_among_equal_errors_the_likelier() -> None:
    equal = result_of(trial(0, 0.5, 0.1, loss=0.5), trial(1, 0.7, 0.1, loss=0.4))
    assert equal.best is not None
    assert equal.best.number == 1
    assert "All values tried lie within one standard error" in equal.sentence()


def test_a_sharp_choice_and_none_at_all() -> None:
    sharp = result_of(trial(0, 0.5, 0.1), trial(1, 0.7, 0.2))
    assert "No other value tried lies within one standard error of it." in sharp.sentence()
    none = result_of(TrialRecord(0, "failed", {}))
    assert none.best is None
    assert none.chosen == {}
    assert none.sentence() == "No trial has ended yet, so nothing is chosen."
    with pytest.raises(ValueError, match="no trial has ended yet"):
        _ = none.options


def test_the_curve_shows_the_trials_in_order() -> None:
    (ax,) = draw_curve(FIG_7).axes
    drawn = {str(line.get_label()): line for line in ax.lines}
    (bars,) = ax.containers
    x, y = bars.lines[0].get_data()  # type: ignore[union-attr]
    assert list(x) == [0.0, 0.1, 0.2, 0.4, 1.0]
    assert list(y) == pytest.approx([16.1, 14.19, 13.2, 13.7, 15.4])  # per cent
    lengths = [top - bottom for (_, bottom), (_, top) in bars.lines[2][0].get_segments()]  # type: ignore[union-attr]
    assert lengths == pytest.approx([2.0] * 5)
    assert [list(part) for part in drawn["stopped early"].get_data()] == [[0.3], [10.0]]
    assert [list(part) for part in drawn["chosen"].get_data()] == [[0.2], [pytest.approx(13.2)]]
    assert ax.get_title() == "chosen: 0.2"


def test_axes() -> None:
    (ax,) = draw_curve(FIG_7).axes
    assert (ax.get_xscale(), ax.get_xlabel()) == ("linear", "noisy-weight")
    assert ax.get_ylabel().replace("\n", " ") == "error on held-out clean samples (%)"
    logarithmic = result_of(trial(0, 0.01, 0.2), trial(1, 1.0, 0.1), log=True)
    assert draw_curve(logarithmic).axes[0].get_xscale() == "log"
    with_zero = result_of(trial(0, 0.0, 0.2), trial(1, 1.0, 0.1), log=True)
    assert draw_curve(with_zero).axes[0].get_xscale() == "symlog"


def test_the_report_is_complete(tmp_path: Path) -> None:
    save_report(tmp_path, FIG_7, train_arguments=["noiselayer", "train", "my data.npz"])
    assert {path.name for path in tmp_path.iterdir()} == {"trials.csv", "best.json", "curve.png", "curve.svg"}
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["parameters"]["noisy-weight"]["value"] == 0.2
    assert best["parameters"]["noisy-weight"]["within_one_standard_error"] == [0.1, 0.4]
    assert best["objective"]["standard_error"] == 0.01
    assert best["train_command"] == "noiselayer train 'my data.npz' --noisy-weight 0.2"
    assert "noisy-weight" in (tmp_path / "curve.svg").read_text(encoding="utf-8")
    with Image.open(tmp_path / "curve.png") as image:
        assert image.width > 400
        assert len(np.unique(np.asarray(image.convert("RGB")).reshape(-1, 3), axis=0)) > 10


def test_a_report_before_any_trial_has_ended(tmp_path: Path) -> None:
    save_report(tmp_path, result_of(TrialRecord(0, "running", {"noisy_weight": 0.5})))
    best = json.loads((tmp_path / "best.json").read_text())
    assert best["train_command"] is None
    assert best["trial"] is None
    assert (tmp_path / "curve.png").exists()
