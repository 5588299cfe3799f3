"""The evidence page says of models that are too simple what the results say."""

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "audit_clusters.json"

pytestmark = pytest.mark.skipif(not RESULTS.exists(), reason="needs the folder benchmarks of the repository")


@pytest.mark.parametrize(
    ("noise", "labels"), [("none", "right"), ("symmetric", "symmetric flips"), ("pair", "pair flips")]
)
@pytest.mark.parametrize(("how", "said"), [("alone", "probabilities"), ("features", "features too")])
def test_the_page_shows_the_results(noise: str, labels: str, how: str, said: str) -> None:
    tables = json.loads(RESULTS.read_text(encoding="utf-8"))["tables"]
    rows = [row for found in tables.values() for row in found if row["noise"] == noise]
    above = [row[how]["interval"][0] - row["wrong"] for row in rows]
    far = sum(much > 0.02 * row["rows"] for much, row in zip(above, rows, strict=True))
    off = sum(abs(row[how]["expected"] - row["wrong"]) / row["rows"] for row in rows) / len(rows)
    width = sum((row[how]["interval"][1] - row[how]["interval"][0]) / row["rows"] for row in rows) / len(rows)
    line = f"| {labels} | {said} | {len(rows)} | {sum(much > 3 for much in above)} | {far} | {off:.1%} | {width:.1%} |"
    page = (ROOT / "docs" / "evidence" / "audit.md").read_text(encoding="utf-8").replace(" %", "%")
    assert line in page
    if noise != "none":
        ap, f1 = (sum(row[how][score] for row in rows) / len(rows) for score in ("ap", "f1"))
        assert f"{line} {ap:.3f} | {f1:.3f} |" in page
