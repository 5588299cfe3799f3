"""The folder that the demonstration leaves."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import torch

from noiselayer.checks import noise_floor
from noiselayer.data.reading import Reading
from noiselayer.errors import InputError, argument, list_some
from noiselayer.files.given import content_of
from noiselayer.files.whole_file import read_json, whole_file, write_json, write_rows
from noiselayer.jobs.demo.digits import LIMIT, RATE, Demo, find_suspects, label_errors, really_wrong
from noiselayer.report.content import ClassErrors, ReportContent, Suspect
from noiselayer.report.find_suspects import in_double
from noiselayer.report.from_run import content_of_data
from noiselayer.report.matrix_drawing import save_noise_matrices
from noiselayer.report.page import save_report
from noiselayer.report.stages import losses_of
from noiselayer.storage.environment import versions
from noiselayer.storage.review.decisions import review_command

MARK = "noiselayer demo"
_NAMES = [str(digit) for digit in range(10)]


class DemoFolder:
    """A folder that the demonstration may write into: a new one, an empty one, or one of its own.

    It is made at once, so that nobody waits for the training before learning that it cannot be.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        content = content_of(self.path)
        if content and not self._is_a_demo():
            raise InputError(
                f"the output folder {self.path} is in use (it holds {list_some(content, 4)}) and no earlier "
                f"demo has made it. Name another with {argument('out')}."
            )
        self._is_new = not self.path.exists()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot make the output folder {self.path}: {error.strerror}.") from error

    def _is_a_demo(self) -> bool:
        with suppress(InputError):
            return read_json(self.path / "metrics.json").get("made_by") == MARK
        return False

    def remove_if_empty(self) -> None:
        """After a failure, leave no empty folder that was not there before."""
        if self._is_new and self.path.is_dir() and not any(self.path.iterdir()):
            self.path.rmdir()


def save_demo(folder: DemoFolder, demo: Demo) -> list[Suspect]:
    """Write what the demonstration found; files of an earlier one are replaced, each at once.

    =================  ======================================================================================
    metrics.json       test errors in percent, distances of the matrices, seconds
    noise_matrix.png   the learned noise matrix beside the true one
    suspects.csv       the labels most surely wrong
    suspects.html      the report: what happened, the noise matrix, and these labels to review
    digits.npz         the training images with their noisy labels, which a review can be applied to
    =================  ======================================================================================
    """
    suspects = find_suspects(demo)
    # First: with it in place the folder is known as the demo's own, whatever stops the rest.
    write_json(folder.path / "metrics.json", _metrics(demo, suspects))
    with whole_file(folder.path / "noise_matrix.png") as beside:
        save_noise_matrices(
            beside, {"learned from noisy labels alone": demo.learned_matrix, "true": demo.true_matrix}, _NAMES
        )
    write_rows(
        folder.path / "suspects.csv",
        ["sample", "given_label", "suggested_label", "probability_wrong", "true_label"],
        [
            [
                int(demo.samples[s.sample]),
                s.given,
                s.suggested,
                f"{s.probability:.6f}",
                int(demo.true_labels[s.sample]),
            ]
            for s in suspects
        ],
    )
    pictures = (255 - demo.images * (255 / 16)).round().to(torch.uint8)  # ink of 0..16; white paper is 255
    with whole_file(folder.path / "digits.npz") as beside:
        np.savez(beside, images=pictures.numpy(), labels=demo.noisy_labels.numpy())
    save_report(folder.path / "suspects.html", content_from_demo(demo, folder.path / "digits.npz"))
    return suspects


def content_from_demo(demo: Demo, data_file: Path) -> ReportContent:
    """What the report of the demonstration says; here the truth is known, so it says that too."""
    reading = Reading(str(data_file), labels="labels")
    of_data = content_of_data(
        reading.read(), demo.learned_logits, demo.learned_matrix, reading, limit=LIMIT, least=-1
    )
    suspects, errors, found = of_data["suspects"], of_data["errors"], label_errors(demo)
    matrix = in_double(demo.learned_matrix)
    shares = demo.learned_logits.double().softmax(dim=1).mean(dim=0)
    of_data["suspects_note"] = (
        f"The {len(suspects)} labels most surely wrong, by the image, its label and the learned noise matrix; "
        f"surest first. Since the truth is known here: {really_wrong(demo, suspects)} of these {len(suspects)} are "
        "really wrong."
    )
    return ReportContent(
        title="Handwritten digits with wrong labels",
        facts=[
            f"A classifier was trained on {len(demo.noisy_labels):,} images of handwritten digits. In this "
            f"demonstration {100 * demo.wrong_share:.0f} % of their labels had been made wrong on purpose: 0 called 1, "
            "1 called 2, and so on.",
            "It was not told. It learned the noise matrix below from the wrong labels alone.",
            f"On {demo.test_samples} digits with true labels it then errs in {demo.test_error['learned']:.1f} % of the "
            f"cases; trained as usual it would in {demo.test_error['normal']:.1f} %, and with the true noise matrix in "
            f"{demo.test_error['known']:.1f} %.",
        ],
        class_names=_NAMES,
        figures=[
            ("labels", f"{len(demo.noisy_labels):,}"),
            ("called wrong", f"{found['flagged']:,}"),
            ("of these really wrong", f"{found['flagged_and_wrong']:,}"),
            ("wrong in all", f"{found['wrong']:,}"),
        ],
        noise_matrix=matrix.numpy(),
        stages=[losses_of(stage) for stage in demo.learned_stages if stage.curves],
        noise_floor=noise_floor(matrix, shares / shares.sum()),
        total=ClassErrors(
            "all", len(demo.noisy_labels), sum(one.expected for one in errors), flagged=found["flagged"]
        ),
        apply_command=review_command(reading),
        details=[
            ("Data", "scikit-learn's digits, 8 x 8 pixels"),
            ("Method", "learned"),
            ("Seed", str(demo.seed)),
            ("Versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
        ],
        **of_data,
    )


def _metrics(demo: Demo, suspects: list[Suspect]) -> dict[str, Any]:
    return {
        "test_error": demo.test_error,
        "noise_matrix_l1": demo.noise_matrix_l1(),
        "seconds": demo.seconds,
        "units": {
            "test_error": "percent of the test samples predicted wrong",
            "noise_matrix_l1": "sum of absolute differences of a column to the true one, mean over columns",
        },
        "suspects": {
            "listed": len(suspects),
            "really_wrong": really_wrong(demo, suspects),
            "suggestion_right": sum(s.suggested == int(demo.true_labels[s.sample]) for s in suspects),
        },
        "label_errors": label_errors(demo),
        "data": {
            "train_samples": len(demo.noisy_labels),
            "test_samples": demo.test_samples,
            "noise": f"pair_flip(10, {RATE})",
            "wrong_labels": 100 * demo.wrong_share,
        },
        "seed": demo.seed,
        "versions": versions(),
        "made_by": MARK,
    }
