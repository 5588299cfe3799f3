"""The audit of probabilities that a strong model gives, beside cleanlab and disagreement with the prediction.

    python benchmarks/audit/strong_models.py --probs DIR --cleanlab-python VENV/bin/python [--out benchmarks/results]

DIR holds ``SET_MODEL.npz`` with ``probs``, ``noisy_labels`` and ``true_labels``. Where a set has two models, each is
the other's second look. 100 and 300 labels are checked 500 times at random and as suggested. The true labels are read
for the figures and the checks alone. ``--repetitions 0`` leaves the checks out. ``more_sets.py`` makes other sets.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from compare import ask_cleanlab, cleanlab_of, ece, f1
from sklearn.metrics import average_precision_score

from noiselayer import audit_labels
from noiselayer.audit import count_with_checks, suggest_checks
from noiselayer.files.whole_file import whole_file, write_json
from noiselayer.storage.environment import versions


def figures(audit: Any, wrong: np.ndarray) -> dict[str, Any]:
    """What an audit says, beside the truth."""
    count, e = audit.wrong, audit.error_probability.astype(float)
    return {
        "f1": f1(audit.is_error, wrong),
        "ap": float(average_precision_score(wrong, -audit.rank)),
        "count": count.total,
        "interval": [count.total_low, count.total_high],
        "ends": [float(count.sample_end.sum()), float(count.label_end.sum())],
        "settled": count.settled,
        "ece": ece(e, wrong),
        "model_accuracy": audit.model_accuracy,
    }


def ask_ppi(
    e: np.ndarray, wrong: np.ndarray, draws: np.ndarray, weights: np.ndarray, python: str
) -> np.ndarray:
    """What ``ppi_side.py`` finds, one row per draw: the number of wrong labels, and both ends of its interval."""
    with tempfile.TemporaryDirectory() as folder:
        given, out = Path(folder) / "in.npz", Path(folder) / "out.npz"
        np.savez(given, e=e, wrong=wrong, draws=draws, weights=weights)
        subprocess.run([python, str(Path(__file__).parent / "ppi_side.py"), str(given), str(out)], check=True)
        with np.load(out) as found:
            return np.stack([(found["low"] + found["high"]) / 2, found["low"], found["high"]], axis=1)


def quality(found: np.ndarray, wrong: int) -> dict[str, float]:
    """Of totals and both ends, one row per draw; ``width_95`` is the width that would have covered 95 %."""
    total, low, high = found.T
    off = np.where(
        total < wrong, (wrong - total) / (high - total + 1e-9), (total - wrong) / (total - low + 1e-9)
    )
    width = float((high - low).mean())
    return {
        "coverage": float(((low <= wrong) & (wrong <= high)).mean()),
        "width": width,
        "width_95": width * float(np.quantile(off, 0.95)),
    }


def checks_of(audit: Any, truth: np.ndarray, repetitions: int, ppi_python: str | None) -> dict[str, Any]:
    """How often the interval of checked labels covers, and how wide it is, beside ppi-python's of the same draws."""
    wrong, found = audit.labels != truth, {}
    generator, e = np.random.default_rng(0), audit.error_probability.astype(float)
    for number in (100, 300):
        for drawn in ("random", "suggested"):
            ours, draws, weights = [], [], []
            for seed in range(repetitions):
                chances = None
                if drawn == "random":
                    samples = generator.choice(len(truth), number, replace=False)
                else:
                    checks = suggest_checks(audit, number, seed=seed)
                    samples, chances = checks.samples.numpy(), checks.inclusion_probability.numpy()
                one = count_with_checks(audit, samples, truth[samples], inclusion_probability=chances)
                ours.append((one.total, one.low, one.high))
                draws.append(samples)
                weights.append(np.ones(number) if chances is None else 1 / chances)
            found[f"{number} {drawn}"] = quality(np.array(ours), int(wrong.sum()))
            if ppi_python is not None:
                theirs = ask_ppi(e, wrong, np.array(draws), np.array(weights), ppi_python)
                found[f"{number} {drawn}, ppi-python"] = quality(theirs, int(wrong.sum()))
    return found


