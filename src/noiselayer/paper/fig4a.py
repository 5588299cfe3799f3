"""Fig. 4a: test error against the number of training samples, half of the labels wrong."""

from __future__ import annotations

from noiselayer.paper.fig4 import error_curve

EXPERIMENT = error_curve(
    "fig4a",
    title="Test error against training size, 50 % of the labels wrong",
    paper="SVHN: the network with a learned Q is always better than the one without, and as good as with the true Q; "
    "top-down does not work for any alpha.",
    methods=("normal", "learned", "true", "top-down"),
    grids={
        "small": ("digits", (400, 1300), (0.5,)),
        "reduced": ("fashion-mnist", (1_000, 3_000, 10_000), (0.5,)),
        "paper": ("svhn", (30_000, 100_000, 300_000, 600_000), (0.5,)),
    },
    x=lambda row: row["training_samples"],
    heading="training samples",
    show="{:,}".format,
    xlabel="Training samples",
    logarithmic=True,
)
