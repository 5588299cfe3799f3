"""200 damaged inputs and arguments out of range, and those that once went wrong."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fuzz_files
import fuzzing
import numpy as np
import pytest
from fuzz_calls import CALLS
from scipy.sparse import csr_matrix

CASES, PIECES = 200, 8


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fuzz") / "template"
    fuzzing.make_template(folder)
    return folder


def test_every_command_and_every_public_name_has_cases() -> None:
    assert fuzzing.missing() == []
    assert max(len(fuzzing.COMMANDS), len(fuzzing.NAMES)) <= CASES // 2


@pytest.mark.parametrize("piece", range(PIECES))
def test_no_input_ends_in_a_traceback(piece: int, template: Path) -> None:
    found = [one for seed in range(piece, CASES, PIECES) for one in fuzzing.try_seed(seed, template)]
    assert not found, "\n".join(map(str, found))


@pytest.fixture
def here(template: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with valid files of every kind, which is the current one."""
    folder = tmp_path / "here"
    shutil.copytree(template, folder)
    with fuzzing.in_folder(folder):
        yield folder


NOT_UTF8 = "it is not in UTF-8 (byte 0xff); save it as UTF-8"


@pytest.mark.parametrize(
    ("damaged", "content", "words", "message"),
    [
        (
            "probs.npy",
            b"",
            "audit y.npy --probs probs.npy --probs-predict true --out out",
            "cannot read probs.npy",
        ),
        (
            "probs.npy",
            b"",
            "combine votes.csv --label-columns w1,w2 --probs probs.npy --out o.csv",
            "cannot read probs.npy",
        ),
        ("run/noise_matrix.csv", b"\xff", "predict run x.npy", NOT_UTF8),
        ("matrix.csv", b"\xff", "corrupt y.npy --noise matrix.csv --out o.npy", NOT_UTF8),
        ("review.csv", b"\xff", "report audit --reviewed review.csv --out o.html", NOT_UTF8),
        ("studio.json", b"\xff", "apply-review text.npy studio.json --out o.npy", NOT_UTF8),
        ("run/config.json", b"\xff", "report run --out o.html", NOT_UTF8),
        ("run/splits.npz", b"", "report run --out o.html --data data.npz", "cannot read run/splits.npz"),
        ("run/config.json", b'{"format": 1, "inputs": 3}', "predict run x.npy", "run/config.json is damaged"),
        (
            "review.csv",
            b"sample,id,given_label,decision,new_label\n0," + b"9" * 5000 + b",no_class,exclude,\n",
            "apply-review text.npy review.csv --out o.npy",
            "sample 0 carries",
        ),
        ("run/config.json", b"[" * 100_000, "report run --out o.html", "it is nested too deeply"),
        ("audit/noise_matrix.csv", None, "report audit --out o.html", "must be a regular file; it is a pipe"),
        (
            "matrix.csv",
            None,
            "train x.npy --labels y.npy --method known --noise-matrix matrix.csv --out o",
            "it is a pipe",
        ),
        (
            "matrix.csv",
            None,
            "audit y.npy --probs probs.npy --probs-predict true --noise-matrix matrix.csv --out o",
            "matrix.csv must be a regular",
        ),
        ("matrix.csv", None, "corrupt y.npy --noise matrix.csv --out o.npy", "got 'matrix.csv'"),
        (
            "probs.csv",
            None,
            "combine votes.csv --label-columns w1,w2 --probs probs.csv --out o.csv",
            "a pipe",
        ),
        ("llm.csv", None, "measure llm.csv --label-column label --checked-column checked --out o", "a pipe"),
        ("review.csv", None, "apply-review text.npy review.csv --out o.npy", "review.csv"),
        ("true.npy", None, "estimate --true-labels true.npy --given-labels y.npy --out o", "it is a pipe"),
        ("run/weights.safetensors", None, "predict run x.npy", "must be a regular file; it is a pipe"),
        ("table.csv", None, "measure llm.csv --label-column label --gold table.csv --out o", "it is a pipe"),
        (
            "y.npy",
            np.array([b"\xff"] * 45),
            "corrupt y.npy --out o.npy",
            "must be integers or text: it is",
        ),
    ],
)
def test_damaged_files_are_named(here: Path, damaged: str, content: Any, words: str, message: str) -> None:
    (here / damaged).unlink()
    if content is None:
        os.mkfifo(here / damaged)
    elif isinstance(content, bytes):
        (here / damaged).write_bytes(content)
    else:
        np.save(here / damaged, content)
    _refused(words.split(), message)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            "measure llm.csv --label-column label --gold images --out o",
            "images must be a regular file; it is a folder",
        ),
        ("measure llm.csv --label-column label --gold none.csv --out o", "there is no table none.csv"),
        (
            "corrupt y.npy --out none/o.npy",
            "there is no folder none to write o.npy into; make it",
        ),
        ("corrupt y.npy --out .", "--out must end with .npy, .npz or as a table does"),
        ("corrupt y.npy --out /", "; got '/'"),
        ("combine votes.csv --label-columns w1,w2 --out .", "--out must be a file .csv; got '.'"),
        (
            "predict run x.npy --out .",
            "--out must end with .csv or .parquet, or be - for the screen; got '.'",
        ),
        ("report run --out .", "--out must end with .html; got '.'"),
        ("audit y.npy --probs . --probs-predict true --out o", "got '.'"),
        (
            f"audit table.csv --label-column label --ignore id,checked --noise-matrix {'x' * 300} --out o",
            "File name too long",
        ),
        ("train x.npy --labels my:bug:/z.npy --out o", "my:bug:/z.npy"),
        ("train x.npy --labels a\x1b[31mb --out o", "a\\x1b[31mb"),
        ("predict run \udcff.npy", "\\udcff.npy"),
        ("predict run a", "there is no file or folder a."),
        ("predict run \u00a0", r"there is no file or folder '\xa0'."),
        *[
            (
                f"{line} --out o.csv",
                f"{name} must be a path on this disk; got http://localhost/x.csv. Download",
            )
            for name, line in {
                "DATA": "train http://localhost/x.csv",
                "RUN": "predict http://localhost/x.csv x.npy",
                "DECISIONS": "apply-review table.csv http://localhost/x.csv",
                "TABLE": "combine http://localhost/x.csv",
                "--probs": "audit y.npy --probs http://localhost/x.csv",
                "--noise-matrix": "train x.npy --noise-matrix http://localhost/x.csv",
                "FOLDER": "report http://localhost/x.csv",
            }.items()
        ],
        ("train x.npy --out s3://box/run", "--out must be a path on this disk; got s3://box/run. Write"),
    ],
)
def test_odd_names_are_named(here: Path, words: str, message: str) -> None:
    _refused(words.split(" "), message)


