"""Which annotator is how good at what, as one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

from noiselayer.annotators.describe import describe_annotators
from noiselayer.annotators.estimates import CombinedLabels
from noiselayer.report.annotator_facts import MOST_CLASSES, annotator_facts
from noiselayer.report.page import render_page


def render_annotators(combined: CombinedLabels, *, title: str) -> str:
    """The page, as text; the same result always gives the same page.

    Names are escaped and clipped, and a Content-Security-Policy allows the page's own style, by its hash, and
    nothing else.

    >>> import torch
    >>> from noiselayer.annotators import combine_labels
    >>> votes = torch.tensor([[0, 0], [1, 1], [1, 0]] * 30)
    >>> page = render_annotators(combine_labels(votes, annotator_names=["<b>", "c"]), title="Who votes what")
    >>> "&lt;b&gt;" in page, "<b>" in page, "http:" in page
    (True, False, False)
    """
    annotators = combined.annotators
    if annotators is None:
        raise ValueError(
            "combined has no annotators: their matrices were given, so nothing was found of them."
        )
    return render_page(
        "annotators.html",
        title=title,
        notes=combined.warnings,
        samples=len(combined),
        unlabelled=int((combined.labels < 0).sum()),
        num_labels=int(annotators.num_labels.sum()),
        expected=combined.expected_wrong,
        annotators=annotator_facts(describe_annotators(combined, annotators, len(combined))),
        most_classes=MOST_CLASSES,
    )
