"""Small valid files of every kind that the commands read, and the ways in which they are damaged."""

import json
import os
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

Run = Callable[[list[str]], Any]
FAST = ("--model", "linear", "--epochs", "1", "--accelerator", "cpu")
NAMES = ("cat", "dog", "owl")


def make_files(folder: Path, run: Run) -> None:
    """Write 45 samples of three classes in every form, and what the commands make of them; ``folder`` is current."""
    generator = np.random.default_rng(0)
    true = np.arange(45) % 3
    given = np.where(generator.random(45) < 0.2, (true + 1) % 3, true)
    x = (generator.normal(size=(45, 4)) + 3 * np.eye(4)[true]).astype(np.float32)
    probs = np.eye(3)[true] * 0.7 + 0.1
    np.savez(folder / "data.npz", x=x, y=given, y_true=true)
    for name, array in {
        "x": x,
        "y": given,
        "true": true,
        "probs": probs,
        "text": np.array(NAMES)[given],
    }.items():
        np.save(folder / f"{name}.npy", array)
    frame = pd.DataFrame(x, columns=list("abcd"))
    frame["label"], frame["checked"] = np.array(NAMES)[given], np.array(NAMES)[true]
    frame.loc[frame.index % 2 == 0, "checked"] = None
    frame["id"] = [f"s{row}" for row in range(45)]
    for name in ("table.csv", "table.csv.gz"):
        frame.to_csv(folder / name, index=False)
    frame.to_csv(folder / "table.tsv", index=False, sep="\t")
    frame.to_parquet(folder / "table.parquet", index=False)
    frame.to_json(folder / "table.jsonl", orient="records", lines=True)
    pd.DataFrame(probs, columns=[f"p({name})" for name in NAMES]).to_csv(folder / "probs.csv", index=False)
    pd.DataFrame(probs[:, [2, 0, 1]]).to_csv(folder / "matrix.csv", index=False)
    votes = {f"w{n}": np.where(generator.random(45) < 0.2 * n, (true + n) % 3, true) for n in (1, 2, 3)}
    wide = pd.DataFrame({name: np.array(NAMES)[labels] for name, labels in votes.items()})
    wide["truth"] = frame["checked"]
    wide.loc[wide.index % 7 == 3, "w3"] = None
    wide.to_csv(folder / "votes.csv", index=False)
    long = wide.drop(columns="truth").rename_axis("item").reset_index().melt("item", var_name="who")
    long.dropna().to_csv(folder / "long.csv", index=False)
    frame["sure"], frame["group"] = probs.max(axis=1), np.array(["old", "new"])[true % 2]
    frame.to_csv(folder / "llm.csv", index=False)
    for kind in ("images", "plain"):
        for row in range(18):
            place = folder / kind / (NAMES[row % 3] if kind == "images" else "")
            place.mkdir(parents=True, exist_ok=True)
            pixels = generator.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            pixels[..., row % 3] = 255
            Image.fromarray(pixels).save(place / f"{row}.png")
    _made_by_commands(folder, run)


def _made_by_commands(folder: Path, run: Run) -> None:
    """A run, an audit, an estimate, a search, and reviews in the forms of every tool."""
    short = [*FAST, "--labels", "y", "--method"]
    run(["train", "data.npz", "--out", "run", *short, "normal"])
    run(["audit", "table.csv", "--label-column", "label", "--ignore", "checked,id", *PROBS, "--out", "audit"])
    run(["estimate", "--true-labels", "true.npy", "--given-labels", "y.npy", "--out", "estimated"])
    run(["tune", "data.npz", "--out", "tuned", *short, "top-down", "--trials", "1"])
    run(["export-review", "audit", "--out", "review.csv"])
    run(["export-review", "audit", "--format", "label-studio", "--out", "studio.json"])
    if (folder / "estimated").is_dir():
        shutil.copy(folder / "estimated" / "noise_matrix.csv", folder / "matrix.csv")
    rows = pd.read_csv(folder / "review.csv", dtype=str, keep_default_na=False)
    rows["decision"] = "accept"
    rows.to_csv(folder / "review.csv", index=False)
    tasks = json.loads((folder / "studio.json").read_text(encoding="utf-8"))
    for task in tasks:
        chosen = {"from_name": "label", "type": "choices", "value": {"choices": ["owl"]}}
        task["annotations"] = [{"id": 1, "result": [chosen]}]
    (folder / "studio.json").write_text(json.dumps(tasks), encoding="utf-8")


