"""What the report of the demonstration says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from noiselayer.checks import noise_floor
from noiselayer.data.reading import Reading
from noiselayer.jobs.demo.digits import Demo
from noiselayer.jobs.demo.suspects import Suspect, label_errors
from noiselayer.noise.posterior import label_error_probability
from noiselayer.report import ClassErrors, ReportContent, StageLosses
from noiselayer.report import Suspect as Shown
from noiselayer.report.stages import stage_losses
from noiselayer.report.thumbnails import image_uri
from noiselayer.storage.environment import versions
from noiselayer.storage.review import review_command
from noiselayer.training import StageResult

__all__ = ["content_from_demo"]

_NAMES = [str(digit) for digit in range(10)]


def content_from_demo(demo: Demo, suspects: Sequence[Suspect], *, apply_to: str) -> ReportContent:
    """What the report of the demonstration says; here the truth is known, so it says that too.

    Args:
        demo: What was found.
        suspects: The labels to review, surest first.
        apply_to: The file with the images and labels, which a review can be applied to.
    """
    K = len(_NAMES)
    matrix = demo.learned_matrix.double()
    matrix = matrix / matrix.sum(dim=0)
    wrong = label_error_probability(demo.learned_logits.double(), demo.noisy_labels, matrix)
    really = demo.noisy_labels != demo.true_labels
    counts = demo.noisy_labels.bincount(minlength=K)
    expected = torch.zeros(K, dtype=torch.float64).index_add_(0, demo.noisy_labels, wrong)
    flagged = (wrong > 0.5).long()
    called = torch.zeros(K, dtype=torch.int64).index_add_(0, demo.noisy_labels, flagged)
    found = label_errors(demo)
    shares = demo.learned_logits.double().softmax(dim=1).mean(dim=0)
    right = sum(s.given_label != s.true_label for s in suspects)
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
        stages=[_losses(stage) for stage in demo.learned_stages if stage.curves],
        noise_floor=noise_floor(matrix, shares / shares.sum()),
        total=ClassErrors("all", len(really), float(wrong.sum()), flagged=int(flagged.sum())),
        errors=[
            ClassErrors(name, int(counts[k]), float(expected[k]), flagged=int(called[k]))
            for k, name in enumerate(_NAMES)
        ],
        suspects=[
            Shown(
                sample=s.place,
                id=str(s.place),
                given=s.given_label,
                suggested=s.suggested_label,
                probability=s.probability_wrong,
                image=_uri(demo.images[s.place]),
                pixels=True,
            )
            for s in suspects
        ],
        suspects_note=(
            f"The {len(suspects)} labels most surely wrong, by the image, its label and the learned noise matrix; "
            f"surest first. Since the truth is known here: {right} of these {len(suspects)} are really wrong."
        ),
        apply_command=review_command(Reading(apply_to, labels="labels")),
        details=[
            ("Data", "scikit-learn's digits, 8 x 8 pixels"),
            ("Method", "learned"),
            ("Seed", str(demo.seed)),
            ("Versions", ", ".join(f"{name} {number}" for name, number in versions().items())),
        ],
    )


def _losses(stage: StageResult) -> StageLosses:
    return stage_losses(stage.name, stage.curves, joined=stage.switched_at, best=stage.best_epoch)


def _uri(image: Tensor) -> str:
    return image_uri(np.rint(255 * (1 - np.clip(image.numpy() / 16, 0, 1))).astype(np.uint8))
