"""A report as one HTML file: nothing in it is loaded from elsewhere, and nothing in it runs but its own script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections import Counter
from functools import cache
from math import isnan
from pathlib import Path
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from noiselayer.estimation.in_words import strongest_confusions
from noiselayer.report.annotator_facts import MOST_CLASSES
from noiselayer.report.content import ReportContent
from noiselayer.report.loss_drawing import describe_losses, draw_losses
from noiselayer.report.matrix_drawing import MAX_CELLS, MatrixPicture, picture_matrix
from noiselayer.report.pictures import inline_svg, web_file
from noiselayer.report.wording import breakable, clip, clip_prose, in_prose, percent, probability_in_words

_SCRIPTS = ("matrix.js", "picker.js", "export.js", "review.js")
_WORDS = 10  # confusions put in words
_LISTED = 100  # confusions listed where the whole matrix would be too long
_BARS = 25  # classes whose errors are drawn


def render_report(content: ReportContent) -> str:
    """The page, as text; the same content always gives the same page.

    Everything that comes from data (class names, paths, cells) is escaped and clipped, and a
    Content-Security-Policy lets the browser run the page's own script, by its hash, and nothing else.

    Args:
        content: What it says.

    >>> page = render_report(ReportContent("My run", ["It went <well>."], ["cat", "dog"]))
    >>> "It went &lt;well&gt;." in page, "http:" in page
    (True, False)
    """
    style, script = web_file("report.css"), "".join(map(web_file, _SCRIPTS))
    matrix = None
    if content.noise_matrix is not None:
        matrix = picture_matrix(content.noise_matrix, content.class_names, content.standard_error)
    page = _environment().get_template("report.html")
    return page.render(
        content=content,
        title=content.title,
        policy=_policy(style, script),
        style=Markup(style),
        script=Markup(script),
        state=_state(content, matrix),
        matrix=matrix,
        table=content.noise_matrix is not None and len(content.class_names) <= MAX_CELLS,
        confusions=_confusions(content, _WORDS),
        listed=[] if len(content.class_names) <= MAX_CELLS else _confusions(content, _LISTED),
        errors=sorted(content.errors, key=lambda e: (-e.share, e.name)),
        bars=_BARS,
        scale=max(
            [e.share if e.high is None or not e.labels else e.high / e.labels for e in content.errors]
            or [0.0]
        ),
        most_wrong=max(
            [one.wrong or 0.0 if one.high is None else one.high for one in content.answers] or [0.0]
        ),
        curves=_curves(content),
        pairs=_pairs(content),
        annotators=content.annotators,
        most_classes=MOST_CLASSES,
    )


def save_report(path: str | Path, content: ReportContent) -> None:
    """Write the page into a file, whole or not at all.

    Args:
        path: The file.
        content: What it says.

    Raises:
        InputError: If the file cannot be written.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "report.html"
    >>> save_report(path, ReportContent("My run", [], ["cat", "dog"]))
    >>> path.read_text(encoding="utf-8")[:15]
    '<!DOCTYPE html>'
    """
    from noiselayer.errors import InputError
    from noiselayer.files.whole_file import whole_file

    page = render_report(content)
    try:
        with whole_file(Path(path)) as beside:
            beside.write_text(page, encoding="utf-8")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}.") from error


def render_page(template: str, *, title: str, **values: Any) -> str:
    """A page without a script, whose policy allows its own style alone, by its hash."""
    style = web_file("report.css")
    policy = f"default-src 'none'; style-src '{_hash_of(style)}'; base-uri 'none'; form-action 'none'"
    page = _environment().get_template(template)
    return page.render(title=title, policy=policy, style=Markup(style), **values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FunctionLoader(web_file),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        clip=clip,
        sentences=clip_prose,
        prose=in_prose,
        percent=percent,
        sure=probability_in_words,
        amount=_amount,
        breakable=breakable,
    )
    return environment


def _policy(style: str, script: str) -> str:
    """Style and script by their hashes, embedded images, and everything else forbidden by name."""
    return "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src '{_hash_of(style)}'",
            f"script-src '{_hash_of(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _hash_of(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _state(content: ReportContent, matrix: MatrixPicture | None) -> Markup:
    """What the script needs, as JSON that cannot end the element it stands in."""
    state: dict[str, Any] = {
        "id": content.id,
        "classNames": list(content.class_names),
        "shownNames": [clip(name) for name in content.class_names],
        "suspects": [
            [s.sample, s.id, s.given, s.suggested, None if isnan(s.probability) else round(s.probability, 6)]
            + ([] if s.inclusion_probability is None else [s.inclusion_probability])
            for s in content.suspects
        ],
    }
    if matrix is not None:
        state["matrix"] = {name: getattr(matrix, name) for name in ("side", "bin", "values", "errors")}
    text = json.dumps(state, separators=(",", ":"))  # ASCII: other characters are written as escapes
    for character in "<>&'":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)


def _confusions(content: ReportContent, limit: int) -> list[Any]:
    if content.noise_matrix is None:
        return []
    return strongest_confusions(content.noise_matrix, content.standard_error, limit=limit, sure=True)


def _curves(content: ReportContent) -> list[tuple[str, Markup]]:
    """The losses for wide and for narrow screens; nothing if none is known."""
    about = describe_losses(content.stages, content.noise_floor)
    sizes = {"wide": (720, 320), "narrow": (340, 320)} if "loss from" in about else {}
    drawn = []
    for name, (width, height) in sizes.items():
        figure = draw_losses(content.stages, content.noise_floor, width=width, height=height)
        drawn.append((name, inline_svg(figure, name, title="Losses", description=about, kind="curves")))
    return drawn


def _pairs(content: ReportContent) -> list[tuple[int, int, int]]:
    """Pairs (given, suggested) of the suspects and how many there are of each, most first."""
    counts = Counter((suspect.given, suspect.suggested) for suspect in content.suspects)
    return [(*pair, count) for pair, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))]


def _amount(value: float) -> str:
    """A count that may be a fraction: whole from ten on.

    >>> _amount(1234.4), _amount(3.25), _amount(0.0)
    ('1,234', '3.2', '0')
    """
    return f"{value:,.0f}" if value >= 9.95 or value == 0 else f"{value:.1f}"
