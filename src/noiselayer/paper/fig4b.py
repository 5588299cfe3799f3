"""Fig. 4b: test error against the share of wrong labels, at a fixed number of training samples."""

from __future__ import annotations

from noiselayer.paper.fig4 import error_curve

EXPERIMENT = error_curve(
    "fig4b",
    title="Test error against the share of wrong labels",
    paper="SVHN, 100k samples: the network with a learned Q is always better than the one without, and as good as "
    "with the true Q.",
    methods=("normal", "learned", "true"),
    grids={
        "small": ("digits", (1_300,), (0.3, 0.6)),
        "reduced": ("fashion-mnist", (5_000,), (0.1, 0.3, 0.5, 0.7)),
        "paper": ("svhn", (100_000,), (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)),
    },
    x=lambda row: 100 * row["settings"]["rate"],
    heading="wrong labels",
    show="{:.0f} %".format,
    xlabel="Wrong labels, %",
)
