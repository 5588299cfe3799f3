"""Checked labels beside the others: trusted in training, known in an audit, counted as pairs by an estimate."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from noiselayer.data import read_data
from noiselayer.data.frames import TABLE_SUFFIXES, table_suffix, write_frame
from noiselayer.data.inputs import rows_read
from noiselayer.data.reading import Reading, encoder_of
from noiselayer.errors import InputError
from noiselayer.estimation import estimate_from_pairs
from noiselayer.jobs.audit import audit_files
from noiselayer.jobs.audit_options import AuditJob
from noiselayer.jobs.estimate import estimate_files
from noiselayer.jobs.estimate_options import EstimateJob
from noiselayer.jobs.measure import measure_table
from noiselayer.jobs.measure_options import MeasureJob
from noiselayer.jobs.train_options import TrainJob
from noiselayer.jobs.train_prepare import prepare_run
from noiselayer.report.from_run import read_run_data
from noiselayer.storage.run_sets import read_sets

NAMES = np.array(["cat", "dog", "owl"])
CENTRES = np.array([[3.0, 0.0], [0.0, 3.0], [-3.0, -3.0]])
N, CHECKED = 300, 90


def write_table(frame: pd.DataFrame, path: Path) -> Path:
    write_frame(frame, path, str(table_suffix(path)))
    return path


def truth() -> Any:
    return np.arange(N) % 3


def given() -> Any:
    """Every fifth label of a cat says dog."""
    labels = truth()
    cats = np.flatnonzero(labels == 0)
    labels[cats[::5]] = 1
    return labels


def frame() -> pd.DataFrame:
    x = CENTRES[truth()] + np.random.default_rng(0).normal(size=(N, 2))
    human = NAMES[truth()].astype(object)
    human[CHECKED:] = None
    return pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "llm_label": NAMES[given()], "human_label": human})


@pytest.fixture(params=[*TABLE_SUFFIXES, ".npz", "beside"])
def data(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, dict[str, Any]]:
    """The data in a format, and how their labels are named."""
    named = {"label_column": "llm_label", "checked_column": "human_label"}
    form, table = request.param, frame()
    if form == ".npz":
        human = np.where(np.arange(N) < CHECKED, truth(), -1)
        arrays = {"llm_label": given(), "human_label": human, "class_names": NAMES}
        np.savez(tmp_path / "data.npz", x=table[["a", "b"]].to_numpy(), **arrays)
        return f"{tmp_path}/data.npz", {"labels": "llm_label", "checked_column": "human_label"}
    if form == "beside":
        np.save(tmp_path / "x.npy", table[["a", "b"]].to_numpy())
        table[["llm_label", "human_label"]].to_csv(tmp_path / "labels.csv", index=False)
        return f"{tmp_path}/x.npy", {"labels": f"{tmp_path}/labels.csv", **named}
    return str(write_table(table, tmp_path / f"data{form}")), named


def test_what_has_been_checked_is_the_clean_set_and_no_feature(data: tuple[str, dict[str, Any]]) -> None:
    path, named = data
    sets = read_sets(Reading(path, **named))
    assert sets.noisy.inputs.shape == (2,)
    assert sets.clean is not None
    assert sets.clean_given is not None
    assert sets.noisy.labels is not None
    assert sets.clean.labels is not None
    assert sets.noisy.labels.tolist() == given()[CHECKED:].tolist()
    assert sets.clean.labels.tolist() == truth()[:CHECKED].tolist()
    assert sets.clean_given.tolist() == given()[:CHECKED].tolist()
    assert f"Of {CHECKED} labels that have been checked, 6 were wrong." in sets.summary()
    assert rows_read(sets.noisy.inputs).tolist() == list(range(CHECKED, N))


def test_an_audit_judges_the_others_and_says_what_checking_found(
    data: tuple[str, dict[str, Any]], tmp_path: Path
) -> None:
    path, named = data
    np.save(tmp_path / "probs.npy", np.eye(3)[truth()] * 0.94 + 0.02)
    saved = audit_files(
        AuditJob(
            data=path,
            probs=f"{tmp_path}/probs.npy",
            probs_predict="true",
            class_names=tuple(NAMES),
            out=tmp_path / "audit",
            **named,
        )
    )
    assert saved is not None
    wrong = np.flatnonzero(given() != truth())
    judged = saved.labels[saved.labels["is_error"]]
    assert sorted(judged["sample"]) == wrong[wrong >= CHECKED].tolist()
    assert saved.counts["checked"] == {"labels": CHECKED, "wrong": 6}
    assert saved.counts["all"]["flagged"] == (wrong >= CHECKED).sum()
    assert sorted(saved.labels["sample"]) == list(range(CHECKED, N))
    assert sum(row["labels"] for row in saved.counts["per_class"]) == N - CHECKED
    assert "Of 90 labels that have been checked, 6 were wrong (6.7%)" in "\n".join(saved.in_words())


def test_an_audit_trains_on_corrected_labels(tmp_path: Path) -> None:
    path = write_table(frame(), tmp_path / "data.csv")
    fast = {"model": "linear", "max_epochs": 20, "batch_size": 16, "learning_rate": 0.1, "folds": 2}
    job = AuditJob(
        data=str(path),
        label_column="llm_label",
        checked_column="human_label",
        out=tmp_path / "audit",
        accelerator="cpu",
        progress=False,
        **fast,  # type: ignore[arg-type]
    )
    saved = audit_files(job)
    assert saved is not None
    assert saved.counts["checked"] == {"labels": CHECKED, "wrong": 6}
    found = set(saved.labels["sample"][saved.labels["is_error"]])
    wrong = {row for row in np.flatnonzero(given() != truth()).tolist() if row >= CHECKED}
    assert len(found & wrong) >= 0.6 * len(wrong)


@pytest.mark.parametrize("suffix", [*TABLE_SUFFIXES, ".npz"])
def test_an_estimate_counts_the_pairs_that_there_are(tmp_path: Path, suffix: str) -> None:
    if suffix == ".npz":
        human = np.where(np.arange(N) < CHECKED, truth(), -1)
        np.savez(tmp_path / "data.npz", llm_label=given(), human_label=human)
    else:
        write_table(frame(), tmp_path / f"data{suffix}")
    job = EstimateJob(
        out=tmp_path / "noise",
        given_labels=f"{tmp_path}/data{suffix}:llm_label",
        checked_column="human_label",
    )
    found = estimate_files(job)
    assert found.samples == {"pairs": CHECKED}
    same = estimate_from_pairs(torch.tensor(truth()[:CHECKED]), torch.tensor(given()[:CHECKED]), 3)
    torch.testing.assert_close(found.estimate.noise_matrix, same.noise_matrix)


def train(path: Path, **options: Any) -> dict[str, Any]:
    """Train a small classifier on the table, into ``run`` beside it."""
    metrics = prepare_run(
        TrainJob(
            data=str(path),
            label_column="llm_label",
            checked_column="human_label",
            method="estimated",
            measure_with="noisy",
            model="linear",
            out=path.parent / "run",
            accelerator="cpu",
            progress=False,
            **options,
        )
    ).execute()
    assert metrics is not None
    return metrics


def test_training_measures_with_the_pairs_too(tmp_path: Path) -> None:
    path = write_table(frame(), tmp_path / "data.csv")
    metrics = train(path, max_epochs=5, warm_up_epochs=5, learning_rate=0.1, batch_size=16)
    assert metrics["estimate"]["method"] == "combined"
    matrix = pd.read_csv(tmp_path / "run" / "noise_matrix.csv", index_col=0).to_numpy()
    assert abs(matrix[1, 0] - 0.2) < 0.12
    assert (tmp_path / "run" / "report.html").is_file()


def test_training_and_estimating_agree_on_the_same_pairs_although_the_model_is_weak(tmp_path: Path) -> None:
    """Features that say next to nothing, 40 % of the labels wrong, 300 of 900 checked."""
    generator = np.random.default_rng(0)
    true = np.arange(900) % 3
    noisy = np.where(generator.random(900) < 0.4, (true + 1 + generator.integers(2, size=900)) % 3, true)
    x = 0.1 * CENTRES[true] + generator.normal(size=(900, 2))
    human = np.where(np.arange(900) < 300, NAMES[true], None)
    table = pd.DataFrame({"a": x[:, 0], "b": x[:, 1], "llm_label": NAMES[noisy], "human_label": human})
    path = write_table(table, tmp_path / "data.csv")
    estimated = estimate_files(
        EstimateJob(out=tmp_path / "noise", given_labels=f"{path}:llm_label", checked_column="human_label")
    )
    train(path, max_epochs=2, warm_up_epochs=2, batch_size=64)
    matrices = (
        estimated.estimate.noise_matrix.numpy(),
        pd.read_csv(tmp_path / "run" / "noise_matrix.csv", index_col=0).to_numpy(),
    )
    by_pairs, by_training = (1 - float(np.diagonal(Q).mean()) for Q in matrices)
    assert by_pairs == pytest.approx(0.4, abs=0.1)
    assert by_training == pytest.approx(by_pairs, abs=0.05)


def case(change: Callable[[pd.DataFrame], Any], words: str) -> Any:
    return pytest.param(change, words, id=words[:30])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        case(
            lambda t: t.loc.__setitem__((4, "human_label"), "own"),
            r"checked labels \(column 'human_label' of .*\): 'own' \(row 4, counting from 0\) is not one of the 3 "
            r"classes cat, dog, owl. Did you mean 'owl'\? Mend it, or name all classes with class_names if it is one",
        ),
        case(
            lambda t: t.__setitem__("human_label", ""),
            r"column 'human_label' of .* is empty: no label has been checked. Leave out checked_column",
        ),
        case(lambda t: t.pop("human_label"), r"has no column 'human_label'"),
    ],
)
def test_what_is_no_checked_label_is_said(
    tmp_path: Path, change: Callable[[pd.DataFrame], Any], words: str
) -> None:
    table = frame()
    change(table)
    path = write_table(table, tmp_path / "data.csv")
    with pytest.raises(InputError, match=words):
        read_data(path, label_column="llm_label", checked_column="human_label")


def test_two_sets_of_trusted_labels_are_one_too_many(tmp_path: Path) -> None:
    path = write_table(frame(), tmp_path / "data.csv")
    reading = Reading(str(path), label_column="llm_label", checked_column="human_label")
    with pytest.raises(
        InputError, match="clean and checked_column both bring trusted labels; give one of them"
    ):
        read_sets(reading, clean=str(path))
    with pytest.raises(
        InputError, match="true_labels and checked_column both say where the trusted labels are"
    ):
        EstimateJob(out=tmp_path, given_labels="a.csv", true_labels="b.csv", checked_column="c")
    with pytest.raises(InputError, match="an estimate from pairs also needs given_labels"):
        EstimateJob(out=tmp_path, checked_column="c")


def test_other_labels_are_no_feature_unless_somebody_says_so(tmp_path: Path) -> None:
    path = write_table(frame(), tmp_path / "data.csv")
    with pytest.raises(
        InputError,
        match=r"column 'human_label' holds names of the classes: are these labels too\? If they are trusted, say "
        r"checked_column='human_label'",
    ):
        read_data(path, label_column="llm_label")
    assert read_data(path, label_column="llm_label", ignore_columns=["human_label"]).inputs.shape == (2,)


def gaps(table: pd.DataFrame) -> pd.DataFrame:
    """Rows 0, 7 and 8 have a checked label alone, 100 has none at all."""
    return table.assign(llm_label=table["llm_label"].mask(table.index.isin([0, 7, 8, 100])))


ALONE = 3


@pytest.mark.parametrize("suffix", TABLE_SUFFIXES)
def test_a_checked_label_alone_is_a_clean_sample_without_a_pair(tmp_path: Path, suffix: str) -> None:
    path = write_table(gaps(frame()), tmp_path / f"data{suffix}")
    with pytest.warns(
        UserWarning, match="^1 of 300 samples have no label in column 'llm_label' and are left"
    ):
        sets = read_sets(Reading(str(path), label_column="llm_label", checked_column="human_label"))
    assert sets.clean is not None
    assert sets.clean_given is not None
    assert sets.clean.given.tolist() == truth()[:CHECKED].tolist()
    expected = given()[:CHECKED].copy()
    expected[[0, 7, 8]] = -1
    assert sets.clean_given.tolist() == expected.tolist()
    assert sets.noisy.given.tolist() == np.delete(given(), 100)[CHECKED:].tolist()
    wrong = int((given() != truth())[:CHECKED].sum()) - 1  # row 0 was one of the wrong ones
    assert (
        f"Of {CHECKED - ALONE} labels that have been checked, {wrong} were wrong. 3 clean" in sets.summary()
    )


def test_an_audit_counts_pairs_and_judges_none_of_the_checked(tmp_path: Path) -> None:
    path = write_table(gaps(frame()), tmp_path / "data.csv")
    np.save(tmp_path / "probs.npy", np.eye(3)[truth()] * 0.94 + 0.02)
    named = {"label_column": "llm_label", "checked_column": "human_label", "class_names": tuple(NAMES)}
    job = AuditJob(
        data=str(path),
        probs=f"{tmp_path}/probs.npy",
        probs_predict="true",
        out=tmp_path / "audit",
        **named,  # type: ignore[arg-type]
    )
    with pytest.warns(UserWarning, match="1 of 300 samples have no label"):
        saved = audit_files(job)
    assert saved is not None
    assert saved.counts["checked"] == {"labels": CHECKED - ALONE, "wrong": 5}
    assert sorted(map(int, saved.labels["id"])) == [row for row in range(CHECKED, N) if row != 100]


def test_an_estimate_and_a_measurement_say_what_has_no_pair(tmp_path: Path) -> None:
    path = write_table(gaps(frame()), tmp_path / "data.csv")
    job = EstimateJob(out=tmp_path / "noise", given_labels=f"{path}:llm_label", checked_column="human_label")
    with pytest.warns(
        UserWarning, match="3 checked samples have no noisy label; pairs alone are counted, 87 h"
    ):
        assert estimate_files(job).samples == {"pairs": CHECKED - ALONE}
    measured = measure_table(
        MeasureJob(
            table=path, label_column="llm_label", checked_column="human_label", out=tmp_path / "measured"
        )
    )
    assert measured.figures.notes[0] == (
        "4 of 300 samples have no label, 3 of the checked ones among them; they count as not right, "
        "and are left out of what the labels alone say."
    )


def test_a_checked_label_alone_has_no_annotator(tmp_path: Path) -> None:
    table = gaps(frame()).assign(who="ann")
    table.loc[[0, 7, 8, 100], "who"] = None
    path = write_table(table, tmp_path / "data.csv")
    named = {"label_column": "llm_label", "checked_column": "human_label", "annotator_column": "who"}
    with pytest.warns(UserWarning, match="3 of them have been checked, but have no annotator"):
        data = read_data(path, **named)
    assert len(data) == N - 4


def test_all_that_has_been_checked_may_be_without_another_label(tmp_path: Path) -> None:
    table = frame()
    table.loc[: CHECKED - 1, "llm_label"] = None
    path = write_table(table, tmp_path / "data.csv")
    sets = read_sets(Reading(str(path), label_column="llm_label", checked_column="human_label"))
    assert (len(sets.noisy), sets.clean is not None and len(sets.clean)) == (N - CHECKED, CHECKED)
    assert f"{CHECKED} clean samples have no noisy label." in sets.summary()
    assert train(path, max_epochs=2, warm_up_epochs=2)["estimate"]["method"] != "combined"


def test_a_clean_table_whose_labels_have_another_name_is_told_how_to_name_them(tmp_path: Path) -> None:
    (tmp_path / "said.csv").write_text("a,llm\n" + "1.5,no\n2.5,yes\n" * 20)
    (tmp_path / "checked.csv").write_text("a,truth\n" + "1.5,no\n2.5,yes\n" * 5)
    with pytest.raises(InputError, match="no column 'llm'.*labels' own column is named with --clean-labels"):
        read_sets(
            Reading(str(tmp_path / "said.csv"), label_column="llm"), clean=str(tmp_path / "checked.csv")
        )


@pytest.mark.filterwarnings("ignore:2 of 300 samples have no label:UserWarning")
def test_a_run_finds_its_samples_again_among_those_without_a_label_and_those_checked(tmp_path: Path) -> None:
    table = frame()
    table.loc[[5, 200, 201], "llm_label"] = ""
    path = write_table(table, tmp_path / "data.csv")
    reading = Reading(str(path), label_column="llm_label", checked_column="human_label")
    sets = read_sets(reading)
    rows = rows_read(sets.noisy.inputs)
    assert not {200, 201} & {*rows.tolist()}
    np.savez(tmp_path / "splits.npz", train=rows[::2], validation=rows[1::2])
    config = {"reading": reading.to_dict(), **sets.identity()}
    run: Any = SimpleNamespace(folder=tmp_path, config=config, encoder=encoder_of(sets.noisy.inputs))
    again = read_run_data(run)
    assert rows_read(again.inputs).tolist() == rows.tolist()
    assert again.given.tolist() == sets.noisy.given.tolist()
    table.loc[250, "llm_label"] = "owl" if table.loc[250, "llm_label"] == "cat" else "cat"
    write_table(table, path)
    with pytest.raises(InputError, match="samples or labels differ"):
        read_run_data(run)
