"""Meeting other tools: matrices and probabilities of cleanlab, data frames and data sets, and tools for review.

A file per tool. Classes are named, never numbered, wherever a person or another program reads them.
"""

from __future__ import annotations

from noiselayer.interchange.cleanlab import (
    given_label_probs,
    joint_from_noise_matrix,
    noise_matrix_from_cleanlab,
    noise_matrix_from_joint,
    noise_matrix_to_cleanlab,
)
from noiselayer.interchange.corrected import corrected_labels
from noiselayer.interchange.data_frames import (
    from_frame,
    from_pandas,
    from_polars,
    relabel_frame,
    relabel_pandas,
    relabel_polars,
)
from noiselayer.interchange.export import FORMATS, export_review
from noiselayer.interchange.fiftyone import decisions_from_fiftyone, to_fiftyone
from noiselayer.interchange.huggingface import from_datasets, relabel_datasets
from noiselayer.interchange.label_studio import (
    decisions_from_label_studio,
    label_studio_config,
    to_label_studio,
)
from noiselayer.interchange.read_review import read_review
from noiselayer.interchange.review_items import ReviewItem, review_items

__all__ = [
    "FORMATS",
    "ReviewItem",
    "corrected_labels",
    "decisions_from_fiftyone",
    "decisions_from_label_studio",
    "export_review",
    "from_datasets",
    "from_frame",
    "from_pandas",
    "from_polars",
    "given_label_probs",
    "joint_from_noise_matrix",
    "label_studio_config",
    "noise_matrix_from_cleanlab",
    "noise_matrix_from_joint",
    "noise_matrix_to_cleanlab",
    "read_review",
    "relabel_datasets",
    "relabel_frame",
    "relabel_pandas",
    "relabel_polars",
    "review_items",
    "to_fiftyone",
    "to_label_studio",
]
