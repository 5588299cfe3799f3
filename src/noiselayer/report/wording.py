"""Numbers and names as a page shows them: short, and harmless whatever they hold."""

from __future__ import annotations

import re
import unicodedata

from markupsafe import Markup, escape

_LONGEST = 60
_WHITE = re.compile(r"\s+")
# Formatting characters that turn or hide the text around them; joiners stay, scripts need them.
_KEPT = "\u200c\u200d"


def clip(text: str, longest: int = _LONGEST, kept: str = _KEPT) -> str:
    r"""A name as it can be shown: of bounded length, on one line, without characters that act on others.

    >>> clip("x" * 10_000, 8)
    'xxxxxxx…'
    >>> clip("cat\n\u202egod")
    'cat \ufffdgod'
    >>> clip("")
    '(empty)'
    """
    # What can never be shown need not be looked at: names may be as long as a book.
    shown = _WHITE.sub(" ", text[: 4 * longest]).strip()
    shown = "".join(
        "\ufffd"
        if c in "\ufffe\uffff" or (unicodedata.category(c) in ("Cc", "Cf", "Cs") and c not in kept)
        else c
        for c in shown
    )
    if not shown:
        return "(empty)"
    return shown if len(shown) <= longest and len(text) <= 4 * longest else shown[: longest - 1] + "…"


def breakable(name: str, longest: int = 60) -> Markup:
    """The name of a file for a page: lines break behind its separators; of a long path the end is kept.

    >>> breakable("cat/a_1.png"), breakable("x" * 90 + "/7.png", 12)
    (Markup('cat/<wbr>a_<wbr>1.png'), Markup('…xxxxx/<wbr>7.png'))
    """
    shown = clip(name[-4 * longest :], 4 * longest)
    shown = shown if len(shown) <= longest else "…" + shown[1 - longest :]
    return Markup("<wbr>").join(escape(part) for part in re.split(r"(?<=[/\\_-])", shown))


def in_prose(name: str) -> str:
    r"""A clipped name for a sentence, isolated so that it cannot turn the words around it.

    >>> in_prose("cat")
    '\u2068cat\u2069'
    """
    return f"\u2068{clip(name, 40)}\u2069"


def clip_prose(text: str, longest: int = 1200) -> str:
    r"""Whole sentences, clipped; names in them, which have been through :func:`in_prose`, stay isolated.

    >>> clip_prose("of true \u2068cat\u2069\n\u202e")
    'of true \u2068cat\u2069 \ufffd'
    """
    return clip(text, longest, _KEPT + "\u2068\u2069")


def how_to_see_more(shown: int, there_are: int) -> str:
    """A sentence, with a space in front, where a page does not list all; else nothing.

    >>> how_to_see_more(200, 1137), how_to_see_more(7, 7)
    (' noiselayer report with --top 1137 lists them all.', '')
    """
    return f" noiselayer report with --top {there_are} lists them all." if shown < there_are else ""


def percent(share: float, digits: int | None = None) -> str:
    """A share in percent, with a tenth below ten and none of what rounds to nothing.

    >>> percent(0.1234), percent(0.0456), percent(0.0), percent(0.0001), percent(0.5, 1)
    ('12 %', '4.6 %', '0 %', '< 0.1 %', '50.0 %')
    """
    if 0 < share < 0.0005:
        return "< 0.1 %"
    if digits is None:
        digits = 0 if share == 0 or share >= 0.0995 else 1
    return f"{100 * share:.{digits}f} %"


def probability_in_words(probability: float) -> str:
    """To a tenth of a percent, and never a certainty that nobody has.

    >>> probability_in_words(0.98765), probability_in_words(0.99999), probability_in_words(0.0001)
    ('98.8 %', '> 99.9 %', '< 0.1 %')
    """
    if probability > 0.999:
        return "> 99.9 %"
    if probability < 0.001:
        return "< 0.1 %"
    return f"{100 * probability:.1f} %"
