"""How the fields of a job's dataclass are asked for on the command line; imports nothing that computes."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass, field, fields
from typing import Any, get_type_hints


@dataclass(frozen=True)
class Option:
    """What the command line needs to know of a field beside its name, type and default.

    ``panel`` is the heading in the help, ``names`` what is typed (``--field-name`` if empty), ``shown`` the default in
    words, where the field's own says too little, ``least`` and ``most`` the numbers allowed, ``variable`` that of the
    environment that stands in for what is not typed.
    """

    help: str
    panel: str | None = None
    names: tuple[str, ...] = ()
    shown: str | None = None
    least: int | None = None
    most: int | None = None
    positional: bool = False
    variable: str | None = None


def option(default: Any, help: str, *about: Any, **more: Any) -> Any:
    """A field of a job's dataclass: its default, ``...`` where it must be given, and its :class:`Option`."""
    metadata = {"option": Option(help, *about, **more)}
    return field(metadata=metadata) if default is ... else field(default=default, metadata=metadata)


def option_of(job: type, field: Field[Any]) -> tuple[Any, Option]:
    """The type of a field and its option.

    >>> from noiselayer.jobs.corrupt_options import CorruptJob
    >>> kind, option = option_of(CorruptJob, fields(CorruptJob)[0])
    >>> kind.__name__, option.positional
    ('str', True)
    """
    return get_type_hints(job)[field.name], field.metadata["option"]


def flags_of(field: Field[Any], option: Option) -> tuple[str, ...]:
    """What is typed to give a field: a switch that is on names its other position.

    >>> @dataclass
    ... class Job:
    ...     progress: bool = True
    >>> flags_of(fields(Job)[0], Option("No progress bars."))
    ('--no-progress',)
    """
    name = field.name.replace("_", "-")
    return option.names or (f"--no-{name}" if field.default is True else f"--{name}",)


def given(job: Any, part: type, *, without: tuple[str, ...] = ()) -> dict[str, Any]:
    """The fields that a job shares with another dataclass, as that one's arguments; None says nothing.

    >>> @dataclass
    ... class Job:
    ...     seed: int = 3
    ...     out: str = "run"
    >>> @dataclass
    ... class Part:
    ...     seed: int
    ...     rate: float
    >>> given(Job(), Part)
    {'seed': 3}
    """
    shared = {field.name for field in fields(job)} - set(without)
    values = {field.name: getattr(job, field.name) for field in fields(part) if field.name in shared}
    return {name: value for name, value in values.items() if value is not None}


def differing(job: Any) -> dict[str, Any]:
    """The fields that somebody has chosen: those with another value than their default.

    >>> @dataclass
    ... class Job:
    ...     seed: int = 0
    ...     folds: int = 5
    >>> differing(Job(seed=1))
    {'seed': 1}
    """
    return {field.name: getattr(job, field.name) for field in fields(job) if _chosen(job, field)}


def _chosen(job: Any, field: Field[Any]) -> bool:
    return field.default is MISSING or getattr(job, field.name) != field.default


def command_words(job: Any, job_class: type) -> list[str]:
    """What to type after a command's name to give the fields that a job shares with another job's dataclass.

    >>> from noiselayer.jobs.shared_options import DataOptions
    >>> command_words(DataOptions(data="x", image_size=(8, 12), impute_missing=True), DataOptions)
    ['x', '--impute-missing', '--image-size', '8x12']
    """
    words, chosen = [], differing(job)
    for each in fields(job_class):
        if each.name not in chosen:
            continue
        about, value = option_of(job_class, each)[1], chosen[each.name]
        words += [] if about.positional else [flags_of(each, about)[0]]
        words += [] if isinstance(value, bool) else [_typed(value)]
    return words


def _typed(value: Any) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return ("x" if all(isinstance(part, int) for part in value) else ",").join(map(str, value))
