"""The demonstration: handwritten digits, labels made wrong on purpose, and three ways to take them."""

from __future__ import annotations

from noiselayer.jobs.demo.digits import Demo, find_suspects, label_errors, really_wrong, run_demo
from noiselayer.jobs.demo.output import DemoFolder, save_demo

__all__ = [
    "Demo",
    "DemoFolder",
    "find_suspects",
    "label_errors",
    "really_wrong",
    "run_demo",
    "save_demo",
]
