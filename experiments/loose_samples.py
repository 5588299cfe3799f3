"""Fig. 6: samples of the loosely labelled extra set, a row for each label.

    python experiments/loose_samples.py --data DIR

The set is Table 2's, built from other small photographs as a search engine would have found them
(docs/datasets.md says how): the paper's own, of the Tiny Images, was withdrawn. DIR holds what Table 2 needs. Ten
images of each label are drawn at random with seed 0, and none is chosen; a frame says what an image shows: green the
category of its label, orange another of the ten, red none of them.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cells import RESULTS, add_data, new_parser
from matplotlib.figure import Figure

from noiselayer.paper.data_folder import DataFolder
from noiselayer.paper.datasets import LooseSet
from noiselayer.paper.deliberate import draw
from noiselayer.paper.extras import loose_extra
from noiselayer.paper.table2 import GRIDS

SHOWN = 10
RIGHT, OTHER, NONE = "#009E73", "#E69F00", "#D55E00"


def frame(label: int, shown: int) -> str:
    """The colour of an image by its label and what it shows, -1 for none of the categories."""
    return NONE if shown < 0 else RIGHT if shown == label else OTHER


def picture(loose: LooseSet, seed: int = 0) -> Figure:
    """A row of random images for each label."""
    rng, names = np.random.default_rng(seed), loose.class_names
    figure = Figure(figsize=(7.2, 0.72 * len(names)), layout="constrained")
    rows = figure.subplots(len(names), SHOWN)
    for label, row in enumerate(rows):
        of_label = np.flatnonzero(loose.labels == label)
        for axes, k in zip(row, rng.choice(of_label, SHOWN, replace=False), strict=True):
            axes.imshow(loose.images[k])
            axes.set(xticks=[], yticks=[])
            axes.spines[:].set(color=frame(label, loose.true_labels[k]), linewidth=3)
        row[0].set_ylabel(names[label], rotation=0, ha="right", va="center", fontsize="small")
    return figure


def main() -> None:
    """Draw it into the results."""
    parser = new_parser(__doc__)
    add_data(parser)
    data = DataFolder(Path(parser.parse_args().data))
    dataset, num_clean, num_extra = GRIDS["reduced"]
    images = data.images(dataset)
    _, chosen, _ = draw(images, num_clean, 0)
    picture(loose_extra(data, images, size=num_extra, seed=0, apart_from=chosen)).savefig(
        RESULTS / "fig6.png", dpi=110
    )


if __name__ == "__main__":
    main()
