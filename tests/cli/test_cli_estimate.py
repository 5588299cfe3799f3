"""``noiselayer estimate``: the matrix of the library, from files of any form, with names and errors."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
import torch
from click.testing import Result

from noiselayer.estimation import combine_estimates, estimate_from_pairs, estimate_from_predictions
from noiselayer.estimation.in_words import strongest_confusions
from noiselayer.storage.matrix_file import read_noise_matrix

Run = Callable[..., Result]
NAMES = ("cat", "dog", "bird")
FILES = {
    *("noise_matrix.csv", "standard_error.csv", "interval_low.csv", "interval_high.csv"),
    *("noise_matrix.png", "estimate.json"),
}


def arrays() -> dict[str, npt.NDArray[Any]]:
    """A model that is mostly right; cats are called dogs 40 % of the time."""
    generator = np.random.default_rng(0)
    truth = np.arange(1200) % 3
    logits = 3 * np.eye(3)[truth] + generator.normal(size=(1200, 3))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    noisy = np.where((truth == 0) & (generator.random(1200) < 0.4), 1, truth)
    return {
        "clean_probs": probs[:300],
        "clean_labels": truth[:300],
        "noisy_probs": probs[300:],
        "noisy_labels": noisy[300:],
        "given_labels": noisy[:300],
    }


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    a = arrays()
    np.save("clean.npy", a["clean_probs"])
    np.savez("noisy.npz", probs=a["noisy_probs"], labels=a["noisy_labels"])
    names = np.array(NAMES)
    pairs = {"true": names[a["clean_labels"]], "given": names[a["given_labels"]]}
    pd.DataFrame(pairs).to_csv("pairs.csv", index=False)
    # As predict --probs writes it; the columns stand in another order.
    table = pd.DataFrame({f"p({NAMES[k]})": a["noisy_probs"][:, k] for k in (2, 0, 1)})
    table.insert(0, "id", [f"{k}.png" for k in range(900)])
    table.to_parquet("noisy.parquet")
    clean = pd.DataFrame({f"p({name})": a["clean_probs"][:, k] for k, name in enumerate(NAMES)})
    clean.to_csv("clean.csv", index=False)
    pd.DataFrame({"label": names[a["noisy_labels"]]}).to_csv("noisy_labels.csv", index=False)
    return tmp_path


INDICES = (
    *("--clean-probs", "clean.npy", "--clean-labels", "true.npy"),
    *("--noisy-probs", "noisy.npz:probs", "--noisy-labels", "noisy.npz:labels"),
)
TABLES = (
    *("--clean-probs", "clean.csv", "--clean-labels", "pairs.csv:true"),
    *("--noisy-probs", "noisy.parquet", "--noisy-labels", "noisy_labels.csv"),
)
PAIRS = ("--true-labels", "pairs.csv:true", "--given-labels", "pairs.csv:given")


def of_library() -> Any:
    tensors = {name: torch.from_numpy(values) for name, values in arrays().items()}
    tensors.pop("given_labels")
    return estimate_from_predictions(**tensors, generator=torch.Generator().manual_seed(0))


def read(path: str) -> npt.NDArray[Any]:
    frame = pd.read_csv(path, index_col=0)
    assert frame.index.name == "noisy \\ true"
    return frame.to_numpy()


def test_predictions_give_what_the_library_gives(run: Run, files: Path) -> None:
    result = run("estimate", *TABLES, "--out", "out")
    assert result.exit_code == 0, result.output
    assert {path.name for path in Path("out").iterdir()} == FILES
    expected = of_library()
    Q = read_noise_matrix("out/noise_matrix.csv", NAMES)
    torch.testing.assert_close(Q, expected.noise_matrix.float(), atol=1e-6, rtol=0)
    np.testing.assert_allclose(read("out/standard_error.csv"), expected.standard_error, atol=1e-6)
    np.testing.assert_allclose(read("out/interval_low.csv"), expected.interval[0], atol=1e-6)
    np.testing.assert_allclose(read("out/interval_high.csv"), expected.interval[1], atol=1e-6)
    about = json.loads(Path("out/estimate.json").read_text())
    assert about["samples"] == {"clean": 300, "noisy": 900}
    assert about["condition_number"] == pytest.approx(expected.condition_number)
    assert about["class_names"] == list(NAMES)
    share, error = float(Q[1, 0]), float(expected.standard_error[1, 0])
    assert f"{100 * share:.0f} % of true cat carry the label dog, ±{100 * error:.0f}" in result.stdout
    assert abs(share - 0.4) < 4 * error
    wrong = float(1 - Q.diagonal().double() @ expected.class_prior.double())
    assert f"about {100 * wrong:.0f} % of the noisy labels are wrong" in result.stderr


def test_indices_and_names_are_the_same_to_it(run: Run, files: Path) -> None:
    np.save("true.npy", arrays()["clean_labels"])
    for out, more in (("plain", ()), ("named", ("--class-names", "cat,dog,bird"))):
        result = run("estimate", *INDICES, *more, "--out", out)
        assert result.exit_code == 0, result.output
    expected = of_library().noise_matrix.numpy()
    np.testing.assert_allclose(read("plain/noise_matrix.csv"), expected, atol=1e-9)
    np.testing.assert_allclose(read("named/noise_matrix.csv"), expected, atol=1e-9)
    assert Path("plain/noise_matrix.csv").read_text().startswith("noisy \\ true,0,1,2\n")
    assert Path("named/noise_matrix.csv").read_text().startswith("noisy \\ true,cat,dog,bird\n")


def test_pairs_are_counted_with_their_prior(run: Run, files: Path) -> None:
    result = run("estimate", *PAIRS, "--out", "out", "--prior-strength", 3, "--show", 1)
    assert result.exit_code == 0, result.output
    counts = pd.crosstab(*(pd.read_csv("pairs.csv")[name] for name in ("given", "true"))).to_numpy()
    expected = (counts + 1) / (counts.sum(axis=0) + 3)
    np.testing.assert_allclose(read("out/noise_matrix.csv"), expected, atol=1e-6)
    assert len(re.findall("carry the label", result.stdout)) == 1
    assert json.loads(Path("out/estimate.json").read_text())["samples"] == {"pairs": 300}


def test_both_kinds_are_combined_and_train_takes_the_matrix(run: Run, files: Path) -> None:
    result = run("estimate", *TABLES, *PAIRS, "--out", "out")
    assert result.exit_code == 0, result.output
    a = arrays()
    pairs = [torch.from_numpy(a[name]) for name in ("clean_labels", "given_labels")]
    expected = combine_estimates(of_library(), estimate_from_pairs(*pairs, 3))
    Q = read_noise_matrix("out/noise_matrix.csv", NAMES)
    torch.testing.assert_close(Q, expected.noise_matrix.float(), atol=1e-6, rtol=0)
    parts = json.loads(Path("out/estimate.json").read_text())["parts"]
    assert {name: part["method"] for name, part in parts.items()} == {
        "predictions": "sparse",
        "pairs": "pairs",
    }
    np.savez("data.npz", x=np.eye(3).repeat(4, axis=0), y=np.arange(3).repeat(4), class_names=NAMES)
    known = ("--method", "known", "--noise-matrix", "out/noise_matrix.csv")
    result = run("train", "data.npz", *known, "--out", "run", "--dry-run")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "give predictions (--clean-probs, --clean-labels, --noisy-probs, --noisy-labels), pairs"),
        (TABLES[:6], "an estimate from predictions also needs --noisy-labels"),
        (PAIRS[:2], "an estimate from pairs also needs --given-labels"),
        (("--method", "sparse", *PAIRS), "--method is about predictions, and none are given"),
        (("--prior-strength", 2, *TABLES), "--prior-strength is about pairs"),
        (("--sparsity", 2, "--method", "inverse", *TABLES), "weight of --method sparse"),
        (("--confidence", 2, *PAIRS), "confidence must lie between 0 and 1"),
        (("--bootstrap", 1, *TABLES), "--bootstrap must be 0 or at least 2"),
        (
            (*TABLES[:2], "--clean-labels", "two.csv", *TABLES[4:]),
            "--clean-labels has no sample of class bird",
        ),
        ((*TABLES[:6], "--noisy-labels", "same.csv"), "all noisy labels are of class dog"),
        ((*PAIRS[:2], "--given-labels", "same.csv"), "of one class only"),
        (
            (*TABLES[:6], "--noisy-labels", "pairs.csv:given"),
            "noisy.parquet has 900 rows, pairs.csv:given 300",
        ),
        (
            (*PAIRS[:2], "--given-labels", "noisy_labels.csv"),
            "must be of the same samples, in the same order",
        ),
        (("--clean-probs", "logits.csv", *TABLES[2:]), "If these are logits, apply softmax"),
        (("--clean-probs", "pairs.csv", *TABLES[2:]), "column 'true' of pairs.csv must hold numbers"),
        (("--clean-probs", "other.csv", *TABLES[2:]), "'bird', 'brid' stands on one side only"),
        (("--clean-probs", "flat.csv", "--method", "inverse", *TABLES[2:]), "clean_confusion is singular"),
        (("--clean-probs", "nowhere.npy", *TABLES[2:]), "there is no file of probabilities nowhere.npy"),
        (("--clean-probs", "noisy.npz", *TABLES[2:]), "say which one are the probabilities as noisy.npz:KEY"),
        ((*TABLES[:2], "--clean-labels", "pairs.csv", *TABLES[4:]), "it is not clear which column"),
        ((*TABLES[:2], "--clean-labels", "pairs.csv:ture", *TABLES[4:]), "Did you mean 'true'?"),
        (
            (*TABLES, "--class-names", "cat,dog"),
            "of the classes cat, dog, bird, not of cat, dog; 'bird' stands on one side only",
        ),
        ((*PAIRS, "--out", "used"), "is in use (it holds mine.txt)"),
        ((*PAIRS, "--out", "pairs.csv"), "is a file; name another"),
    ],
)
def test_bad_input(run: Run, files: Path, words: tuple[object, ...], message: str) -> None:
    true = pd.read_csv("pairs.csv")["true"]
    true.replace("bird", "cat").to_frame("label").to_csv("two.csv", index=False)
    pd.DataFrame({"label": ["dog"] * 900}).to_csv("same.csv", index=False)
    if "--true-labels" in words:
        pd.DataFrame({"label": ["dog"] * 300}).to_csv("same.csv", index=False)
    clean = pd.read_csv("clean.csv")
    (clean * 3).to_csv("logits.csv", index=False)
    clean.rename(columns={"p(bird)": "p(brid)"}).to_csv("other.csv", index=False)
    (clean * 0 + 1 / 3).to_csv("flat.csv", index=False)
    Path("used").mkdir()
    Path("used/mine.txt").write_text("mine")
    before = sorted(path.name for path in files.rglob("*"))
    out = () if "--out" in words else ("--out", "out")
    result = run("estimate", *words, *out)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ")
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert sorted(path.name for path in files.rglob("*")) == before


def test_a_singular_confusion_is_a_note_where_an_answer_exists(run: Run, files: Path) -> None:
    clean = pd.read_csv("clean.csv")
    (clean * 0 + 1 / 3).to_csv("flat.csv", index=False)
    result = run("estimate", "--clean-probs", "flat.csv", *TABLES[2:], "--out", "out")
    assert result.exit_code == 0, result.output
    assert "Note: clean_confusion is singular: noise_matrix is one of many that fit" in result.stderr
    assert (read("out/standard_error.csv") == np.inf).all()
    assert "These data say nothing about the noise" in result.stderr
    assert result.stdout == ""


def test_force_writes_over(run: Run, files: Path) -> None:
    Path("out").mkdir()
    Path("out/noise_matrix.csv").write_text("old")
    assert run("estimate", *PAIRS, "--out", "out").exit_code == 2
    assert run("estimate", *PAIRS, "--out", "out", "--force").exit_code == 0
    assert Path("out/noise_matrix.csv").read_text().startswith("noisy \\ true,bird,cat,dog")


def test_confusions_are_the_largest_entries_off_the_diagonal() -> None:
    true = torch.arange(3).repeat_interleave(100)
    given = torch.where(torch.arange(300) % 5 == 0, (true + 1) % 3, true)
    given[:30] = 2
    estimate = estimate_from_pairs(true, given, 3)
    Q = estimate.noise_matrix
    named = [(c.label, c.true) for c in strongest_confusions(Q)]
    entries = {(j, i): float(Q[j, i]) for j in range(3) for i in range(3) if i != j}
    assert named == sorted(entries, key=lambda place: -entries[place])
