"""``noiselayer combine``: one label per sample from a table of several annotators', in both forms."""

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import Result

from noiselayer.data import read_data

Run = Callable[..., Result]
CLASSES = np.array(["cat", "dog", "bird"])
SOURCES = ["expert", "crowd", "rules", "web"]


def simulated(samples: int = 400) -> tuple[pd.DataFrame, np.ndarray]:
    """Four independent annotators; ``rules`` calls six cats in ten dogs, the expert skipped one in four samples."""
    generator = np.random.default_rng(0)
    truth = generator.integers(3, size=samples)
    said: dict[str, Any] = {"id": [f"{n}.png" for n in range(samples)]}
    for name, rate in zip(SOURCES, (0.05, 0.3, 0.0, 0.2), strict=True):
        wrong = generator.random(samples) < rate
        labels = np.where(wrong, (truth + generator.integers(1, 3, size=samples)) % 3, truth)
        if name == "rules":
            labels = np.where((truth == 0) & (generator.random(samples) < 0.6), 1, truth)
        said[name] = CLASSES[labels].astype(object)
    frame = pd.DataFrame(said)
    skipped = generator.random(samples) < 0.25
    skipped[0] = False
    frame.loc[skipped, "expert"] = None
    return frame, CLASSES[truth]


def wide(run: Run, path: Path, out: Path, *more: object, columns: str = ",".join(SOURCES)) -> Result:
    return run("combine", path, "--out", out, "--label-columns", columns, *more)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray]:
    """The simulated table combined once, for all that only look at what comes out."""
    from noiselayer.jobs.combine import combine_table
    from noiselayer.jobs.combine_options import CombineJob

    folder = tmp_path_factory.mktemp("combined")
    frame, truth = simulated()
    frame.to_csv(folder / "said.csv", index=False)
    combine_table(
        CombineJob(
            table=folder / "said.csv", out=folder / "labels.csv", label_columns=tuple(SOURCES), id_column="id"
        )
    )
    return folder, truth


def test_the_labels_are_better_than_any_vote_and_the_annotators_are_those_simulated(
    written: tuple[Path, np.ndarray],
) -> None:
    folder, truth = written
    labels = pd.read_csv(folder / "labels.csv")
    assert list(labels.columns) == ["id", "label", "probability", "p(bird)", "p(cat)", "p(dog)"]
    assert labels["id"].tolist() == [f"{n}.png" for n in range(400)]
    right = float((labels["label"] == truth).mean())
    frame, _ = simulated()
    votes = frame[SOURCES].apply(lambda row: row.mode().iloc[0], axis=1)
    assert right > float((votes == truth).mean())
    assert right > 0.93
    shares = labels[["p(bird)", "p(cat)", "p(dog)"]]
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-4)
    assert (shares.idxmax(axis=1) == "p(" + labels["label"] + ")").all()
    assert np.allclose(shares.max(axis=1), labels["probability"])

    found = json.loads((folder / "labels.annotators.json").read_text(encoding="utf-8"))
    assert found["classes"] == ["bird", "cat", "dog"]
    assert found["samples"] == 400
    by_name = {annotator["name"]: annotator for annotator in found["annotators"]}
    assert list(by_name) == SOURCES
    for name, annotator in by_name.items():
        said = frame[name].dropna()
        assert annotator["labels"] == len(said)
        assert annotator["accuracy"] == pytest.approx((said == truth[said.index]).mean(), abs=0.05)
        low, high = annotator["accuracy_interval"]
        assert low < annotator["accuracy"] < high
        assert np.allclose(np.sum(annotator["noise_matrix"], axis=0), 1, atol=1e-5)  # columns = true classes
    rules = by_name["rules"]
    first = rules["confusions"][0]
    assert (first["true"], first["says"]) == ("cat", "dog")
    assert first["probability"] == pytest.approx(0.6, abs=0.1)
    assert first["probability"] == rules["noise_matrix"][2][1]  # says dog, true cat
    assert first["interval"][0] < first["probability"] < first["interval"][1]


def test_a_row_per_label_gives_the_same(run: Run, written: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, _ = written
    frame, _ = simulated()
    long = frame.melt("id", SOURCES, var_name="who", value_name="said").dropna()
    # The first rows say the order of samples and annotators; the others come as they like.
    first = long[long["id"].eq("0.png") | long["who"].eq("crowd")].sort_index(kind="stable")
    head = pd.concat([long[long["id"].eq("0.png")], first]).drop_duplicates()
    rest = long.drop(head.index).sample(frac=1, random_state=0)
    pd.concat([head, rest]).to_parquet(tmp_path / "long.parquet", index=False)
    columns = ("--id-column", "id", "--annotator-column", "who", "--label-column", "said")
    result = run("combine", tmp_path / "long.parquet", "--out", tmp_path / "labels.csv", *columns)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "labels.csv").read_text() == (folder / "labels.csv").read_text()
    ours, theirs = (json.loads((f / "labels.annotators.json").read_text()) for f in (tmp_path, folder))
    assert ours == theirs
    assert "rules: " in result.stderr
    assert "combined labels are expected to be wrong" in result.stderr


