"""Searches: what they choose by, what they cost, and what they refuse."""

import importlib
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from noiselayer.data import LabeledData
from noiselayer.errors import InputError
from noiselayer.jobs.tuning.search import apply_values, parse_search
from noiselayer.jobs.tuning.tune import tune
from noiselayer.training.logits import predict_logits
from noiselayer.training.methods import fit_classifier
from noiselayer.training.options import Hardware, TrainingOptions

CPU = Hardware(accelerator="cpu")
# (The package has a function of the same name.)
tuning_run = importlib.import_module("noiselayer.jobs.tuning.tune")
Short = Callable[..., TrainingOptions]


def test_a_grid_chooses_by_what_is_held_out(
    misleading: LabeledData, trusted: LabeledData, short: Short
) -> None:
    """All noisy labels are wrong, so the smallest weight must win; the figures are those of training alone."""
    options = short("normal")
    grid = [3.0, 0.0, 1.0]
    told: list[str] = []
    result = tune(
        misleading, options, clean=trusted, grid=grid, prune=False, hardware=CPU, on_event=told.append
    )
    assert {trial.values["noisy_weight"] for trial in result.trials} == set(grid)
    assert len(result.trials) == 3
    assert result.best is not None
    assert result.best.values == {"noisy_weight": 0.0}
    assert result.options == replace(options, noisy_weight=0.0)
    assert len(told) == 3
    assert told[-1].startswith("Trial 2: noisy-weight ")
    worst = max(result.complete, key=lambda trial: trial.objective or 0.0)
    assert worst.values != result.best.values
    alone = fit_classifier(misleading, apply_values(options, worst.values), clean=trusted, hardware=CPU)
    held_out = trusted.subset(alone.splits["clean_validation"])
    assert held_out.labels is not None
    logits = predict_logits(alone.network, held_out.inputs)
    wrong = logits.argmax(dim=1) != held_out.labels
    assert worst.objective == worst.error == pytest.approx(float(wrong.double().mean()))
    picked = logits.log_softmax(dim=1)[range(len(held_out)), held_out.labels]
    assert worst.loss == pytest.approx(-float(picked.double().mean()), rel=1e-6)
    assert (worst.samples, worst.epochs) == (30, 4)


