"""A few labels are drawn, looked at, and correct the next audit: from the command line, with files in between."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from noiselayer.storage.audit_folder import SavedAudit, load_audit

Run = Callable[..., Result]
NAMES = np.array(["cat", "dog", "owl"])
AUDIT = ("--class-names", "cat,dog,owl", "--probs-predict", "true", "--out")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """3,000 labels, a tenth of the cats and a third of all others wrong, and a model that blames the samples."""
    folder = tmp_path_factory.mktemp("files")
    generator = np.random.default_rng(0)
    truth = generator.integers(3, size=3000)
    moved = generator.random(3000) < np.where(truth == 0, 0.1, 1 / 3)
    labels = np.where(moved, (truth + 1) % 3, truth)
    z = 2.0 * np.eye(3)[truth] + generator.normal(size=(3000, 3))
    for name, model in (("probs", z), ("second", z + 0.5 * generator.normal(size=z.shape))):
        p = np.exp(0.5 * model)
        np.save(folder / f"{name}.npy", (p / p.sum(axis=1, keepdims=True)).astype(np.float32))
    pd.DataFrame({"id": [f"s{k}" for k in range(3000)], "label": NAMES[labels]}).to_csv(
        folder / "data.csv", index=False
    )
    return folder, truth


def checked(folder: Path, truth: np.ndarray, decided: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    """checks.csv as somebody fills it in who knows the truth."""
    table = pd.read_csv(folder / "checks.csv")
    table["new_label"] = NAMES[truth[table["sample"]]]
    decided(table).to_csv(folder / "decisions.csv", index=False)
    return folder / "decisions.csv"


def is_wrong(audit: SavedAudit, truth: np.ndarray) -> np.ndarray:
    return audit.labels["given_class"].to_numpy() != truth[audit.labels["sample"]]


def test_drawn_labels_that_somebody_looked_at_correct_the_next_audit(
    run: Run, files: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    folder, truth = files
    data = ("audit", folder / "data.csv", "--id-column", "id", "--probs", folder / "probs.npy", *AUDIT)
    first = run(*data, tmp_path / "one", "--suggest-checks", 200)
    assert first.exit_code == 0, first.output
    assert "200 labels to look at: open" in first.output
    assert "audit again, into another folder, with --reviewed and the file" in " ".join(first.output.split())
    table = pd.read_csv(tmp_path / "one" / "checks.csv")
    assert len(table) == 200
    assert table["inclusion_probability"].between(0, 1, inclusive="right").all()
    assert "inclusion" not in (tmp_path / "one" / "checks.html").read_text("utf-8").split('id="state"')[0]

    decisions = checked(tmp_path / "one", truth, lambda table: table)
    second = run(*data, tmp_path / "two", "--reviewed", decisions)
    assert second.exit_code == 0, second.output
    before, after = (load_audit(tmp_path / name) for name in ("one", "two"))
    wrong = is_wrong(after, truth)
    at_all = {name: one.counts["all"] for name, one in (("before", before), ("after", after))}
    assert at_all["after"]["low"] <= wrong.sum() <= at_all["after"]["high"]
    assert abs(at_all["after"]["expected"] - wrong.sum()) < 0.25 * wrong.sum()
    drawn = after.counts["drawn"]
    found = int((NAMES[truth[table["sample"]]] != table["given_label"]).sum())
    assert (drawn["labels"], drawn["wrong"], drawn["unanswered"]) == (200, found, 0)
    assert drawn["before"]["expected"] == pytest.approx(at_all["before"]["expected"])
    assert f"200 labels were drawn and looked at, {found} of them are wrong" in second.output
    pages = [(tmp_path / name / "report.html").read_text("utf-8") for name in ("one", "two")]
    assert ["With what this audit assumes" in page for page in pages] == [True, False]
    assert "With 200 labels that somebody looked at</th>" in pages[1]
    for row in after.counts["per_class"]:
        mine = wrong[after.labels["given_label"] == row["class"]].sum()
        assert row["low"] <= mine <= row["high"]
    assert sum(row["expected"] for row in after.counts["per_class"]) == pytest.approx(
        at_all["after"]["expected"]
    )
    known = after.labels.set_index("sample").loc[table["sample"]]
    assert (known["suggested_label"].to_numpy() == NAMES[truth[table["sample"]]]).all()
    assert (known["error_probability"].to_numpy() == (known["given_label"] != known["suggested_label"])).all()
    gaps = [
        float(((one.labels["error_probability"] - is_wrong(one, truth)) ** 2).mean())
        for one in (before, after)
    ]
    assert gaps[1] < gaps[0]

    applied = run(
        "apply-review", folder / "data.csv", decisions, "--label-column", "label", "--out", tmp_path / "c.csv"
    )
    assert applied.exit_code == 0, applied.output
    assert f"{found} of 3,000 labels changed" in applied.output


def test_what_nobody_decided_and_what_is_none_of_the_classes(
    run: Run, files: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    folder, truth = files
    data = ("audit", folder / "data.csv", "--id-column", "id", "--probs", folder / "probs.npy", *AUDIT)
    assert run(*data, tmp_path / "one", "--suggest-checks", 50).exit_code == 0

    def some(table: pd.DataFrame) -> pd.DataFrame:
        table["decision"] = table["decision"].astype(object)
        table.loc[:4, ["decision", "new_label"]] = ["unsure", ""]
        table.loc[5:6, ["decision", "new_label"]] = ["none", ""]
        table["given_label"] = table["given_label"].astype(object)
        return table

    done = run(*data, tmp_path / "two", "--reviewed", checked(tmp_path / "one", truth, some))
    assert done.exit_code == 0, done.output
    drawn = load_audit(tmp_path / "two").counts["drawn"]
    table = pd.read_csv(tmp_path / "one" / "decisions.csv").iloc[5:]
    assert (drawn["labels"], drawn["unanswered"]) == (45, 5)
    assert drawn["wrong"] == 2 + int((table["new_label"].iloc[2:] != table["given_label"].iloc[2:]).sum())
    assert "5 more were drawn and not decided; these stand for them." in done.output


def test_a_second_models_probabilities_from_a_file(
    run: Run, files: tuple[Path, np.ndarray], tmp_path: Path
) -> None:
    folder, _ = files
    data = ("audit", folder / "data.csv", "--id-column", "id", "--probs", folder / "probs.npy")
    second = ("--second-probs", folder / "second.npy", *AUDIT)
    done = run(*data, *second, tmp_path / "two")
    assert done.exit_code == 0, done.output
    alone = run(*data, *AUDIT, tmp_path / "one")
    assert alone.exit_code == 0, alone.output
    counts = [load_audit(tmp_path / name).counts["all"] for name in ("one", "two")]
    assert counts[0]["expected"] != counts[1]["expected"]
    np.save(tmp_path / "few.npy", np.load(folder / "second.npy")[:9])
    refused = run(*data, "--second-probs", tmp_path / "few.npy", *AUDIT, tmp_path / "three")
    assert refused.exit_code == 2
    assert "must have the shape of" in refused.output
    assert (
        "is the second opinion beside --probs"
        in run("audit", "x.csv", "--second-probs", "p.npy", "--out", "o").output
    )


def test_a_number_that_cannot_be_known_is_not_named_until_somebody_looks(run: Run, tmp_path: Path) -> None:
    """A model that guesses within two pairs of classes: the interval is all that is said, in words, file and page."""
    generator = np.random.default_rng(0)
    truth = generator.integers(4, size=1500)
    guess = np.where(generator.random(1500) < 0.45, truth, truth + 1 - 2 * (truth % 2))
    p = np.exp(2.5 * np.eye(4)[guess] + 0.5 * generator.normal(size=(1500, 4)))
    np.save(tmp_path / "probs.npy", (p / p.sum(axis=1, keepdims=True)).astype(np.float32))
    names = np.array(["ant", "bee", "cat", "dog"])
    pd.DataFrame({"label": names[truth]}).to_csv(tmp_path / "data.csv", index=False)
    data = (
        "audit",
        tmp_path / "data.csv",
        "--probs",
        tmp_path / "probs.npy",
        "--class-names",
        ",".join(names),
    )
    done = run(*data, "--probs-predict", "given", "--out", tmp_path / "one", "--suggest-checks", 100)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "How many of 1,500 labels are wrong cannot be known from these probabilities: 0 to" in said
    assert "expected to be wrong" not in said
    counts = load_audit(tmp_path / "one").counts
    assert counts["all"]["expected"] is None
    assert {row["expected"] for row in counts["per_class"]} == {None}
    page = (tmp_path / "one" / "report.html").read_text("utf-8")
    assert "cannot be known from these probabilities" in page
    assert "expected to be wrong" not in page
    assert "Errors by class" not in page
    table = pd.read_csv(tmp_path / "one" / "checks.csv")
    table["new_label"] = names[truth[table["sample"]]]
    table.to_csv(tmp_path / "decisions.csv", index=False)
    again = run(
        *data, "--probs-predict", "given", "--out", tmp_path / "two", "--reviewed", tmp_path / "decisions.csv"
    )
    assert again.exit_code == 0, again.output
    assert "Without them the audit could not know how many are wrong, 0 to" in " ".join(again.output.split())
    assert load_audit(tmp_path / "two").counts["all"]["expected"] == 0
    page = (tmp_path / "two" / "report.html").read_text("utf-8")
    assert "What the audit said without looking" in page
    assert "how many labels are wrong is known by those that were checked" in again.output
    assert "cannot be known" not in again.output + page


def test_what_it_refuses(run: Run, files: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, truth = files
    data = ("audit", folder / "data.csv", "--id-column", "id", "--probs", folder / "probs.npy", *AUDIT)
    assert "leave --top out" in run(*data, tmp_path / "x", "--suggest-checks", 5, "--top", 9).output
    many = run(*data, tmp_path / "x", "--suggest-checks", 3001)
    assert many.exit_code == 2
    assert "at most the number of labels, 3,000" in many.output
    assert not (tmp_path / "x").exists()
    one = run(*data, tmp_path / "one", "--suggest-checks", 30)
    assert one.exit_code == 0, one.output
    decisions = checked(tmp_path / "one", truth, lambda table: table)
    again = run(*data, tmp_path / "one", "--reviewed", decisions, "--resume")
    assert again.exit_code == 2
    assert "name another folder with --out" in again.output
    table = pd.read_csv(decisions)
    for column, value, message in (
        ("id", "elsewhere", "had the label 'cat' and is not there any more"),
        ("new_label", "cow", "which is none of the classes"),
        ("inclusion_probability", 2.0, "must have an inclusion_probability above 0 and at most 1"),
    ):
        changed = table.copy()
        changed["given_label"] = changed["given_label"].astype(object)
        row = int((changed["given_label"] == "cat").to_numpy().argmax())
        changed[column] = changed[column].astype(object)
        changed.loc[row, column] = value
        changed.to_csv(tmp_path / "changed.csv", index=False)
        refused = run(*data, tmp_path / f"no-{column}", "--reviewed", tmp_path / "changed.csv")
        assert refused.exit_code == 2, refused.output
        assert message in refused.output.replace("\n", " ")
        assert not (tmp_path / f"no-{column}").exists()
