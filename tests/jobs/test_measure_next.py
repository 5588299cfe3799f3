"""What `measure --suggest` draws: by chance, more where labels are unsure, and with weights that hold."""

import csv
import json
import re

import numpy as np
import pytest

from noiselayer.errors import InputError
from noiselayer.jobs.measure import measure_table
from noiselayer.jobs.measure_options import MeasureJob

NAMES = np.array(["no", "yes"])


def labelled(folder, seed=0, N=3000):
    """Nearly all "no" are right, of "yes" six in ten; 120 were checked."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(2, size=N)
    said = np.where((truth == 0) & (generator.random(N) < 0.4), 1, truth)
    checked = generator.choice(N, 120, replace=False)
    with (folder / "said.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["id", "said", "human"])
        looked = set(checked.tolist())
        table.writerows([f"t{k}", NAMES[said[k]], NAMES[truth[k]] if k in looked else ""] for k in range(N))
    return truth, said, looked


def job(folder, **more):
    return MeasureJob(
        table=folder / "said.csv", label_column="said", checked_column="human", out=folder / "out", **more
    )


def test_the_draw_prefers_unsure_labels_and_its_weights_give_all_samples_back(tmp_path) -> None:
    truth, said, looked = labelled(tmp_path)
    measure_table(job(tmp_path, suggest=200))
    with (tmp_path / "out" / "next.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    new = [row for row in rows if not row["checked"]]
    assert len(new) == 200
    assert len(rows) == 320
    places = [int(row["id"][1:]) for row in new]
    assert not looked & set(places)
    assert np.mean([row["label"] == "yes" for row in new]) > (said == 1).mean() + 0.1
    assert sum(float(row["weight"]) for row in rows) == pytest.approx(len(truth), rel=0.01)
    for row, place in zip(new, places, strict=True):
        row["checked"] = NAMES[truth[place]]
    with (tmp_path / "filled.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    found = measure_table(
        MeasureJob(
            table=tmp_path / "said.csv",
            label_column="said",
            gold=tmp_path / "filled.csv",
            checked_column="checked",
            weight_column="weight",
            out=tmp_path / "again",
        )
    )
    accuracy = found.figures.accuracy
    assert accuracy.low < (truth == said).mean() < accuracy.high
    assert accuracy.high - accuracy.low < 0.09


def test_what_cannot_be_drawn_is_named_and_nothing_is_left(tmp_path) -> None:
    labelled(tmp_path)
    with pytest.raises(InputError, match="from 1 to the 2,880 samples that nobody has checked; got 2,881"):
        measure_table(job(tmp_path, suggest=2881))
    assert not (tmp_path / "out" / "measure.json").exists()
    text = (tmp_path / "said.csv").read_text()
    (tmp_path / "said.csv").write_text(text.replace("id,", "number,", 1))
    measure_table(job(tmp_path, suggest=5, id_column="number"))
    assert (tmp_path / "out" / "next.csv").read_text().startswith("number,label,checked,weight")
    (tmp_path / "said.csv").write_text(text.replace("t7,", "t8,", 1))
    with pytest.raises(InputError, match="'id' of .* says the same of 1 rows as of others"):
        measure_table(job(tmp_path, suggest=5, force=True, id_column="id"))
    with pytest.raises(InputError, match="cannot weigh on after"):
        measure_table(job(tmp_path, suggest=5, weight_column="w"))


def again(folder, **more):
    return MeasureJob(
        table=folder / "said.csv",
        label_column="said",
        gold=folder / "out" / "next.csv",
        checked_column="checked",
        weight_column="weight",
        out=folder / "again",
        **more,
    )


def test_rows_that_no_column_tells_apart_are_numbered(tmp_path) -> None:
    _, _, looked = labelled(tmp_path)
    lines = (tmp_path / "said.csv").read_text().splitlines()
    said = ["text,said,human", *(f"text {k % 7},{line.split(',', 1)[1]}" for k, line in enumerate(lines[1:]))]
    (tmp_path / "said.csv").write_text("\n".join(said))
    before = measure_table(job(tmp_path, suggest=20))
    with (tmp_path / "out" / "next.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["sample", "label", "checked", "weight", "text"]
    assert {int(row["sample"]) for row in rows if row["checked"]} == looked
    assert all(row["text"] == f"text {int(row['sample']) % 7}" for row in rows)
    found = measure_table(again(tmp_path)).figures
    assert found.num_checked == 120
    assert found.accuracy.value == pytest.approx(before.figures.accuracy.value, abs=0.02)
    (tmp_path / "said.csv").write_text("\n".join([said[0], *sorted(said[1:], key=lambda line: line[-7:])]))
    with pytest.raises(InputError, match=r"lists row \d+ with label '(yes|no)', where .* has '(yes|no)' now"):
        measure_table(again(tmp_path, force=True))


def test_names_and_labels_that_look_like_formulas_come_back(tmp_path) -> None:
    labelled(tmp_path)
    text = (tmp_path / "said.csv").read_text()
    text = text.replace("yes", "+yes").replace("no", "@no").replace("\nt", "\n@t")
    (tmp_path / "said.csv").write_text(text)
    measure_table(job(tmp_path, suggest=20))
    found = measure_table(again(tmp_path))
    assert found.class_names == ("+yes", "@no")
    assert found.figures.num_checked == 120


def test_decisions_of_the_page_are_the_table_filled_in(tmp_path) -> None:
    truth, said, _ = labelled(tmp_path, seed=1)
    with (tmp_path / "said.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows[::40]:
        row["said"] = "-1"  # no answer
    rows = [{**row, "text": f"<b>{row['id']}</b>"} for row in rows]
    with (tmp_path / "said.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    measure_table(job(tmp_path, suggest=150))
    page = (tmp_path / "out" / "next.html").read_text()
    assert "&lt;b&gt;t" in page
    state = json.loads(re.search(r'<script type="application/json" id="state">(.*?)</script>', page)[1])
    assert state["classNames"] == ["no", "yes"]
    silent = {sample for sample, _, given, *_ in state["suspects"] if given < 0}
    assert silent
    assert silent == {sample for sample, *_ in state["suspects"] if sample % 40 == 0}
    cards = re.findall(r'<li class="card".*?</li>', page, re.DOTALL)
    for card, (sample, *_) in zip(cards, state["suspects"], strict=True):
        assert ("no answer" in card) == (sample in silent)
        assert ("Keep" in card and "P(wrong)" in card) == (sample not in silent)
    assert "-1" not in "".join(re.sub(r"<[^>]*>", " ", card) for card in cards)
    named = [*state["classNames"], ""]  # the last is that of -1
    with (tmp_path / "out" / "next.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["id", "label", "checked", "weight", "text"]
    assert all(row["text"] == f"<b>{row['id']}</b>" for row in rows)
    place = {row["id"]: row for row in rows}
    decided = []
    for k, (sample, name, given, suggested, p, chance) in enumerate(state["suspects"]):
        assert name == f"t{sample}"
        assert chance == pytest.approx(1 / float(place[name]["weight"]))
        assert p is None if sample in silent else 0 <= p <= 1
        assert suggested < 2
        if k % 10 == 9:  # nobody knows
            decided.append((sample, name, named[given], "unsure", "", chance))
            continue
        new = NAMES[truth[sample]]
        place[name]["checked"] = new
        kind = "reject" if named[given] == new else "pick"
        decided.append((sample, name, named[given], kind, new, chance))
    header = ["sample", "id", "given_label", "decision", "new_label", "inclusion_probability"]
    for path, lines in (
        ("decisions.csv", [header, *decided]),
        ("filled.csv", [list(rows[0]), *[list(row.values()) for row in rows]]),
    ):
        with (tmp_path / path).open("w", newline="") as file:
            csv.writer(file).writerows(lines)

    def again(gold, out, **more):
        return measure_table(
            MeasureJob(
                table=tmp_path / "said.csv",
                label_column="said",
                gold=gold,
                checked_column="checked",
                weight_column="weight",
                out=tmp_path / out,
                **more,
            )
        ).figures

    reviewed = again(tmp_path / "out" / "next.csv", "one", reviewed=tmp_path / "decisions.csv")
    filled = again(tmp_path / "filled.csv", "two")
    assert "15 of 150 decisions name no class (unsure: 15)" in " ".join(reviewed.notes)
    assert reviewed.num_checked == filled.num_checked == 120 + 135
    assert reviewed.accuracy.value == pytest.approx(filled.accuracy.value, abs=0.01)
    right = np.where(np.arange(len(truth)) % 40 == 0, False, truth == said).mean()
    assert reviewed.accuracy.low < right < reviewed.accuracy.high
    assert reviewed.shares[1].low < (truth == 1).mean() < reviewed.shares[1].high
    with pytest.raises(
        InputError, match="decisions about the samples of next.csv: give that table with gold"
    ):
        measure_table(job(tmp_path, reviewed=tmp_path / "decisions.csv", force=True))
    text = (tmp_path / "decisions.csv").read_text()
    for said in ("-1", " "):  # "keep" of a sample without an answer
        k, (sample, name, *_) = next(
            (k, row) for k, row in enumerate(decided) if row[0] in silent and row[3] == "pick"
        )
        lines = text.splitlines()
        lines[1 + k] = f"{sample},{name},{said},reject,{said},0.5"
        (tmp_path / "decisions.csv").write_text("\n".join(lines))
        with pytest.raises(
            InputError, match=f"gives sample {sample} .* stands for no answer and is no class"
        ):
            again(tmp_path / "out" / "next.csv", "three", reviewed=tmp_path / "decisions.csv")
    other = next(k for k in range(len(truth)) if f"t{k}" not in place)
    (tmp_path / "decisions.csv").write_text(text.replace(f"\n{decided[0][0]},", f"\n{other},", 1))
    with pytest.raises(InputError, match=f"is about sample {other} .* Give the decisions that were exported"):
        again(tmp_path / "out" / "next.csv", "three", reviewed=tmp_path / "decisions.csv")
