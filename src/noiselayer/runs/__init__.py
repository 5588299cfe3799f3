"""Runs: a folder with a trained classifier, its noise matrix, and all that is needed to use it again."""

from __future__ import annotations

from noiselayer.data.reading import Reading
from noiselayer.runs.environment import describe_hardware, evaluation_device, versions
from noiselayer.runs.files import read_json, whole_file, write_json, write_rows
from noiselayer.runs.folder import RunFolder
from noiselayer.runs.loaded import LoadedRun, load
from noiselayer.runs.matrix_file import read_noise_matrix, write_noise_matrix
from noiselayer.runs.predictions import Predictions
from noiselayer.runs.prepare import prepare_run
from noiselayer.runs.saved import noise_floor
from noiselayer.runs.train import PreparedRun

__all__ = [
    "LoadedRun",
    "Predictions",
    "PreparedRun",
    "Reading",
    "RunFolder",
    "describe_hardware",
    "evaluation_device",
    "load",
    "noise_floor",
    "prepare_run",
    "read_json",
    "read_noise_matrix",
    "versions",
    "whole_file",
    "write_json",
    "write_noise_matrix",
    "write_rows",
]
