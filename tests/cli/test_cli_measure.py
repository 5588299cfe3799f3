"""``noiselayer measure``: one table or two, groups, abstentions, spellings, and what is refused."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def frame() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    truth = generator.choice(["cat", "dog", "owl"], 600, p=[0.5, 0.3, 0.2])
    said = np.where(generator.random(600) < 0.3, "cat", truth).astype(object)
    said[generator.random(600) < 0.1] = "-1"
    frame = pd.DataFrame({"id": [f"s{i}" for i in range(600)], "llm": said, "truth": truth})
    frame["month"] = np.where(np.arange(600) < 300, "May", "June")
    frame["sure"] = np.where(frame["llm"] == truth, 0.9, 0.4)
    frame["human"] = frame["truth"].where(generator.random(600) < 0.25)
    return frame


def test_a_column_of_the_same_table(run: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.drop(columns="truth").to_csv(tmp_path / "said.csv", index=False)
    done = run(
        *("measure", tmp_path / "said.csv", "--label-column", "llm", "--checked-column", "human"),
        *("--group-column", "month", "--out", tmp_path / "m"),
    )
    assert done.exit_code == 0, done.stderr
    assert {path.name for path in (tmp_path / "m").iterdir()} == {
        "measure.json",
        "measure.csv",
        "measure.html",
    }
    page = (tmp_path / "m" / "measure.html").read_text(encoding="utf-8")
    regions = re.findall(r'<div class="scroll"([^>]*)>', page)  # a keyboard scrolls what has the focus
    assert len(regions) == 2
    assert all('tabindex="0" role="region" aria-labelledby="' in one for one in regions)
    rows = pd.read_csv(tmp_path / "m" / "measure.csv")
    share = rows[(rows["figure"] == "share") & rows["group"].isna()].set_index("class")
    for name in ("cat", "dog", "owl"):
        assert share.loc[name, "low"] <= (frame["truth"] == name).mean() <= share.loc[name, "high"]
    accuracy = rows[(rows["figure"] == "accuracy") & rows["group"].isna()].iloc[0]
    assert accuracy["low"] <= (frame["llm"] == frame["truth"]).mean() <= accuracy["high"]
    assert set(rows["group"].dropna()) == {"May", "June"}
    content = json.loads((tmp_path / "m" / "measure.json").read_text())
    assert content["figures"]["num_checked"] == frame["human"].notna().sum()
    assert len(content["figures"]["noise_matrix"]) == 4  # three classes, and no answer
    answered = frame["llm"][frame["llm"] != "-1"].value_counts(normalize=True)
    assert content["figures"]["label_shares"] == pytest.approx(list(answered[["cat", "dog", "owl"]]))
    assert "left out of what the labels alone say" in " ".join(done.stderr.split())


def test_a_table_of_their_own_and_every_format_give_the_same(
    run: Any, frame: pd.DataFrame, tmp_path: Path
) -> None:
    gold = frame[frame["human"].notna()][["id", "truth"]].sample(frac=1, random_state=0)
    found = []
    for ending, write in (("csv", "to_csv"), ("parquet", "to_parquet")):
        getattr(frame[["id", "llm"]], write)(tmp_path / f"said.{ending}", index=False)
        getattr(gold, write)(tmp_path / f"gold.{ending}", index=False)
        out = tmp_path / f"m-{ending}"
        done = run(
            *("measure", tmp_path / f"said.{ending}", "--label-column", "llm"),
            *("--gold", tmp_path / f"gold.{ending}", "--checked-column", "truth", "--out", out),
        )
        assert done.exit_code == 0, done.stderr
        found.append(json.loads((out / "measure.json").read_text()))
    assert found[0] == found[1]
    assert found[0]["class_names"] == ["cat", "dog", "owl"]


def test_another_spelling_of_a_class_is_taken_for_it_and_said(
    run: Any, frame: pd.DataFrame, tmp_path: Path
) -> None:
    frame.assign(llm=frame["llm"].str.upper()).to_csv(tmp_path / "said.csv", index=False)
    done = run(
        *("measure", tmp_path / "said.csv", "--label-column", "llm", "--checked-column", "human"),
        *("--confidence-column", "sure", "--out", tmp_path / "m"),
    )
    assert done.exit_code == 0, done.stderr
    assert "'CAT' was taken for 'cat'" in done.stderr


def test_words_for_no_answer_that_no_checked_label_is(run: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    def shares(name: str, table: pd.DataFrame, *options: Any) -> tuple[dict[str, Any], str]:
        table.to_csv(tmp_path / "said.csv", index=False)
        named = ("--label-column", "llm", "--checked-column", "human", *options)
        done = run("measure", tmp_path / "said.csv", *named, "--out", tmp_path / name)
        assert done.exit_code == 0, done.stderr
        return json.loads((tmp_path / name / "measure.json").read_text()), " ".join(done.stderr.split())

    plain, _ = shares("a", frame)
    unsure = frame.assign(llm=frame["llm"].replace("-1", "Unknown"), human=frame["human"].fillna("?"))
    found, said = shares("b", unsure)
    assert (found["class_names"], found["figures"]["shares"]) == (
        plain["class_names"],
        plain["figures"]["shares"],
    )
    assert "'Unknown' stands for no answer" in said
    named, said = shares("c", unsure, "--class-names", "cat,dog,owl,Unknown")
    assert len(named["class_names"]) == 4
    assert "stands for no answer" not in said


def test_people_it_may_stand_in_for(run: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    for name in ("ann", "bob"):
        guess = generator.choice(["cat", "dog", "owl"], 600)
        frame[name] = np.where(generator.random(600) < 0.3, guess, frame["truth"])
    frame.drop(columns="truth").to_csv(tmp_path / "said.csv", index=False)
    words = ("--label-column", "llm", "--checked-column", "human", "--out", tmp_path / "m")
    done = run("measure", tmp_path / "said.csv", *words, "--people", "ann,bob", "--epsilon", "0.2")
    assert done.exit_code == 0, done.stderr
    assert "may stand in for people: compared with 2 of 2" in " ".join(done.stderr.split())
    content = json.loads((tmp_path / "m" / "measure.json").read_text())
    assert [duel["num_samples"] for duel in content["stand_in"]["duels"]] == [600, 600]
    page = (tmp_path / "m" / "measure.html").read_text()
    assert "May it stand in for people?" in page
    assert ">bob<" in page
    done = run("measure", tmp_path / "said.csv", *words, "--people", "ann", "--force")
    assert done.exit_code == 2
    assert "--people must hold the labels of two or more, a column each; got 1" in " ".join(
        done.stderr.split()
    )


@pytest.mark.parametrize(
    ("change", "words", "message"),
    [
        ({}, (), "give the checked labels: --gold"),
        ({}, ("--checked-column", "humna"), "Did you mean 'human'"),
        ({"human": None}, ("--checked-column", "human"), "at least 10 checked labels"),
        ({"sure": 87}, ("--checked-column", "human", "--confidence-column", "sure"), "between 0 and 1"),
        ({}, ("--gold", "GOLD", "--checked-column", "truth"), "are not in"),
        (
            {"id": [f"s{k // 2}" for k in range(600)]},
            ("--gold", "GOLD", "--checked-column", "truth"),
            "20 of the checked samples stand in",
        ),
    ],
)
def test_refusals(
    run: Any, frame: pd.DataFrame, tmp_path: Path, change: Any, words: Any, message: str
) -> None:
    gold = frame[["id", "truth"]].head(20)
    (gold if "id" in change else gold.assign(id=gold["id"] + "?")).to_csv(tmp_path / "gold.csv", index=False)
    frame.assign(**change).to_csv(tmp_path / "said.csv", index=False)
    words = [str(tmp_path / "gold.csv") if word == "GOLD" else word for word in words]
    done = run("measure", tmp_path / "said.csv", "--label-column", "llm", *words, "--out", tmp_path / "m")
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert not (tmp_path / "m").exists()


def test_plus_and_minus_are_two_classes(run: Any, frame: pd.DataFrame, tmp_path: Path) -> None:
    frame[["llm", "human"]] = frame[["llm", "human"]].replace({"cat": "+", "dog": "-", "owl": "-"})
    frame.drop(columns="truth").to_csv(tmp_path / "said.csv", index=False)
    words = ("measure", tmp_path / "said.csv", "--label-column", "llm", "--checked-column", "human")
    done = run(*words, "--out", tmp_path / "m")
    assert done.exit_code == 0, done.stderr
    content = json.loads((tmp_path / "m" / "measure.json").read_text())
    assert content["class_names"] == ["+", "-"]
    assert content["figures"]["num_checked"] == frame["human"].notna().sum()
    frame.loc[5:, "human"] = None
    frame.drop(columns="truth").to_csv(tmp_path / "said.csv", index=False)
    done = run(*words, "--out", tmp_path / "few")
    assert "--checked-column must hold at least 10 checked labels" in " ".join(done.stderr.split())