def test_train_and_audit_read_the_labels(written: tuple[Path, np.ndarray], tmp_path: Path) -> None:
    folder, truth = written
    np.save(tmp_path / "x.npy", np.zeros((400, 2)))
    data = read_data(tmp_path / "x.npy", labels=str(folder / "labels.csv"))
    assert data.class_names == ("bird", "cat", "dog")
    assert data.labels is not None
    names = np.array(data.class_names)[data.labels.numpy()]
    assert float((names == truth).mean()) > 0.93


def test_a_models_evidence_by_the_order_of_classes(run: Run, tmp_path: Path) -> None:
    frame, truth = simulated(120)
    frame.loc[7, SOURCES] = None  # nobody but the model says anything of it
    frame.to_csv(tmp_path / "said.csv", index=False)
    probs = np.where(truth[:, None] == CLASSES, 0.9, 0.05)
    np.save(tmp_path / "p.npy", probs)
    more = ("--probs", tmp_path / "p.npy", "--classes", ",".join(CLASSES))
    result = wide(run, tmp_path / "said.csv", tmp_path / "labels.csv", *more)
    assert result.exit_code == 0, result.output
    labels = pd.read_csv(tmp_path / "labels.csv")
    assert list(labels.columns[3:]) == ["p(cat)", "p(dog)", "p(bird)"]
    assert float((labels["label"] == truth).mean()) > 0.98
    assert labels["label"][7] == truth[7]
    assert labels["id"].tolist() == list(range(120))


def test_checked_labels_stand_and_an_unseen_sample_has_none(run: Run, tmp_path: Path) -> None:
    frame, truth = simulated(120)
    frame["checked"] = [label if n < 20 else None for n, label in enumerate(truth)]
    frame.loc[119, SOURCES] = None
    frame.to_csv(tmp_path / "said.csv", index=False)
    result = wide(run, tmp_path / "said.csv", tmp_path / "labels.csv", "--true-column", "checked")
    assert result.exit_code == 0, result.output
    labels = pd.read_csv(tmp_path / "labels.csv")
    assert labels["label"][:20].tolist() == truth[:20].tolist()
    assert labels["probability"][:20].tolist() == [1.0] * 20
    assert labels["label"].isna().tolist() == [False] * 119 + [True]
    assert "1 sample has no label by any annotator" in result.stderr


