"""What every drawing shares: the page's colours, one way into a file, and one into a page."""

from __future__ import annotations

import io
import re
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.figure import Figure


def web_file(name: str) -> str:
    """A template, style or script of the pages, as text."""
    return (files("noiselayer.report") / "web" / name).read_text(encoding="utf-8")


PALETTE = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", web_file("report.css").partition("}")[0]))
"""Name in the page's style -> its colour on white. A page in dark mode gives the names other colours."""

STYLE: Any = {
    "font.size": 11.0,
    "axes.edgecolor": PALETTE["edge"],
    "axes.labelcolor": PALETTE["soft"],
    "xtick.color": PALETTE["soft"],
    "ytick.color": PALETTE["soft"],
    "text.color": PALETTE["ink"],
    "legend.frameon": False,
}


def save_figure(figure: Figure, path: str | Path, *, format: str | None = None) -> None:
    """Write a figure, the same figure always as the same bytes; text in an SVG stays text.

    Args:
        figure: What to write.
        path: The file.
        format: "png", "svg" or "pdf"; by the file's ending if None.

    >>> import tempfile
    >>> save_figure(Figure(), Path(tempfile.mkdtemp()) / "empty.png")
    """
    kind = format or Path(path).suffix[1:].lower()
    dated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    with mpl.rc_context({"svg.hashsalt": "noiselayer", "svg.fonttype": "none"}), warnings.catch_warnings():
        # A class name in a script that the font lacks shows as boxes, and is no reason to fail.
        warnings.filterwarnings("ignore", ".*[Gg]lyph.*missing from.*font.*")
        figure.savefig(path, format=kind, dpi=150, bbox_inches="tight", metadata=dated.get(kind))


def inline_svg(
    figure: Figure,
    name: str,
    *,
    title: str,
    description: str,
    kind: str = "",
    cell_titles: Sequence[str] = (),
) -> Markup:
    """A figure as an element of a page whose policy forbids styles: attributes instead, colours by their names.

    The figure is drawn in the colours of ``PALETTE``; a 72nd of an inch becomes a pixel. Two pictures on a page must
    differ in ``name``; ``cell_titles`` are for the parts of the group "cells".

    >>> figure = Figure(figsize=(1, 1))
    >>> _ = figure.text(0, 0, "<x>", color=PALETTE["soft"])
    >>> picture = inline_svg(figure, "x", title="An x", description="No more.")
    >>> "&lt;x&gt;" in picture, 'fill="var(--soft)"' in picture, "style=" in picture, 'width="72"' in picture
    (True, True, False, True)
    """
    file = io.StringIO()
    with mpl.rc_context({"svg.hashsalt": name, "svg.fonttype": "none"}), warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*[Gg]lyph.*missing from.*font.*")
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    svg = ET.fromstring(file.getvalue())
    del svg[:2]  # who made it, and a style
    names = {colour: f"var(--{name})" for name, colour in PALETTE.items()}
    cells = svg.findall(".//*[@id='cells']/*")
    for element in svg.iter():
        element.tag = element.tag.rpartition("}")[2]
        element.tail = None
        if element.tag == "g":
            element.text = None
            if element.get("id") != "cells":  # nobody asks for the others, and two pictures would share them
                element.attrib.pop("id", None)
        for rule in filter(None, element.attrib.pop("style", "").split(";")):
            key, _, value = (part.strip() for part in rule.partition(":"))
            if key != "font-family":
                element.set(key, names.get(value, value))
        for key in [key for key in element.attrib if key.startswith("{")]:
            element.set(key.rpartition("}")[2], element.attrib.pop(key))
    for cell, text in zip(cells, cell_titles, strict=bool(cell_titles)):
        ET.SubElement(cell, "title").text = text
    for place, (tag, text) in enumerate((("title", title), ("desc", description))):
        svg.insert(place, ET.Element(tag, id=f"{name}-{tag}"))
        svg[place].text = text
    width, height = svg.get("viewBox", "").split()[2:]
    labelled = f"{name}-title {name}-desc"
    svg.attrib = {"viewBox": f"0 0 {width} {height}", "width": width, "height": height}
    svg.attrib |= {"class": kind, "role": "img", "aria-labelledby": labelled}
    return Markup(ET.tostring(svg, encoding="unicode", short_empty_elements=False))
