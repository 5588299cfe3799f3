"""Set the figures of results/*.json into README.md, between its two marks, and all of them into results/tables.md.

    python benchmarks/tables.py

README.md shows what has a target, or the first few figures where nothing has; none is written by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
BEGIN, END = "<!-- tables: made by tables.py -->", "<!-- end of tables -->"
PAGES = ("audit_memory", "audit_training")
FIRST = 6


def number(value: float | None, unit: str = "") -> str:
    """Three digits that count."""
    if value is None:
        return ""
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
    return f"{text} {unit}".strip()


def table(result: dict[str, Any], *, whole: bool = True) -> str:
    """One benchmark: where and how it was taken, then a line per figure, or per figure that counts most."""
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
    rows = result["rows"]
    if not whole:
        rows = [r for r in rows if r["target"]] or rows[:FIRST]
    for r in rows:
        spread = "" if r["low"] is None else f"{number(r['low'])} to {number(r['high'])}"
        verdict = {True: "met", False: "**missed**", None: ""}[r["met"]]
        note = f" ({r['note']})" if r["note"] else ""
        lines.append(
            f"| {r['what']}{note} | {number(r['value'], r['unit'])} | {spread} | {r['repetitions']} "
            f"| {r['target'] or ''} | {verdict} |"
        )
    return "\n".join(lines)


def with_tables(readme: str, results: list[dict[str, Any]], pages: list[str] | None = None) -> str:
    """``readme`` with everything between the marks made anew: results, then pages of other scripts."""
    before, rest = readme.split(BEGIN)
    after = rest.split(END)[1]
    parts = [table(r, whole=False) for r in results] + [
        page.replace("# ", "### ", 1).strip() for page in pages or []
    ]
    tables = "\n\n".join(parts) or "No figures yet: run `python benchmarks/run.py`."
    return f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}"


def found_results() -> tuple[list[dict[str, Any]], list[str]]:
    """The results that have the common form, and the short pages of those that have their own."""
    folder = FOLDER / "results"
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    pages = [folder / f"{name}.md" for name in PAGES]
    return (
        [result for result in results if "title" in result and not result["quick"]],
        [page.read_text(encoding="utf-8") for page in pages if page.exists()],
    )


def main() -> None:
    """Read results, write pages."""
    results, pages = found_results()
    readme = FOLDER / "README.md"
    write(readme, with_tables(readme.read_text(encoding="utf-8"), results, pages))
    write(FOLDER / "results" / "tables.md", all_tables(results))


def all_tables(results: list[dict[str, Any]]) -> str:
    """Every figure."""
    return "\n\n".join(["# Every figure", *(table(r).replace("### ", "## ", 1) for r in results)]) + "\n"


def write(path: Path, text: str) -> None:
    """Whole or not at all."""
    beside = path.with_suffix(".tmp")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


if __name__ == "__main__":
    main()