class _Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_hostile_names_are_text_on_the_page(run: Run, tmp_path: Path) -> None:
    bad_annotator = '"><script>alert(1)</script>'
    bad_class = "<img src=x onerror=alert(2)>"
    labels = 20 * [bad_class, "dog"]
    frame = pd.DataFrame({"ann": labels, bad_annotator: [*labels[:-2], "dog", "dog"], "bob": labels})
    frame.to_csv(tmp_path / "said.csv", index=False)
    result = wide(run, tmp_path / "said.csv", tmp_path / "out.csv", columns=f"ann,{bad_annotator},bob")
    assert result.exit_code == 0, result.output
    text = (tmp_path / "out.annotators.html").read_text(encoding="utf-8")
    page = _Page(text)
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"script", "img", "link", "iframe", "object", "form"}
    assert bad_annotator in page.words
    assert bad_class in page.words
    (policy,) = [a["content"] for _, a in page.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert re.fullmatch(
        r"default-src 'none'; style-src 'sha256-[\w+/]+='; base-uri 'none'; form-action 'none'", str(policy)
    )
    assert not re.search(r"https?:|url\(|@import", text)
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    assert "style" not in {name for _, attributes in page.tags for name in attributes}
    assert pd.read_csv(tmp_path / "out.csv")["label"][0] == bad_class


SMALL = "id,a,b,true\n1,cat,cat,\n2,dog,cat,\n3,dog,dog,dog\n"
LONG = "id,who,said\n1,a,cat\n1,b,dog\n2,a,dog\n2,b,dog\n"
TOLD = "id,who,said,true\n1,a,cat,cat\n1,b,dog,dog\n"
AB = ("--label-columns", "a,b")
BY = ("--id-column", "id", "--annotator-column", "who", "--label-column", "said")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        (SMALL, (), "say where the labels are: --label-columns for a column per annotator, or --id-column"),
        (SMALL, ("--label-columns", "a,bb"), "has no column 'bb'. Did you mean 'b'?"),
        (SMALL, ("--label-columns", "a,a"), "column 'a' is named for more than one purpose."),
        (
            SMALL,
            ("--label-columns", "a"),
            "all labels are of one annotator, 'a', so nothing tells right ones",
        ),
        (SMALL, (*AB, "--annotator-column", "id"), "excludes --annotator-column and --label-column"),
        (
            SMALL,
            (*AB, "--classes", "cat,bird"),
            "column 'a': 'dog' (row 1, counting from 0) is not one of the",
        ),
        (SMALL, (*AB, "--true-column", "ture"), "has no column 'ture'. Did you mean 'true'?"),
        (SMALL, (*AB, "--confidence", "95"), "confidence must lie between 0 and 1, as in 0.95; got 95.0."),
        (SMALL, (*AB, "--probs", "no.npy"), "there is no file of probabilities no.npy."),
        (
            SMALL.replace("2,dog", "1,dog"),
            (*AB, "--id-column", "id"),
            "names '1' twice (rows 0 and 1, counting",
        ),
        (
            "id,a,b\n1,cat,\n2,,dog\n",
            AB,
            "every sample has one label, so nothing tells right ones from wrong",
        ),
        ("id,a,b\n1,,\n2,,\n", AB, "the table holds no label by any annotator: every cell is empty."),
        (
            "a,b\n0,1\n1,-1\n0,0\n",
            AB,
            "-1 is among them, which often means 'no label'. Leave such cells empty",
        ),
        ("a,b\ncat,cat\ncat,cat\n", AB, "labels are of one class only, 'cat'"),
        (LONG, BY[2:], "a table with a row per label needs --id-column beside --annotator-column."),
        (LONG, BY[:2], "say where the labels are: --label-columns"),
        (LONG + "2,a,cat\n", BY, "annotator 'a' labels sample '2' twice (rows 2 and 4, counting from 0)."),
        (TOLD, (*BY, "--true-column", "true"), "gives sample '1' two true classes, cat and dog."),
        (LONG + "2,,cat\n", BY, "column 'who' names no annotator in row 4 (counting from 0)."),
    ],
)
def test_errors_say_what_to_mend(
    run: Run, tmp_path: Path, text: str, options: tuple[str, ...], message: str
) -> None:
    (tmp_path / "said.csv").write_text(text)
    result = run("combine", tmp_path / "said.csv", "--out", tmp_path / "out.csv", *options)
    assert result.exit_code == 2, result.output
    assert message in result.stderr
    assert [file.name for file in tmp_path.iterdir()] == ["said.csv"]


def test_probabilities_that_do_not_fit_and_files_that_are_there(run: Run, tmp_path: Path) -> None:
    said, out = tmp_path / "said.csv", tmp_path / "out.csv"
    said.write_text(SMALL)
    np.save(tmp_path / "p.npy", np.full((3, 4), 0.25))
    result = run("combine", said, "--out", out, *AB, "--probs", tmp_path / "p.npy")
    assert result.exit_code == 2
    assert "probs must have shape (3, 2), a row for each of the table's samples" in result.stderr
    assert "has (3, 4)" in result.stderr
    np.save(tmp_path / "p.npy", np.full((3, 2), 2.0))
    result = run("combine", said, "--out", out, *AB, "--probs", tmp_path / "p.npy")
    assert result.exit_code == 2
    assert (
        "p.npy have no names. Say which classes they are of, in their order, with --class-names"
        in result.stderr
    )
    more = ("--probs", tmp_path / "p.npy", "--classes", "cat,dog")
    result = run("combine", said, "--out", out, *AB, *more)
    assert result.exit_code == 2
    assert "probs must be probabilities, in 0..1 and rows summing to 1; row 0 is not." in result.stderr

    result = run("combine", said, "--out", said, *AB)
    assert result.exit_code == 2
    assert "is read here, so it cannot be written too" in result.stderr
    (tmp_path / "out.annotators.html").write_text("mine")
    result = run("combine", said, "--out", out, *AB)
    assert result.exit_code == 2
    assert (
        "out.annotators.html already; name another with --out, or write over a file with --force."
        in result.stderr
    )
    assert (tmp_path / "out.annotators.html").read_text() == "mine"
    assert run("combine", said, "--out", out, *AB, "--force").exit_code == 0
    assert (tmp_path / "out.annotators.html").read_text() != "mine"
    result = run("combine", said, "--out", tmp_path / "out.txt", *AB)
    assert result.exit_code == 2
    assert "out must be a file .csv; got" in result.stderr
