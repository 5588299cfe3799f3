"""Runs: a folder with a trained classifier, its noise matrix, and all that is needed to use it again."""

from __future__ import annotations

from noiselayer.data.reading import Reading
from noiselayer.files.records import read_json, whole_file, write_json, write_rows
from noiselayer.runs.prepare import prepare_run
from noiselayer.runs.train import PreparedRun
from noiselayer.storage.environment import describe_hardware, evaluation_device, versions
from noiselayer.storage.loaded_run import LoadedRun, load
from noiselayer.storage.matrix_file import read_noise_matrix, write_noise_matrix
from noiselayer.storage.predictions import Predictions
from noiselayer.storage.run_folder import RunFolder
from noiselayer.storage.saved_run import noise_floor

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
