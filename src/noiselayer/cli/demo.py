"""``noiselayer demo``."""

from __future__ import annotations

from typing import Any

from noiselayer.cli._errors import say
from noiselayer.errors import InputError
from noiselayer.jobs.reproduce_options import DemoJob


def demo(job: DemoJob) -> None:
    """See it work: handwritten digits, 45 % of whose labels are made wrong, or photographs that people labelled.

    Digits need no data: trains as usual, with a learned noise matrix, and with the true one. --photos does so with
    CIFAR-10N's labels, 40 % of which are wrong, on features of a pretrained network, where both are on this machine.
    """
    found, labels, listed, wrong, errors = _photographs(job) if job.photos else _digits(job)
    _print_table(found, "photographs" if job.photos else "digits")
    say(f"Of the {listed} labels it is surest are wrong, {wrong} are wrong.")
    say(
        f"It calls {errors['flagged']} of the {labels:,} training labels wrong; "
        f"{errors['flagged_and_wrong']} of these are, of {errors['wrong']} in all."
    )
    page = "photographs-audit/report.html" if job.photos else "suspects.html"
    say(f"Written to {job.out} in {found.seconds:.0f} seconds: look at noise_matrix.png and {page}.")


def _digits(job: DemoJob) -> tuple[Any, int, int, int, dict[str, int]]:
    say("1,797 handwritten digits; a quarter is held out, with true labels, for the test.")
    say("In the rest every digit is mistaken for the next one 45 % of the time: 0 becomes 1, 9 becomes 0.")
    from noiselayer.jobs.demo.digits import label_errors, really_wrong, run_demo
    from noiselayer.jobs.demo.output import DemoFolder, save_demo

    folder = DemoFolder(job.out)
    try:
        found = run_demo(job.seed, on_step=say)
        suspects = save_demo(folder, found)
    finally:
        folder.remove_if_empty()
    wrong = really_wrong(found, suspects)
    return found, len(found.noisy_labels), len(suspects), wrong, label_errors(found)


def _photographs(job: DemoJob) -> tuple[Any, int, int, int, dict[str, int]]:
    how = "docs/datasets.md says how to make the file."
    if job.data is None:
        raise InputError(
            f"skipped: demo --photos needs CIFAR-10 with people's labels: name the folder of cifar10.npz with --data "
            f"or NOISELAYER_DATA; {how}"
        )
    from noiselayer.jobs.demo.output import DemoFolder
    from noiselayer.jobs.demo.photographs import Photographs, network_for_photographs, run_photographs
    from noiselayer.paper.datasets import load_cifar10

    network = network_for_photographs()
    sets = load_cifar10(job.data)
    if "worse" not in sets["cifar10n"]:
        raise InputError(f"skipped: {job.data} has no labels that people gave, cifar10n_worse; {how}")
    train, test = sets["train"], sets["test"]
    given = Photographs(
        train.images, sets["cifar10n"]["worse"], train.labels, test.images, test.labels, train.class_names
    )
    folder = DemoFolder(job.out)
    try:
        found = run_photographs(given, network, folder, job.seed, say=say)
    finally:
        folder.remove_if_empty()
    return found, found.labels, found.listed, found.really_wrong, found.label_errors


def _print_table(found: Any, samples: str) -> None:
    from rich.console import Console
    from rich.table import Table

    distance = found.noise_matrix_l1()
    table = Table(title=f"Errors on {found.test_samples} {samples} with true labels")
    table.add_column("method")
    table.add_column("trained")
    table.add_column("test error", justify="right")
    table.add_column("distance of the matrix", justify="right")
    rows = {
        "normal": ("as usual", ""),
        "learned": ("with a learned noise matrix", f"{distance['learned']:.3f}"),
        "known": ("with the true noise matrix", "0"),
    }
    for method, (words, how_far) in rows.items():
        table.add_row(method, words, f"{found.test_error[method]:.1f} %", how_far)
    Console().print(table)
    say(
        "Distance to the true noise matrix: a column's absolute differences added up, mean over columns. "
        f"Counting wrong labels with all the true ones at hand would give {distance['counted']:.3f}."
    )
