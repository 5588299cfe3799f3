"""The audit of a folder of 50,000 photographs whose features are cached, from the folder to the page.

    python benchmarks/audit/photographs.py --data DIR --features FEATURES --folder PHOTOS [--labels cifar10n_worse]
        [--pixels 224]

PHOTOS gets CIFAR-10's training images as files, in folders by the labels that people gave them (CIFAR-10N, 40 % of
"worse" are wrong), where they are not there yet. FEATURES holds what ``experiments/frozen_features.py``
has extracted with the same --pixels, of a frozen EfficientNet-Lite0 whose weights were trained on ImageNet; it
goes into the cache under the network's fingerprint, and eight images are extracted anew to show that the cache holds
what the network gives. Then ``noiselayer audit PHOTOS --embed lite0:224`` runs in this process, whose seconds begin
after the imports: files are read and looked up in the cache, a head is fitted to each fold, labels are judged, the page
is written.

Writes ``results/audit_photographs_NAME.json``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sklearn.metrics import average_precision_score
from strong_models import f1

from noiselayer.extraction import NetworkFeatures, Pretrained, extract_features
from noiselayer.extraction.block_maps import blocks_of, with_block_maps
from noiselayer.extraction.feature_cache import FeatureCache, keys_of
from noiselayer.features.by_name import KINDS, Kind
from noiselayer.files.whole_file import write_json
from noiselayer.jobs.audit import audit_files
from noiselayer.jobs.audit_options import AuditJob
from noiselayer.storage.environment import versions

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
RESULTS = Path(__file__).parents[1] / "results"


def network(pixels: int) -> Pretrained:
    """The frozen network of ``experiments/frozen_features.py``."""
    sys.path.insert(0, str(EXPERIMENTS))
    from frozen_features import load_network

    module = load_network()
    module.forward = lambda x: module.extract_features(x).mean((2, 3))

    def prepare(image: Any) -> torch.Tensor:
        x = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 127.5 - 1
        return torch.nn.functional.interpolate(x, size=(pixels, pixels), mode="bicubic").clamp(-1, 1)[0]

    def embed(samples: Any, device: torch.device) -> torch.Tensor:
        return module(torch.stack(list(samples)).to(device))

    beside = with_block_maps(embed, blocks_of(module))
    return Pretrained(
        f"lite0:{pixels}", "images", module, beside, prepare, f"bicubic {pixels} blocks", layers="blocks"
    )


def make_folder(folder: Path, images: np.ndarray, labels: np.ndarray, names: list[str]) -> list[Path]:
    """The images as files, in folders by label."""
    paths = [folder / names[label] / f"{k:05d}.png" for k, label in enumerate(labels)]
    for path, image in zip(paths, images, strict=True):
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(image).save(path, compress_level=1)
    return paths


def fill_cache(net: Pretrained, paths: list[Path], features: np.ndarray, cache: Path) -> float:
    """Put features where the program looks for them; the largest difference to eight images extracted anew."""
    some = np.linspace(0, len(paths) - 1, 8).astype(int)
    anew = np.array(extract_features([paths[k] for k in some], net, cache_dir=cache), dtype=np.float32)
    [folder] = (cache / "features").glob("*/*")
    FeatureCache(folder).add(keys_of(path.read_bytes() for path in paths), features)
    return float(np.abs(anew - features[some].astype(np.float32)).max())


def main() -> None:
    """Make the folder, fill the cache, audit, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with cifar10.npz")
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--labels", default="cifar10n_worse")
    parser.add_argument("--count", type=int, default=50_000, help="the first so many images")
    parser.add_argument("--pixels", type=int, default=224)
    args = parser.parse_args()
    with np.load(args.data / "cifar10.npz") as file:
        images, true, noisy = (file[name][: args.count] for name in ("x_train", "y_train", args.labels))
        names = [str(name) for name in file["class_names"]]
    paths = make_folder(args.folder, images, noisy, names)
    net = network(args.pixels)
    KINDS["lite0"] = Kind(
        lambda name, samples: NetworkFeatures(net), lambda state, arrays: NetworkFeatures(net)
    )
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["NOISELAYER_CACHE"] = f"{scratch}/cache"
        features = np.load(args.features / "train.npy", mmap_mode="r")[: args.count]
        difference = fill_cache(net, paths, features, Path(scratch) / "cache")
        out = args.folder.parent / f"{args.folder.name}-audit"
        shutil.rmtree(out, ignore_errors=True)
        began, processor = time.perf_counter(), time.process_time()
        saved = audit_files(AuditJob(data=str(args.folder), embed=net.name, out=out), on_stage=print)
        seconds = {"wall": time.perf_counter() - began, "processor": time.process_time() - processor}
    labels = saved.labels
    k = labels["id"].str.extract(r"(\d+)\.png$")[0].astype(int).to_numpy()
    wrong = noisy[k] != true[k]
    result = {
        "labels": args.labels,
        "images": len(paths),
        "pixels": args.pixels,
        "seconds": seconds,
        "threads": torch.get_num_threads(),
        "average_precision": float(average_precision_score(wrong, labels["error_probability"])),
        "f1": f1(labels["is_error"].to_numpy(), wrong),
        "called_wrong": int(labels["is_error"].sum()),
        "wrong": int(wrong.sum()),
        "expected": saved.counts["all"],
        "cache_differs_by": difference,
        "versions": versions(),
    }
    print(json.dumps(result, indent=1))
    if args.count == 50_000:
        write_json(RESULTS / f"audit_photographs_{args.labels}.json", result)


if __name__ == "__main__":
    main()
