"""One HTML file that shows the suspects: no scripts, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import io
from collections.abc import Sequence
from html import escape

import numpy as np
from PIL import Image
from torch import Tensor

from noiselayer.demo.suspects import Suspect

__all__ = ["suspects_page"]

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --paper: #fbfaf7; --line: #d9d5cb; --soft: #667080; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e6e0; --paper: #15191f; --line: #39414d; --soft: #9aa4b2; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 64rem; background: var(--paper);
  color: var(--ink); font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: 0 0 .5rem; }
p { max-width: 42rem; margin: 0 0 1rem; }
ol { list-style: none; margin: 1.5rem 0 0; padding: 0; display: grid; gap: .75rem;
  grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); }
li { border: 1px solid var(--line); border-radius: .5rem; padding: .75rem; }
img { display: block; width: 5rem; aspect-ratio: 1; margin: 0 auto; padding: .25rem; background: #fff;
  border-radius: .25rem; image-rendering: pixelated; }
dl { margin: .6rem 0 0; font-size: .9rem; }
dl div { display: flex; justify-content: space-between; }
dt { color: var(--soft); }
dd { margin: 0; white-space: nowrap; font-variant-numeric: tabular-nums; }
dd.label { font-weight: 700; }
"""


def suspects_page(
    suspects: Sequence[Suspect], images: Tensor, class_names: Sequence[str], *, remark: str
) -> str:
    """The page, as text.

    Args:
        suspects: In the order shown.
        images: Shape (N, H, W), all training samples, grey from 0 (white) to 16 (black).
        class_names: The K names.
        remark: A sentence below the explanation.
    """
    # The browser takes this style and shows embedded images; everything else is forbidden by name.
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    )
    cards = "\n".join(_card(suspect, images, class_names) for suspect in suspects)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{escape(policy)}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>Labels that are probably wrong</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>The {len(suspects)} labels most surely wrong</h1>
<p>A network was trained on labels of which many are wrong, and a noise matrix was learned with it. Together
they say how probable every class is for an image and the label it carries. Surest first.</p>
<p>{escape(remark)}</p>
<ol>
{cards}
</ol>
</body>
</html>
"""


def _card(suspect: Suspect, images: Tensor, class_names: Sequence[str]) -> str:
    given, suggested = (
        escape(class_names[label]) for label in (suspect.given_label, suspect.suggested_label)
    )
    return (
        f'<li><img src="{_data_uri(images[suspect.place])}" alt="Training image {suspect.sample}">'
        f'<dl><div><dt>given</dt><dd class="label">{given}</dd></div>'
        f'<div><dt>suggested</dt><dd class="label">{suggested}</dd></div>'
        f"<div><dt>wrong</dt><dd>{escape(_percent(suspect.probability_wrong))}</dd></div></dl></li>"
    )


def _percent(probability: float) -> str:
    """To a tenth, and never a certainty that nobody has.

    >>> _percent(0.98765), _percent(0.99999), _percent(0.0001)
    ('98.8 %', '> 99.9 %', '< 0.1 %')
    """
    if probability > 0.999:
        return "> 99.9 %"
    if probability < 0.001:
        return "< 0.1 %"
    return f"{100 * probability:.1f} %"


def _data_uri(image: Tensor) -> str:
    grey = np.rint(255 * (1 - np.clip(image.numpy() / 16, 0, 1))).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(grey).save(file, format="png", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