def _refused(words: list[str], message: str) -> None:
    with fuzzing.bound() as late:
        result = fuzzing.run(words)
    assert not late
    assert result.exit_code == 2, (result.output, result.exception)
    assert message in result.stderr
    assert not list(fuzzing.faults_of(words, result, Path.cwd()))


NUMBERS_AND_NAMES = [
    ("accuracy_from_noisy_labels", "confidence"),
    ("accuracy_from_noisy_labels", "num_bootstrap"),
    ("audit_labels", "class_names"),
    ("check_noise_model", "level"),
    ("combine_labels", "confidence"),
    ("estimate_from_pairs", "num_classes"),
    ("estimate_from_pairs", "prior_strength"),
    ("estimate_from_predictions", "num_bootstrap"),
    ("measure_labels", "level"),
    ("noise", "rate"),
    ("noise", "num_classes"),
    ("uniform_conversion", "alpha"),
    ("uniform_conversion", "num_classes"),
    ("NoisyLabelBoostingClassifier", "cv"),
    ("NoisyLabelMetaClassifier", "max_iter"),
    ("NoisyLabelClassifier", "alpha"),
    ("NoisyLabelClassifier", "method"),
    ("noisy_label_loss", "ignore_index"),
    ("noisy_label_loss", "reduction"),
    ("top_down_loss", "reduction"),
]
VALUES = [("None", "class_names"), (repr(10**30), "prior_strength")]  # no names at all, and a strong prior


@pytest.mark.parametrize(
    ("name", "argument", "value"),
    [
        (name, argument, value)
        for name, argument in NUMBERS_AND_NAMES
        for value in ("x", None, [1], 1j, 10**30, -(10**30), np.array([1, 2]))
        if (repr(value), argument) not in VALUES
    ],
)
def test_a_value_of_another_type_is_named(name: str, argument: str, value: Any) -> None:
    function, arguments = CALLS[name][0]
    with pytest.raises((TypeError, ValueError), match=rf"^{argument} must|^{argument} is"):
        function(**{**arguments, argument: value})


