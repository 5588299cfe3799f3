"""``noiselayer corrupt``."""

from __future__ import annotations

from noiselayer.cli._errors import say
from noiselayer.jobs.corrupt_options import CorruptJob


def corrupt(job: CorruptJob) -> None:
    """Make labels wrong on purpose, to find out what noise does.

    A table keeps its other columns.

    The noise matrix used goes beside: OUT.noise_matrix.csv, which train --method known takes.
    """
    from noiselayer.jobs.corrupt import corrupt_file

    result = corrupt_file(job)
    say(
        f"{result.changed:,} of {result.total:,} labels ({100 * result.changed / result.total:.1f} %) are "
        f"wrong now. Written to {job.out} and {result.matrix_path}."
    )
