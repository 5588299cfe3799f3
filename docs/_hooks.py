"""What the site takes from elsewhere in the project: the experiments and their figures, and every command's help."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent.parent
_HELP = re.compile(r"<!-- help: ([\w-]+) -->")


def on_files(files: Files, config: Any) -> Files:
    """Add the experiments' figures, where their page looks for them."""
    for path in sorted((ROOT / "experiments" / "results").glob("*.png")):
        files.append(File.generated(config, f"results/{path.name}", abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Fill the experiments' page and the commands' help."""
    if page.file.src_uri == "experiments.md":
        text = (ROOT / "experiments" / "README.md").read_text(encoding="utf-8")
        return text.replace("](../docs/", "](")
    return _HELP.sub(lambda match: f"```text\n{help_of(match[1])}\n```", markdown)


def help_of(command: str) -> str:
    """What ``noiselayer COMMAND --help`` prints, without colours and frames' trailing blanks."""
    environment = {"COLUMNS": "78", "NO_COLOR": "1", "TERM": "dumb", "PATH": "/usr/bin:/bin"}
    words = [sys.executable, "-c", "from noiselayer.cli import main; main()", command, "--help"]
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    lines = done.stdout.replace("-c ", "noiselayer ", 1).splitlines()
    return "\n".join(line.rstrip() for line in lines).strip("\n")
