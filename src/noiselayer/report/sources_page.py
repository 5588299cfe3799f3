"""Which source is how good at what, as one HTML file that loads nothing and runs nothing."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from jinja2 import DictLoader, Environment, StrictUndefined
from markupsafe import Markup

from noiselayer.report.page import _hash, _template
from noiselayer.report.wording import clip, percent
from noiselayer.sources import CombinedLabels, SourceEstimate

__all__ = ["render_sources"]

_SOURCES = 1_000  # in the table of all
_SHOWN = 60  # with a table of their own
_CLASSES = 30  # in it
_LEAST = 0.001  # a confusion that is put in words


@dataclass(frozen=True)
class _Share:
    """A share with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class _Class:
    """How a source does with one true class, and what it takes it for if it errs."""

    name: str
    right: _Share
    other: str
    taken: _Share | None


@dataclass(frozen=True)
class _Source:
    name: str
    labels: int
    wrong: float
    accuracy: _Share
    classes: list[_Class]


def render_sources(combined: CombinedLabels, *, title: str) -> str:
    """The page, as text; the same result always gives the same page.

    Names are escaped and clipped, and a Content-Security-Policy allows the page's own style, by its hash, and
    nothing else.

    Args:
        combined: Labels of several sources, with ``combined.sources``.
        title: Above it.

    Raises:
        ValueError: If the sources' matrices were given, so that nothing was found of them.

    >>> import torch
    >>> from noiselayer.sources import combine_labels
    >>> said = torch.tensor([[0, 0], [1, 1], [1, 0]] * 30)
    >>> page = render_sources(combine_labels(said, source_names=["<b>", "c"]), title="Who said what")
    >>> "&lt;b&gt;" in page, "<b>" in page, "http:" in page
    (True, False, False)
    """
    sources = combined.sources
    if sources is None:
        raise ValueError("combined has no sources: their matrices were given, so nothing was found of them.")
    style = _template("report.css")
    order = sources.accuracy.argsort(descending=True, stable=True).tolist()
    # Whose many labels matter most get the tables, if there are too many to give one to each.
    most = set(sources.num_labels.argsort(descending=True, stable=True)[:_SHOWN].tolist())
    return (
        _environment()
        .get_template("sources.html")
        .render(
            title=title,
            policy=f"default-src 'none'; style-src '{_hash(style)}'; base-uri 'none'; form-action 'none'",
            style=Markup(style),
            confidence=f"{100 * sources.confidence:g}",
            notes=combined.warnings,
            samples=len(combined),
            unlabelled=int((combined.labels < 0).sum()),
            num_classes=sources.num_classes,
            num_labels=int(sources.num_labels.sum()),
            expected=combined.expected_wrong,
            total=sources.num_sources,
            listed=[_source(combined, sources, s, 0) for s in order[:_SOURCES]],
            shown=[_source(combined, sources, s, _CLASSES) for s in order if s in most],
            most_classes=_CLASSES,
        )
    )


def _source(combined: CombinedLabels, sources: SourceEstimate, s: int, classes: int) -> _Source:
    low, high = (float(end[s]) for end in sources.accuracy_interval)
    Q = sources.noise_matrices[s]
    # The classes it does worst, counted in labels, first where not all fit; else in their own order.
    wrong = (1 - Q.diagonal()) * sources.class_prior
    kept = sorted(wrong.argsort(descending=True, stable=True)[:classes].tolist())
    return _Source(
        sources.source_name(s),
        int(sources.num_labels[s]),
        float(combined.wrong_by_source[s]),
        _Share(float(sources.accuracy[s]), low, high),
        [_class(sources, s, i) for i in kept],
    )


def _class(sources: SourceEstimate, s: int, i: int) -> _Class:
    column = sources.noise_matrices[s, :, i].clone()
    column[i] = -1
    j = int(column.argmax())
    taken = _share(sources, s, j, i) if float(column[j]) >= _LEAST else None
    return _Class(
        sources.class_name(i), _share(sources, s, i, i), sources.class_name(j) if taken else "", taken
    )


def _share(sources: SourceEstimate, s: int, j: int, i: int) -> _Share:
    low, high = (float(end[s, j, i]) for end in sources.interval)
    return _Share(float(sources.noise_matrices[s, j, i]), low, high)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=DictLoader({"sources.html": _template("sources.html")}),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(clip=clip, percent=percent)
    return environment