def test_stages_before_the_main_one_are_trained_once(
    noisy: LabeledData, trusted: LabeledData, short: Short, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the trials are those of training from the beginning, to the last bit."""
    said: list[list[str]] = []
    fit = tuning_run.fit_classifier

    def watched(*args: object, **kwargs: object) -> object:
        before = {path.parent.name for path in Path(str(kwargs["folder"])).glob("*/result.json")}
        said.append(sorted(before))
        return fit(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(tuning_run, "fit_classifier", watched)
    options = short("learned", start="confusion")
    result = tune(noisy, options, clean=trusted, grid=[0.1, 1.0], hardware=CPU)
    assert said == [[], ["warm-up-0", "warm-up-1"]]
    for trial in result.complete:
        alone = fit_classifier(noisy, apply_values(options, trial.values), clean=trusted, hardware=CPU)
        held_out = trusted.subset(alone.splits["clean_validation"])
        log_probs = predict_logits(alone.network, held_out.inputs).log_softmax(dim=1)
        assert held_out.labels is not None
        picked = log_probs[range(len(held_out)), held_out.labels]
        assert trial.loss == pytest.approx(-float(picked.double().mean()), rel=1e-6)


def test_a_pruned_trial_costs_the_epochs_it_ran(
    misleading: LabeledData, trusted: LabeledData, short: Short, tmp_path: Path
) -> None:
    search = [parse_search("noisy-weight=0:4")]
    usual = {"search": search, "clean": trusted, "out": tmp_path / "out", "hardware": CPU}
    options = short("normal", max_epochs=6)
    first = tune(misleading, options, grid=[0.0, 0.01, 0.02, 0.03, 0.04, 4.0, 3.0], **usual)  # type: ignore[arg-type]
    pruned = [trial for trial in first.trials if trial.state == "pruned"]
    assert pruned, "no trial fell behind, though two of them learn nothing but wrong labels"
    assert {trial.values["noisy_weight"] for trial in pruned} <= {3.0, 4.0}
    for trial in pruned:
        assert trial.epochs is not None
        assert 1 <= trial.epochs < 6
    assert {trial.epochs for trial in first.complete} == {6}
    assert first.best is not None
    assert first.best.state == "complete"
    table = pd.read_csv(tmp_path / "out" / "trials.csv")
    assert sorted(table["epochs"]) == sorted(trial.epochs for trial in first.trials)
    assert set(table["state"]) == {"complete", "pruned"}


def test_stopped_and_resumed_is_as_never_stopped(noisy: LabeledData, short: Short, tmp_path: Path) -> None:
    options = short("top-down", max_epochs=1)

    def search(out: str, trials: int, **more: bool) -> list[tuple[float, float | None]]:
        result = tune(noisy, options, trials=trials, out=tmp_path / out, hardware=CPU, **more)
        return [(trial.values["alpha"], trial.objective) for trial in result.trials]

    whole = search("whole", 4)
    assert len(set(whole)) == 4
    assert all(0.1 <= alpha <= 1 for alpha, _ in whole)
    assert search("parts", 2) == whole[:2]
    assert search("parts", 2, resume=True) == whole
    assert search("parts", 0, resume=True) == whole
    best = json.loads((tmp_path / "parts" / "best.json").read_text())
    assert best["trials"] == {"complete": 4}
    assert best["objective"]["words"] == "error against held-out noisy labels"
    assert "diagonally dominant" in best["sentence"]


def test_a_penalty_is_chosen_by_the_likelihood_through_q(noisy: LabeledData, short: Short) -> None:
    options = short("learned", start="identity", max_epochs=2)
    result = tune(noisy, options, trials=2, hardware=CPU)
    assert result.objective.labels == "through"
    assert [search.name for search in result.search] == ["noise_weight_decay"]
    best = result.best
    assert best is not None
    alone = fit_classifier(noisy, result.options, hardware=CPU)
    held_out = noisy.subset(alone.splits["validation"])
    assert held_out.labels is not None
    probs = predict_logits(alone.network, held_out.inputs).softmax(dim=1) @ alone.noise_matrix.T
    picked = probs[range(len(held_out)), held_out.labels].log()
    assert best.objective == pytest.approx(-float(picked.double().mean()), rel=1e-5)


def test_ctrl_c_leaves_what_is_done_and_its_trial_is_done_again(
    noisy: LabeledData, short: Short, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = short("top-down", max_epochs=1)
    usual = {"grid": [0.2, 0.6, 1.0], "out": tmp_path / "out", "hardware": CPU}
    fit, calls = tuning_run.fit_classifier, []

    def stopped(*args: object, **kwargs: object) -> object:
        calls.append(args)
        trained = fit(*args, **kwargs)  # type: ignore[arg-type]
        trained.interrupted = len(calls) == 2
        return trained

    monkeypatch.setattr(tuning_run, "fit_classifier", stopped)
    first = tune(noisy, options, **usual)  # type: ignore[arg-type]
    assert first.interrupted
    assert [trial.state for trial in first.trials] == ["complete", "failed", "waiting"]
    assert first.trials[2].values == first.trials[1].values
    second = tune(noisy, options, resume=True, **usual)  # type: ignore[arg-type]
    assert not second.interrupted
    assert [trial.state for trial in second.trials] == ["complete", "failed", "complete", "complete"]
    assert {trial.values["alpha"] for trial in second.complete} == {0.2, 0.6, 1.0}
    assert len(calls) == 4


def test_what_is_refused_and_leaves_nothing(
    noisy: LabeledData, trusted: LabeledData, short: Short, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    cases = [
        ({"search": [parse_search("alpha")], "method": "normal"}, "alpha is for method 'top-down'"),
        ({"search": [parse_search("noisy-weight")], "method": "top-down"}, "there are none to train on"),
        (
            {"search": [parse_search("trace-penalty")], "method": "learned"},
            "only while the noise matrix learns",
        ),
        ({"search": [parse_search("alpha")] * 2, "method": "top-down"}, "searched once"),
        ({"trials": -1, "method": "top-down"}, "trials must be from 0 to 1,000,000; got -1"),
        (
            {"hardware": Hardware(devices=2), "method": "top-down"},
            "on one device; got devices 2.*for each device",
        ),
        ({"storage": "sqlite:////no/such/folder/a.db", "method": "top-down"}, "cannot open the storage"),
    ]
    for case, words in cases:
        method = str(case.pop("method"))
        with pytest.raises(InputError, match=words):
            tune(noisy, short(method), out=out, **case)  # type: ignore[arg-type]
        assert not out.exists()


def test_a_folder_or_a_storage_in_use(noisy: LabeledData, short: Short, tmp_path: Path) -> None:
    options = short("top-down", max_epochs=1)
    tune(noisy, options, grid=[0.5, 1.0], out=tmp_path / "a", hardware=CPU)
    storage = f"sqlite:///{tmp_path / 'a' / 'study.db'}"
    with pytest.raises(InputError, match="in use"):
        tune(noisy, options, grid=[0.5, 1.0], out=tmp_path / "a", hardware=CPU)
    with pytest.raises(InputError, match="holds 2 trials already. Go on with them, .* with --resume"):
        tune(noisy, options, grid=[0.5, 1.0], out=tmp_path / "b", storage=storage, hardware=CPU)
    with pytest.raises(InputError, match=r"tuning.grid was \[0.5, 1.0\], now \[0.5, 0.75\]"):
        tune(noisy, options, grid=[0.5, 0.75], out=tmp_path / "b", storage=storage, resume=True, hardware=CPU)
    with pytest.raises(InputError, match="options.max_epochs was 1, now 2"):
        tune(
            *(noisy, replace(options, max_epochs=2)),
            **{
                "grid": [0.5, 1.0],
                "out": tmp_path / "b",
                "storage": storage,
                "resume": True,
                "hardware": CPU,
            },
        )
    assert not (tmp_path / "b").exists()
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "config.json").write_text("{}")
    with pytest.raises(InputError, match="holds a run of training, not a search"):
        tune(noisy, options, grid=[0.5, 1.0], out=tmp_path / "c", resume=True, hardware=CPU)


@pytest.fixture(scope="module")
def searches(noisy: LabeledData, short: Short, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A search after its first trial, and after its second and last one."""
    first, second = (tmp_path_factory.mktemp("searches") / name for name in ("first", "second"))
    usual = {"grid": [0.5, 1.0], "hardware": CPU, "out": second, "heartbeat": 1}
    options = short("top-down", max_epochs=1)
    tune(noisy, options, trials=1, **usual)  # type: ignore[arg-type]
    shutil.copytree(second, first)
    tune(noisy, options, resume=True, **usual)  # type: ignore[arg-type]
    return first, second


@pytest.mark.parametrize("name", ["study.db", "trials.csv", "best.json"])
@pytest.mark.parametrize("how", ["removed", "emptied", "older"])
def test_a_search_that_goes_on_says_what_was_lost(
    noisy: LabeledData, short: Short, searches: tuple[Path, Path], tmp_path: Path, name: str, how: str
) -> None:
    """Trials that are gone are not replaced in silence; a report is made from them again, and that is said."""
    options, out, said = short("top-down", max_epochs=1), tmp_path / "search", []
    shutil.copytree(searches[1], out)
    older = (searches[0] / name).read_bytes()
    reports = {file: (out / file).read_text() for file in ("trials.csv", "best.json")}
    if how == "removed":
        (out / name).unlink()
    else:
        (out / name).write_bytes(older if how == "older" else b"")
    again = {"grid": [0.5, 1.0], "hardware": CPU, "out": out, "heartbeat": 1}
    again |= {"resume": True, "on_event": said.append}
    if name == "study.db":
        state = {
            "removed": "study.db is missing",
            "emptied": "study.db is empty",
            "older": "lists 2 trials, and the study",
        }
        with pytest.raises(InputError, match=rf"{state[how]}.* in another folder with out\."):
            tune(noisy, options, **again)  # type: ignore[arg-type]
        return
    tune(noisy, options, **again)  # type: ignore[arg-type]
    lost = [sentence for sentence in said if "it is written again from study.db" in sentence]
    assert [name in sentence for sentence in lost] == ([] if how == "older" else [True])
    assert {file: (out / file).read_text() for file in reports} == reports
