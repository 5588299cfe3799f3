"""What `measure --suggest` draws: by chance, more where labels are unsure, and with weights that hold."""

import csv

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
    with pytest.raises(InputError, match="needs a column of .* that says which sample is which"):
        measure_table(job(tmp_path, suggest=5))
    measure_table(job(tmp_path, suggest=5, id_column="number"))
    assert (tmp_path / "out" / "next.csv").read_text().startswith("number,label,checked,weight")
    with pytest.raises(InputError, match="cannot weigh on after"):
        measure_table(job(tmp_path, suggest=5, weight_column="w"))
