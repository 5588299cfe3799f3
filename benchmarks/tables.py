"""Set the figures of results/*.json into README.md, between its two marks; no figure there is written by hand.

python benchmarks/tables.py
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- tables: made by tables.py -->", "<!-- end of tables -->"


def number(value: float | None, unit: str = "") -> str:
    """Three digits that count."""
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def table(result: dict[str, Any]) -> str:
    """One benchmark: where and how it was taken, then a line per figure."""
    machine = result["machine"]
    lines = [
        f"### {result['title']}",
        "",
        f"`{result['command']}`, {result['date']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['threads']} thread{'s' if machine['threads'] > 1 else ''}, torch {machine['torch']}, "
        f"Python {machine['python']}, noiselayer {machine['noiselayer']}; load average "
        f"{machine['load_average'][0]:g} at the end.",
        "",
        "| what | median | quartiles | rounds | target | |",
        "|---|---|---|---|---|---|",
    ]
    for r in result["rows"]:
        spread = "" if r["low"] is None else f"{number(r['low'])} to {number(r['high'])}"
        verdict = {True: "met", False: "**missed**", None: ""}[r["met"]]
        note = f" ({r['note']})" if r["note"] else ""
        lines.append(
            f"| {r['what']}{note} | {number(r['value'], r['unit'])} | {spread} | {r['repetitions']} "
            f"| {r['target'] or ''} | {verdict} |"
        )
    return "\n".join(lines)


def with_tables(readme: str, results: list[dict[str, Any]]) -> str:
    """``readme`` with everything between the marks made anew."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    tables = "\n\n".join(table(r) for r in results) or "No figures yet: run `python benchmarks/run.py`."
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def main() -> None:
    """Parse the options and run."""
    results = []
    for path in sorted((FOLDER / "results").glob("*.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        if "title" in result and not result["quick"]:  # others have a form of their own
            results.append(result)
    readme = FOLDER / "README.md"
    text = with_tables(readme.read_text(encoding="utf-8"), results)
    beside = readme.with_suffix(".tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(readme)


if __name__ == "__main__":
    main()
