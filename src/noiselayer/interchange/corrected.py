"""An audit's verdicts as labels, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from noiselayer.data.labels import check_class_names
from noiselayer.errors import InputError

if TYPE_CHECKING:
    from noiselayer.audit import AuditResult


def corrected_labels(
    result: AuditResult, class_names: Sequence[str] | None = None, *, above: float | None = None
) -> list[str]:
    """The class of every sample by name: the given one, or the suggested one where the label is called wrong.

    Nobody has looked at them; where that matters, review them first (:func:`export_review`).

    Args:
        result: Of :func:`noiselayer.audit_labels` on all samples.
        class_names: The K names, if the result does not have them.
        above: The error probability above which a label is replaced; the verdict of the audit if None.

    Raises:
        InputError: If the result has the top rows only, there are no names, or ``above`` is no probability.

    >>> import torch
    >>> from noiselayer import audit_labels
    >>> probs = torch.tensor([[0.99, 0.01], [0.02, 0.98], [0.99, 0.01]]).repeat(40, 1)
    >>> labels = torch.tensor([0, 1, 0]).repeat(40)
    >>> labels[0] = 1
    >>> corrected_labels(audit_labels(labels, probs, probs_predict="given"), ["cat", "dog"])[:3]
    ['cat', 'dog', 'cat']
    """
    names = check_class_names(class_names or result.class_names or ())
    if len(result) != result.num_samples:
        raise InputError(
            f"result holds {len(result):,} of {result.num_samples:,} samples; audit all of them, without top."
        )
    if above is not None and not 0 <= above <= 1:
        raise InputError(f"above must be a probability, from 0 to 1; got {above}.")
    order = np.asarray(result.samples).argsort()
    wrong = np.asarray(result.is_error if above is None else result.error_probability > above)
    classes = np.where(wrong, result.suggested_label, result.labels)[order]
    return [names[k] for k in classes.tolist()]