PROBS = ("--probs", "probs.csv", "--probs-predict", "true")

BYTES = {
    "empty": lambda data, draw: b"",
    "cut off": lambda data, draw: data[: int(draw.integers(0, max(len(data), 1)))],
    "noise": lambda data, draw: draw.bytes(200),
    "bytes flipped": lambda data, draw: _flipped(data, draw),
    "more at the end": lambda data, draw: data + draw.bytes(40),
    "a byte order mark": lambda data, draw: b"\xef\xbb\xbf" + data,
    "a zero byte": lambda data, draw: data[: len(data) // 2] + b"\0" + data[len(data) // 2 :],
}

TEXT = {
    "cp1252": lambda text, draw: text.replace("cat", "kät").encode("cp1252"),
    "UTF-16": lambda text, draw: text.encode("utf-16"),
    "duplicate columns": lambda text, draw: _first_line(text, lambda names: [names[-1], *names[1:]]),
    "an empty name": lambda text, draw: _first_line(text, lambda names: ["", *names[1:]]),
    "a name with a line feed": lambda text, draw: _first_line(text, lambda names: ['"a\nb"', *names[1:]]),
    "the header alone": lambda text, draw: text.split("\n")[0].encode(),
    "no header": lambda text, draw: "\n".join(text.split("\n")[1:]).encode(),
    "ragged rows": lambda text, draw: (text + "1,2,3,4,5,6,7,8,9,10,11\n1\n").encode(),
    "an open quotation mark": lambda text, draw: text.replace(",", ',"', 3).encode(),
    "a huge cell": lambda text, draw: _cell(text, "9" * 5000, draw),
    "1e300": lambda text, draw: _cell(text, "1e300", draw),
    "-0.5": lambda text, draw: _cell(text, "-0.5", draw),
    "nan": lambda text, draw: _cell(text, "nan", draw),
    "inf": lambda text, draw: _cell(text, "inf", draw),
    "an empty cell": lambda text, draw: _cell(text, "", draw),
    "a formula": lambda text, draw: _cell(text, "=1+1", draw),
    "control characters": lambda text, draw: _cell(text, "\x1b[31mred\x07", draw),
    "a list": lambda text, draw: _cell(text, '"[1, 2]"', draw),
    "a carriage return": lambda text, draw: _cell(text, '"a\rb"', draw),
    "semicolons": lambda text, draw: text.replace(",", ";").encode(),
}

ARRAYS = {
    "nan": lambda array, draw: _entry(array, np.nan),
    "inf": lambda array, draw: _entry(array, np.inf),
    "1e300": lambda array, draw: _entry(array, 1e300),
    "-1": lambda array, draw: _entry(array, -1),
    "2**63": lambda array, draw: _entry(array, 2.0**63),
    "half": lambda array, draw: _entry(array, 0.5),
    "one row fewer": lambda array, draw: array[1:],
    "no rows": lambda array, draw: array[:0],
    "one row": lambda array, draw: array[:1],
    "another axis": lambda array, draw: array[..., None],
    "a single value": lambda array, draw: array.flat[0],
    "transposed": lambda array, draw: array.T,
    "one class": lambda array, draw: np.full_like(array, array.flat[0]),
    "complex": lambda array, draw: np.zeros(array.shape, dtype=complex),
    "dates": lambda array, draw: np.zeros(array.shape, dtype="M8[D]"),
    "text": lambda array, draw: np.full(array.shape, "a\x1bb"),
    "bytes": lambda array, draw: np.full(array.shape, b"\xff"),
    "objects": lambda array, draw: np.full(array.shape, None, dtype=object),
    "fields": lambda array, draw: np.zeros(array.shape, dtype=[("a", "i4"), ("b", "f8")]),
    "half precision": lambda array, draw: _of_type(array, np.float16),
    "big-endian": lambda array, draw: _of_type(array, ">f8"),
}

NODES: tuple[Any, ...] = (
    None,
    [],
    {},
    "x",
    -1,
    1.5,
    10**400,
    True,
    [["cat"]],
    {"a": {"a": {}}},
    "\x1b[31m",
    "",
)

PLACES = ("a folder", "a pipe", "a broken link", "a link to itself", "unreadable", "nothing")


def damage(path: Path, draw: np.random.Generator) -> str:
    """Damage a file or something in a folder, and say how."""
    if path.is_dir():
        if draw.random() < 0.4:
            return _damage_folder(path, draw)
        files = sorted(file for file in path.rglob("*") if file.is_file())
        return damage(files[draw.integers(len(files))], draw) if files else "nothing"
    kind = draw.random()
    if kind < 0.15:
        return _replace(path, str(draw.choice(PLACES)))
    data = path.read_bytes()
    if kind > 0.4:
        for suffixes, ways in (
            (_OF_TEXT, _damaged_text),
            (_OF_ARRAYS, _damaged_array),
            (_OF_JSON, _damaged_json),
        ):
            if path.suffix in suffixes:
                return ways(path, draw)
    name = str(draw.choice(list(BYTES)))
    path.write_bytes(BYTES[name](data, draw))
    return f"{path.name}: {name}"


_OF_TEXT, _OF_ARRAYS, _OF_JSON = (".csv", ".tsv", ".jsonl"), (".npy", ".npz"), (".json",)


def _damaged_text(path: Path, draw: np.random.Generator) -> str:
    name = str(draw.choice(list(TEXT)))
    path.write_bytes(TEXT[name](path.read_text(encoding="utf-8"), draw))
    return f"{path.name}: {name}"


def _damaged_array(path: Path, draw: np.random.Generator) -> str:
    if draw.random() < 0.3:
        return _damaged_header(path, draw)
    name = str(draw.choice(list(ARRAYS)))
    if path.suffix == ".npy":
        np.save(path, ARRAYS[name](np.load(path), draw))
        return f"{path.name}: {name}"
    with np.load(path) as archive:
        arrays = {key: archive[key] for key in archive.files}
    key = str(draw.choice(list(arrays)))
    arrays[key] = ARRAYS[name](arrays[key], draw)
    np.savez(path, **arrays)
    return f"{path.name}: {key}, {name}"


def _damaged_header(path: Path, draw: np.random.Generator) -> str:
    """A header that says something else than what follows, terabytes for example."""
    headers = (
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 3), }",
        "{'descr': '|O', 'fortran_order': False, 'shape': (45,), }",
        "{'descr': '|V999999999', 'fortran_order': True, 'shape': (45,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (45,",
        "{'descr': [('a', '<f8')], 'shape': (45,), 'fortran_order': 3}",
        "(" * 50,
    )
    text = str(draw.choice(headers)).encode().ljust(118) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + b"\0" * 64)
    return f"{path.name}: {text[:40]!r}"


