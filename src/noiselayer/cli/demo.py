"""``noiselayer demo``."""

from __future__ import annotations

from typing import Any

from noiselayer.cli._errors import say
from noiselayer.jobs.reproduce_options import DemoJob


def demo(job: DemoJob) -> None:
    """See it work: handwritten digits, 45 % of whose labels are made wrong.

    Needs no data. Trains as usual, with a learned noise matrix, and with the true one.
    """
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
    _print_table(found)
    errors = label_errors(found)
    wrong = really_wrong(found, suspects)
    say(f"Of the {len(suspects)} labels it is surest are wrong, {wrong} are wrong.")
    say(
        f"It calls {errors['flagged']} of the {len(found.noisy_labels):,} training labels wrong; "
        f"{errors['flagged_and_wrong']} of these are, of {errors['wrong']} in all."
    )
    say(f"Written to {job.out} in {found.seconds:.0f} seconds: look at noise_matrix.png and suspects.html.")


def _print_table(found: Any) -> None:
    from rich.console import Console
    from rich.table import Table

    distance = found.noise_matrix_l1()
    table = Table(title=f"Errors on {found.test_samples} digits with true labels")
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