@pytest.mark.parametrize(
    "value", [None, "x", [[0.5, 0.5]], np.eye(3), csr_matrix(np.eye(3))], ids=lambda v: type(v).__name__
)
@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("noisy_label_loss", "logits"),
        ("noisy_label_loss", "noisy_labels"),
        ("noisy_label_loss", "noise_matrix"),
        ("noisy_label_loss", "weight"),
        ("top_down_loss", "logits"),
        ("top_down_loss", "noisy_labels"),
        ("top_down_loss", "conversion_matrix"),
        ("SparseNoiseMatrix", "labels"),
        ("SparseNoiseMatrix", "values"),
    ],
)
def test_what_is_no_tensor_is_named(name: str, argument: str, value: Any) -> None:
    function, arguments = CALLS[name][0]
    if value is None and argument == "weight":  # no weights are fine
        assert bool(function(**{**arguments, argument: None}).isfinite().all())
        return
    with pytest.raises(TypeError, match=rf"^{argument} must be a torch.Tensor; got"):
        function(**{**arguments, argument: value})


@pytest.mark.parametrize("name", ["audit_labels", "estimate_from_pairs", "combine_labels", "measure_labels"])
def test_a_sparse_array_is_named(name: str) -> None:
    function, arguments = CALLS[name][0]
    argument = next(iter(arguments))
    with pytest.raises(
        TypeError, match=rf"^{argument} must be a dense array; got csr_matrix. Use {argument}.toarray"
    ):
        function(**{**arguments, argument: csr_matrix(np.asarray(arguments[argument]).reshape(60, -1))})


def test_a_review_of_labels_alone_is_applied_to_their_file(here: Path) -> None:
    before = np.load("text.npy")
    (here / "d.csv").write_text(
        f"sample,id,given_label,decision,new_label\n0,0,{before[0]},pick,owl\n", encoding="utf-8"
    )
    result = fuzzing.run(["apply-review", "text.npy", "d.csv", "--out", "o.npy"])
    assert result.exit_code == 0, result.output
    assert np.load("o.npy").tolist() == ["owl", *before[1:].tolist()]


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        (name, argument)
        for name in (
            *("audit_labels", "check_noise_model", "accuracy_from_noisy_labels", "estimate_from_predictions"),
            *("combine_labels", "estimate_from_pairs", "noise_floor", "measure_labels"),
        )
        for argument, value in CALLS[name][0][1].items()
        if isinstance(value, np.ndarray)
    ],
)
def test_complex_numbers_are_named(name: str, argument: str) -> None:
    function, arguments = CALLS[name][0]
    with pytest.raises((TypeError, ValueError), match=argument):
        function(**{**arguments, argument: arguments[argument] * 1j})


@pytest.mark.slow
def test_whatever_stands_in_the_description_of_an_audit_is_named_or_shown(here: Path) -> None:
    whole = json.loads((here / "audit/audit.json").read_text(encoding="utf-8"))
    places: list[tuple[Any, Any]] = []
    fuzz_files._collect(whole, places)
    values = (10**18, 10**400, -1, "x", None, [], 1e308)
    commands = ("report audit --out o.html --force", "export-review audit --out o.csv --force")
    for number, (node, key) in enumerate(places):
        kept, node[key] = node[key], values[number % len(values)]
        (here / "audit/audit.json").write_text(json.dumps(whole), encoding="utf-8")
        words = commands[number % 2].split()
        result = fuzzing.run(words)
        assert not list(fuzzing.faults_of(words, result, Path.cwd())), (key, result.output, result.exception)
        node[key] = kept


def test_a_single_number_is_no_array_of_probabilities() -> None:
    function, arguments = CALLS["confusion_matrix"][0]
    with pytest.raises(
        ValueError, match=r"^probs must have shape \(N, K\), a row per sample; got a single number"
    ):
        function(**{**arguments, "probs": 3})


@pytest.mark.parametrize("sparsity", [10**30, float("inf")])
def test_a_penalty_without_bounds_is_named_or_taken(sparsity: float) -> None:
    function, arguments = CALLS["estimate_from_predictions"][0]
    if sparsity < float("inf"):
        assert np.isfinite(function(**{**arguments, "sparsity": sparsity}).noise_matrix).all()
    else:
        with pytest.raises(
            ValueError, match="^sparsity is the weight of a penalty, finite and at least 0; got inf"
        ):
            function(**{**arguments, "sparsity": sparsity})
