"""Fig. 5b: Fig. 5a on CIFAR-10."""

from __future__ import annotations

from noiselayer.paper.experiment import Budget
from noiselayer.paper.fig5 import error_surface

EXPERIMENT = error_surface(
    "fig5b",
    title="Test error over numbers of right and wrong labels, CIFAR-10",
    paper="CIFAR-10: the network with a noise layer is more robust, most of all at high noise and with many samples.",
    grids={
        "small": ("digits", (600,), (0, 600)),
        "reduced": ("cifar10", (2_000, 6_000), (0, 6_000)),
        "paper": ("cifar10", (10_000, 20_000, 30_000, 40_000), (0, 5_000, 10_000)),
    },
    reduced=Budget(epochs=12, warm_up_epochs=6, steps=800),
    full=Budget(epochs=120, warm_up_epochs=50),
)
