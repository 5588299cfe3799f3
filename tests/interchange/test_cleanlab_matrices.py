"""cleanlab's matrices and probabilities: naive loops, its own functions where it is installed, words."""

import json
import os
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from noiselayer.interchange import (
    given_label_probs,
    joint_from_noise_matrix,
    noise_matrix_from_cleanlab,
    noise_matrix_from_joint,
    noise_matrix_to_cleanlab,
)

Q = np.array([[0.7, 0.1, 0.0], [0.3, 0.8, 0.05], [0.0, 0.1, 0.95]])
PRIOR = np.array([0.5, 0.2, 0.3])


def test_there_and_back() -> None:
    matrix = noise_matrix_from_cleanlab(Q)
    np.testing.assert_array_equal(matrix.numpy(), Q)
    np.testing.assert_allclose(noise_matrix_to_cleanlab(matrix.float()), Q, atol=1e-7)
    np.testing.assert_allclose(noise_matrix_to_cleanlab(matrix.float()).sum(axis=0), 1, rtol=0, atol=1e-15)
    joint = joint_from_noise_matrix(matrix, torch.from_numpy(PRIOR))
    for j in range(3):
        for i in range(3):
            assert joint[j, i] == pytest.approx(Q[j, i] * PRIOR[i])
    np.testing.assert_allclose(noise_matrix_from_joint(joint).numpy(), Q)


def test_probabilities_of_given_labels_are_those_of_a_naive_loop() -> None:
    p = np.random.default_rng(0).dirichlet([1, 2, 3], size=5)
    seen = given_label_probs(torch.from_numpy(p).float(), torch.from_numpy(Q))
    for n in range(5):
        for j in range(3):
            assert seen[n, j] == pytest.approx(sum(Q[j, i] * p[n, i] for i in range(3)), abs=1e-6)
    assert not np.allclose(seen, p @ Q, atol=0.01)  # transposed


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: noise_matrix_from_cleanlab(Q.T), "columns must sum to 1"),
        (
            lambda: noise_matrix_from_joint([[1, 0], [1, 0]]),
            "no mass in column 1: nothing says how true class 1",
        ),
        (lambda: noise_matrix_from_joint([[1, -1], [1, 2]]), "none of them negative or missing"),
        (lambda: noise_matrix_from_joint([1, 2]), r"joint must have shape \(K, K\).*got \(2,\)"),
        (
            lambda: joint_from_noise_matrix(torch.from_numpy(Q), torch.ones(3)),
            "3 shares that sum to 1.*sum 3",
        ),
        (
            lambda: given_label_probs(np.ones((2, 2)) / 2, torch.from_numpy(Q)),
            r"shape \(N, 3\).*got \(2, 2\)",
        ),
        (lambda: given_label_probs(np.ones((2, 3)), torch.from_numpy(Q)), "give softmax.*not logits"),
    ],
)
def test_what_is_unfit_is_refused(call: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()


THEIRS = """
import json, sys
import numpy as np
from cleanlab.count import compute_confident_joint, estimate_joint, estimate_noise_matrices
from cleanlab.filter import find_label_issues
from cleanlab.internal.latent_algebra import compute_inv_noise_matrix
given = np.load(sys.argv[1])
labels, probs = given["labels"], given["probs"]
counts = compute_confident_joint(labels, probs)
py, nm, inverse = __import__("cleanlab.count", fromlist=["x"]).estimate_latent(counts, labels)
print(json.dumps({
    "joint": estimate_joint(labels, probs).tolist(), "counts": counts.tolist(), "noise_matrix": nm.tolist(),
    "py": py.tolist(),
    "inverse": compute_inv_noise_matrix(given["prior"], given["noise_matrix"]).tolist(),
    "issues": int(find_label_issues(labels, probs).sum()),
}))
"""


def test_cleanlab_itself_agrees(tmp_path: Path) -> None:
    interpreter = os.environ.get("NOISELAYER_CLEANLAB")
    if interpreter is None and find_spec("cleanlab") is not None:
        interpreter = shutil.which("python")
    if interpreter is None:
        pytest.skip(
            "needs cleanlab: name the interpreter of an environment that has it in NOISELAYER_CLEANLAB"
        )
    # Samples whose true class is sure, and labels drawn through Q.
    generator = np.random.default_rng(0)
    truth = generator.choice(3, size=6000, p=PRIOR)
    labels = np.array([generator.choice(3, p=Q[:, i]) for i in truth])
    p = np.full((6000, 3), 0.01)
    p[np.arange(6000), truth] = 0.98
    given = tmp_path / "given.npz"
    np.savez(
        given,
        labels=labels,
        probs=given_label_probs(p, torch.from_numpy(Q)),
        noise_matrix=noise_matrix_to_cleanlab(torch.from_numpy(Q)),
        prior=PRIOR,
    )
    done = subprocess.run(
        [interpreter, "-c", THEIRS, str(given)], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    theirs = json.loads(done.stdout.splitlines()[-1])
    # Their noise matrix is ours: the same columns, near the truth, far from its transpose.
    found = noise_matrix_from_cleanlab(theirs["noise_matrix"]).numpy()
    assert np.abs(found - Q).mean() < 0.07
    assert np.abs(found - Q.T).mean() > np.abs(found - Q).mean() + 0.03
    np.testing.assert_allclose(noise_matrix_from_joint(theirs["joint"]).numpy(), found, atol=0.02)
    # Their Bayes from our matrix: p(true = i | given = j), our columns are their columns.
    joint = joint_from_noise_matrix(torch.from_numpy(Q), torch.from_numpy(PRIOR))
    np.testing.assert_allclose(
        np.array(theirs["inverse"]), (joint / joint.sum(axis=1, keepdims=True)).T, atol=1e-6
    )
    assert theirs["issues"] > 0
