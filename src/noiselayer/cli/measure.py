"""``noiselayer measure``."""

from __future__ import annotations

from noiselayer.cli._errors import say
from noiselayer.jobs.measure_options import MeasureJob


def measure(job: MeasureJob) -> None:
    """Say how right a labeller is, class by class, and what the true shares are, from a few checked labels.

    The labeller is a language model, a person, a rule, any classifier. The checked samples are some of those it
    labelled, drawn at random; their true classes stand in a column of the same table, or in a table of their own.

    Leaves a page, a table (measure.csv) and everything in measure.json.
    """
    from noiselayer.jobs.measure import measure_table
    from noiselayer.jobs.measure_next import checks_for

    found = measure_table(job)
    figures = found.figures
    for note in figures.notes:
        say(f"Note: {note}")
    say(
        f"{figures.num_checked:,} of {figures.num_samples:,} labels were checked. Right: {figures.accuracy}; "
        f"beyond chance: {figures.kappa.value:.2f} ({figures.kappa.low:.2f} to {figures.kappa.high:.2f})."
    )
    for name, share, labelled in zip(found.class_names, figures.shares, figures.label_shares, strict=True):
        say(f"  {name}: {share} of the samples; the labels alone say {100 * labelled:.1f} %")
    for group in found.groups:
        few = (
            "too few of its labels were checked"
            if group.figures is None
            else f"right: {group.figures.accuracy}"
        )
        less = "" if group.apart is None else f"; against the others {group.apart}"
        say(f"  {job.group_column} {group.name}: {few}{less}")
    if (test := found.stand_in) is not None:
        say(
            f"The labeller may {'' if test.passed else 'not '}stand in for people: compared with "
            f"{sum(duel.beaten for duel in test.duels)} of {len(test.duels)} of them it agrees with the others as "
            f"well, less {test.epsilon:g} (alternative annotator test; half are needed)."
        )
    if more := checks_for(figures):
        say(f"Some {more:,} more checks drawn at random would tell the share of right labels to 2 points.")
    if job.suggest is not None:
        table = job.out / "next.csv"
        say(
            f"{job.suggest:,} samples to check are in {table}, below the {figures.num_checked:,} that were checked "
            "before, whose column checked is filled in already: fill it in where it is empty, or decide on the page "
            f"next.html beside it and export. Then measure again with --gold {table} --checked-column checked "
            f"--weight-column weight{'' if job.id_column is None else f' --id-column {job.id_column}'}, and --reviewed "
            "with what the page exported."
        )
    say(f"Written to {job.out}.")
