"""``noiselayer predict``."""

from __future__ import annotations

from pathlib import Path

from noiselayer.cli._errors import say
from noiselayer.jobs.option import given
from noiselayer.jobs.predict_options import PredictJob


def predict(job: PredictJob) -> None:
    """Say the true class of new samples, and how probable it is.

    The size of images, the columns of a table and how they are encoded come from the run.
    """
    from noiselayer.data.numpy_files import split_address
    from noiselayer.data.reading import Reading
    from noiselayer.files.given import check_not_read, check_target
    from noiselayer.storage.environment import evaluation_device
    from noiselayer.storage.loaded_run import check_ending, load_run
    from noiselayer.training.options import Hardware

    device = evaluation_device(Hardware(accelerator=job.accelerator))  # before anything is read
    if job.out != "-":
        check_ending(Path(job.out))
        check_not_read((Path(job.out),), (split_address(job.data)[0], job.run))
        check_target(Path(job.out), force=job.force)
    loaded = load_run(job.run)
    samples = loaded.read(job.data, **given(job, Reading))
    predictions = loaded.predict(samples, batch_size=job.batch_size, device=device)
    predictions.write(job.out, probs=job.probs)
    if job.out != "-":
        say(f"{len(predictions):,} predictions written to {job.out}.")