def _damaged_json(path: Path, draw: np.random.Generator) -> str:
    kind = draw.random()
    if kind < 0.1:
        path.write_text("[" * 100_000, encoding="utf-8")
        return f"{path.name}: deep"
    content = json.loads(path.read_text(encoding="utf-8"))
    places: list[tuple[Any, Any]] = []
    _collect(content, places)
    node, key = places[draw.integers(len(places))]
    if kind < 0.3 and isinstance(node, dict):
        del node[key]
        new: Any = "left out"
    else:
        new = node[key] = NODES[draw.integers(len(NODES))]
    path.write_text(json.dumps(content), encoding="utf-8")
    return f"{path.name}: {key!r} is {str(new)[:20]!r}"


def _collect(node: Any, places: list[tuple[Any, Any]]) -> None:
    for key in node if isinstance(node, dict) else range(len(node)) if isinstance(node, list) else ():
        places.append((node, key))
        _collect(node[key], places)


def _damage_folder(path: Path, draw: np.random.Generator) -> str:
    """Something in a folder that is no file to read, or has an odd name."""
    folders = [path, *sorted(folder for folder in path.rglob("*") if folder.is_dir())]
    place = folders[draw.integers(len(folders))]
    ways: dict[str, Callable[[], Any]] = {
        "a pipe": lambda: os.mkfifo(place / "p.png"),
        "a link to the folder above": lambda: (place / "l").symlink_to(".."),
        "a link to itself": lambda: (place / "s.png").symlink_to("s.png"),
        "a broken link": lambda: (place / "b.png").symlink_to("nowhere.png"),
        "an empty folder": lambda: (place / "empty").mkdir(),
        "a name with a line feed": lambda: (place / "a\nb.png").write_bytes(b"x"),
        "a name with an escape": lambda: (place / "a\x1b[31mb.png").write_bytes(b"x"),
        "a name that is no UTF-8": lambda: Path(os.fsdecode(bytes(place) + b"/\xff.png")).write_bytes(b"x"),
        "a folder named as a file": lambda: (place / "f.png").mkdir(),
        "a huge picture": lambda: (place / "h.png").write_bytes(_huge_picture()),
        "unreadable": lambda: place.chmod(0),
    }
    name = str(draw.choice(list(ways)))
    ways[name]()
    return f"{place.name}: {name}"


