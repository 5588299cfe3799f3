"""Write the tables of the documentation from the results, between their markers.

    python experiments/tables.py [--check]

``--check`` changes nothing and fails if a table is not what its results say.
"""

from __future__ import annotations

import json
import re
import sys
from functools import partial
from pathlib import Path
from typing import Any

from cells import RESULTS, new_parser
from many_classes import table as many_classes
from matrix_start import table as matrix_start
from no_harm import by_setting, summary

from noiselayer.paper import EXPERIMENTS
from noiselayer.paper.markdown import grouped, markdown, spread

ROOT = Path(__file__).parent.parent
PAGES = ("docs/evidence/choosing-defaults.md", "docs/gold-set.md", "experiments/README.md")
MARKED = re.compile(r"(<!-- (?:table|experiment): ([\w-]+) -->\n).*?(<!-- end -->)", re.DOTALL)

Rows = list[dict[str, Any]]


def rows_of(experiment: str) -> Rows:
    """The results of an experiment, a row per cell."""
    return [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((RESULTS / experiment).glob("*.json"))
    ]


def by_method(experiment: str) -> str:
    """A row per setting and method, over seeds."""
    lines = []
    for (setting, method), of_cell in grouped(
        rows_of(experiment), lambda row: (row["setting"], row["method"])
    ).items():
        columns = [("test_error", 1), ("noise_matrix_error", 3), ("mean_diagonal", 3)]
        figures = [spread([row[name] for row in of_cell], digits) for name, digits in columns]
        minutes = spread([row["seconds"] / 60 for row in of_cell], 1)
        lines.append([setting, method, *figures, minutes, str(len(of_cell))])
    header = ["setting", "method", "test error, %", "relative L1 error of Q", "mean diagonal of Q"]
    return markdown([*header, "minutes", "seeds"], lines)


def start_paths() -> str:
    """The path of penalties behind the start of a learned Q, first fold of every setting."""
    lines = [
        [
            *(row["setting"], f"{c['ridge']:g}", f"{c['trace_penalty']:g}", f"{c['held_out_loss']:.4f}"),
            *(f"{c['trace']:.3f}", f"{c['noise_matrix_error']:.3f}", "yes" if c["chosen"] else ""),
        ]
        for row in rows_of("defaults")
        if row["seed"] == 0 and row.get("start_paths")
        for c in row["start_paths"][0]
    ]
    header = ["setting", "ridge x N", "trace penalty", "held-out loss", "tr(Q) / K", "relative L1 error of Q"]
    return markdown([*header, "chosen"], lines)


def small_network_choices() -> str:
    """A row per cell, in the order in which one thing after another was changed."""
    order = ("default-rates", "higher-rates", "trained-waves", "chosen")
    rows = {row["cell"]: row for row in rows_of("small_network_choices")}
    lines = [
        [
            *(", ".join(map(str, row["widths"])), f"{row['learning_rate']:g}", f"{row['weight_decay']:g}"),
            *(row["stem"], f"{row['epochs']}", f"{row['validation_accuracy']:.1f}"),
        ]
        for row in (rows[cell] for cell in order if cell in rows)
    ]
    header = ["filters", "peak rate", "weight decay", "stem", "epochs", "right of the images held out, %"]
    return markdown(header, lines)


def small_network_labels() -> str:
    """A row per loss and rate."""
    names = {
        "rate-0.2": "Eq. 2",
        "rate-0.07": "Eq. 2",
        "posterior": "Eq. 2 and posteriors of a running mean",
        "elr": "Eq. 2 and early-learning regularisation",
    }
    rows = {row["cell"]: row for row in rows_of("small_network_labels")}
    lines = [
        [
            *(names[cell], f"{row['learning_rate']:g}", f"{row['given_labels_right']:.1f}"),
            *(f"{row['loss_through_matrix']:.3f}", f"{row['seconds']:.0f}"),
        ]
        for cell, row in ((cell, rows[cell]) for cell in names if cell in rows)
    ]
    header = ["loss", "peak rate", "given labels right, %", "their loss through Q", "CPU s"]
    return markdown(header, lines)


def written(name: str) -> str:
    """The table that an experiment writes itself."""
    return (RESULTS / f"{name}.md").read_text(encoding="utf-8")


def of_experiment(name: str) -> str:
    """What ``noiselayer reproduce`` has written."""
    path = RESULTS / f"{name}.md"
    return path.read_text(encoding="utf-8") if path.exists() else "Not run yet.\n"


TABLES = {
    "defaults": lambda: by_method("defaults"),
    "start-paths": start_paths,
    "small-data": partial(written, "small_data"),
    "small-images": partial(written, "small_images"),
    "joint-learning": partial(written, "joint_learning"),
    "no-harm": by_setting,
    "no-harm-summary": summary,
    "many-classes": many_classes,
    "matrix-start": matrix_start,
    "small-network-choices": small_network_choices,
    "small-network-labels": small_network_labels,
    **{name: partial(of_experiment, name) for name in EXPERIMENTS},
}


def filled(text: str) -> str:
    """The page with every table made anew."""
    return MARKED.sub(lambda match: f"{match[1]}{TABLES[match[2]]()}{match[3]}", text)


def main() -> None:
    """Write or check every page."""
    parser = new_parser(__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    for name in PAGES:
        page = ROOT / name
        if not page.exists():
            continue
        text = page.read_text(encoding="utf-8")
        if filled(text) == text:
            continue
        if check:
            sys.exit(f"{name} does not show its results; run: python experiments/tables.py")
        page.write_text(filled(text), encoding="utf-8")
        print(f"wrote {name}")


if __name__ == "__main__":
    main()
