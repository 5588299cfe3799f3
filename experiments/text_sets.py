"""Texts with known classes, from files that ``no_harm.py`` names."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import numpy as np
from text_gold_set import read


def questions(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """TREC's, with what kind of answer each asks for."""
    rows: list[dict[str, str]] = []
    for part in ("train", "valid", "test"):
        with (folder / f"trec_{part}.csv").open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    return np.array([row["text"] for row in rows], object), np.array([int(row["true_label"]) for row in rows])


def titles(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Hausa news, and what each is about."""
    rows: list[dict[str, str]] = []
    for part in ("train_clean", "dev", "test"):
        with (folder / f"hausa_{part}.tsv").open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file, delimiter="\t")
    labels = np.unique([row["label"] for row in rows], return_inverse=True)[1]
    return np.array([row["news_title"] for row in rows], object), labels


def sentences(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Which of four kinds of source a sentence is from."""
    path = folder / "vaderSentiment-2.5.tar.gz"
    found = read(path)
    return np.array(found.texts, object), found.domain


def fortunes(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Which of the six largest files a fortune is from, but for "cookie", which is of everything."""
    texts: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(
        ("computers", "songs-poems", "definitions", "people", "science", "politics")
    ):
        entries = re.split(r"(?m)^%\s*$", (folder / "fortunes" / name).read_text(encoding="utf-8"))
        found = [" ".join(entry.split()) for entry in entries if entry.strip()]
        texts += found
        labels += [label] * len(found)
    return np.array(texts, object), np.array(labels)


def verses(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Which part of the Bible a verse is from: law, history, wisdom, prophets, gospels and acts, or letters."""
    found = re.findall(r"(?m)^(\w+?)\d+:\d+ (.*)$", (folder / "verses.txt").read_text(encoding="utf-8"))
    first = ("Ge", "Josh", "Job", "Isa", "Mat", "Rom")
    books = list(dict.fromkeys(book for book, _ in found))
    starts = [books.index(book) for book in first]
    labels = np.searchsorted(starts, [books.index(book) for book, _ in found], side="right") - 1
    return np.array([text for _, text in found], object), labels