def _replace(path: Path, kind: str) -> str:
    path.unlink()
    if kind == "a folder":
        path.mkdir()
    elif kind == "a pipe":
        os.mkfifo(path)
    elif kind == "a broken link":
        path.symlink_to("nowhere")
    elif kind == "a link to itself":
        path.symlink_to(path.name)
    elif kind == "unreadable":
        path.write_bytes(b"")
        path.chmod(0)
    return f"{path.name}: {kind}"


def _huge_picture() -> bytes:
    """The head of a PNG file of 60,000 x 60,000 pixels."""
    return (
        b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0) + b"\0" * 16
    )


def _flipped(data: bytes, draw: np.random.Generator) -> bytes:
    changed = bytearray(data)
    for place in draw.integers(0, max(len(data), 1), 8):
        if data:
            changed[place] ^= int(draw.integers(1, 256))
    return bytes(changed)


def _first_line(text: str, change: Callable[[list[str]], list[str]]) -> bytes:
    first, rest = text.split("\n", 1) if "\n" in text else (text, "")
    return "\n".join([",".join(change(first.split(","))), rest]).encode()


def _cell(text: str, cell: str, draw: np.random.Generator) -> bytes:
    rows = [line.split(",") for line in text.split("\n")]
    row = rows[int(draw.integers(1, max(len(rows) - 1, 2))) % len(rows)]
    row[draw.integers(len(row))] = cell
    return "\n".join(",".join(row) for row in rows).encode()


def _of_type(array: Any, dtype: Any) -> Any:
    """Numbers of another type; text stays text."""
    return array if array.dtype.kind == "U" else array.astype(dtype)


def _entry(array: Any, value: float) -> Any:
    """An array with another entry, in floating point; text gets it as text."""
    changed = array.copy() if array.dtype.kind == "U" else array.astype(np.float64)
    if changed.size:
        changed.flat[changed.size // 2] = value
    return changed