def measured(
    sets: dict[str, Any], name: str, theirs: dict[str, np.ndarray], args: argparse.Namespace
) -> dict[str, Any]:
    """Everything of one set."""
    probs, labels, truth = sets[name]
    wrong = labels != truth
    family = name.rpartition("_")[0]
    others = [one for one in sets if one != name and one.rpartition("_")[0] == family]
    audit = audit_labels(labels, probs, probs_predict="given", check_model=False)
    row = {
        "samples": len(labels),
        "wrong": int(wrong.sum()),
        "accuracy": float((probs.argmax(axis=1) == truth).mean()),
        "argmax_f1": f1(probs.argmax(axis=1) != labels, wrong),
        "own": float(average_precision_score(wrong, -probs[np.arange(len(labels)), labels])),
        "noiselayer": figures(audit, wrong),
        "cleanlab": cleanlab_of(theirs, wrong),
    }
    if others:
        second = audit_labels(
            labels, probs, probs_predict="given", second_probs=sets[others[0]][0], check_model=False
        )
        row["second_look"] = figures(second, wrong)
    if args.repetitions:
        row["checks"] = checks_of(audit, truth, args.repetitions, args.ppi_python)
    return row


def in_a_table(rows: dict[str, Any]) -> list[str]:
    """As Markdown."""
    lines = [
        "| set | model right | wrong | F1 | cleanlab's default | argmax differs | AP | cleanlab's best | expected "
        "(interval) | calibration error | with a second look: F1, expected (interval), calibration error |",
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        one, two = row["noiselayer"], row.get("second_look")
        second = ""
        if two is not None:
            low, high = two["interval"]
            second = f"{two['f1']:.3f}, {two['count']:,.0f} ({low:,.0f} to {high:,.0f}), {two['ece']:.3f}"
        low, high = one["interval"]
        lines.append(
            f"| {name} | {row['accuracy']:.1%} | {row['wrong']:,} | {one['f1']:.3f} | {row['cleanlab']['f1']:.3f} "
            f"| {row['argmax_f1']:.3f} | {one['ap']:.3f} | {row['cleanlab']['ap']:.3f} | {one['count']:,.0f} "
            f"({low:,.0f} to {high:,.0f}) | {one['ece']:.3f} | {second} |"
        )
    checked = {name: row["checks"] for name, row in rows.items() if "checks" in row}
    if checked:
        kinds = list(next(iter(checked.values())))
        lines += [
            "",
            "Checked labels: coverage of the 95 % interval, its mean width (scaled so that 95 % cover).",
            "",
        ]
        lines += [f"| set | {' | '.join(kinds)} |", f"|---|{'---|' * len(kinds)}"]
        for name, found in checked.items():
            cells = " | ".join(
                f"{one['coverage']:.1%}, {one['width']:,.0f} ({one['width_95']:,.0f})"
                for one in found.values()
            )
            lines.append(f"| {name} | {cells} |")
    return lines


def main() -> None:
    """One row per set."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--probs", type=Path, required=True)
    parser.add_argument("--cleanlab-python", required=True)
    parser.add_argument("--repetitions", type=int, default=500)
    parser.add_argument(
        "--ppi-python", help="of an environment with ppi-python, for its intervals of the same checks"
    )
    parser.add_argument("--most", type=int, help="labels of a set, at random; all if left out")
    parser.add_argument("--go-on", action="store_true", help="keep the sets that the results hold")
    parser.add_argument("--name", default="audit_strong", help="of the results' files")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent.parent / "results")
    args = parser.parse_args()
    torch.set_num_threads(1)
    sets = {}
    titles = {"audit_strong": "Strong models", "audit_checked": f"Checked labels, {args.most} of each set"}
    for path in sorted(args.probs.glob("*.npz")):
        with np.load(path) as file:
            some = np.random.default_rng(2).permutation(len(file["noisy_labels"]))[: args.most]
            some = some if args.most else np.sort(some)
            probs = file["probs"].astype(np.float64)[some]
            sets[path.stem] = (
                probs / probs.sum(axis=1, keepdims=True),  # stored in half precision
                file["noisy_labels"].astype(np.int64)[some],
                file["true_labels"].astype(np.int64)[some],
            )
    args.out.mkdir(parents=True, exist_ok=True)
    stored = args.out / f"{args.name}.json"
    rows = json.loads(stored.read_text())["sets"] if args.go_on and stored.exists() else {}
    todo = [name for name in sets if name not in rows]
    theirs = (
        ask_cleanlab({name: (sets[name][1], sets[name][0]) for name in todo}, args.cleanlab_python)
        if todo
        else {}
    )
    for name in todo:
        rows[name] = measured(sets, name, theirs[name], args)
        print(name, rows[name], flush=True)
        write_json(stored, {"versions": {**versions(), "cleanlab": "2.9.0"}, "sets": rows})
    title = titles.get(args.name, "Sets that the rules were not set with")
    lines = [f"# {title}", "", "`python benchmarks/audit/strong_models.py`", "", *in_a_table(rows), ""]
    with whole_file(args.out / f"{args.name}.md") as beside:
        beside.write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
