"""Fig. 5a: test error over numbers of right and of wrong labels, without and with a learned noise matrix."""

from __future__ import annotations

from noiselayer.paper.experiment import Budget
from noiselayer.paper.fig5 import error_surface

EXPERIMENT = error_surface(
    "fig5a",
    title="Test error over numbers of right and wrong labels",
    paper="SVHN: the normal network on 50k right and 40k wrong labels is as good as on 10k right ones; with a noise "
    "layer 30k right and 50k wrong suffice for that.",
    grids={
        "small": ("digits", (600,), (0, 600)),
        "reduced": ("fashion-mnist", (1_000, 5_000), (0, 5_000)),
        "paper": (
            "svhn",
            (10_000, 20_000, 30_000, 40_000, 50_000),
            (0, 10_000, 20_000, 30_000, 40_000, 50_000),
        ),
    },
    reduced=Budget(epochs=12, warm_up_epochs=6, steps=700),
    full=Budget(epochs=20, warm_up_epochs=10),
)
