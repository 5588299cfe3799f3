"""The demonstration: handwritten digits, labels made wrong on purpose, and three ways to take them."""

from __future__ import annotations

from noiselayer.jobs.demo.digits import METHODS, Demo, run_demo
from noiselayer.jobs.demo.output import DemoFolder, save_demo
from noiselayer.jobs.demo.suspects import Suspect, find_suspects, label_errors

__all__ = [
    "METHODS",
    "Demo",
    "DemoFolder",
    "Suspect",
    "find_suspects",
    "label_errors",
    "run_demo",
    "save_demo",
]
