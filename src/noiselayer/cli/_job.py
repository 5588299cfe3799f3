"""Commands whose options are the fields of a job's dataclass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from types import NoneType
from typing import Annotated, Any, get_args, get_type_hints

import typer

from noiselayer.cli._parse import parse_devices, parse_list, parse_numbers, parse_size
from noiselayer.errors import InputError, argument
from noiselayer.jobs.option import flags_of, option_of

# Types that are typed as text.
_PARSERS: dict[Any, Callable[[str], Any]] = {
    tuple[str, ...]: parse_list,
    tuple[float, ...]: parse_numbers,
    tuple[int, int]: parse_size,
    int | str: parse_devices,
}


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes a job as one that takes its fields; other commands stay as they are.

    >>> from noiselayer.jobs.corrupt_options import CorruptJob
    >>> def show(job):
    ...     print(job.class_names)
    >>> show.__annotations__["job"] = CorruptJob
    >>> with_options(show)(labels="y.npy", out="noisy.npy", class_names="cat,dog")
    ('cat', 'dog')
    """
    job_class: Any = get_type_hints(command).get("job")
    if job_class is None:
        return command
    types = {field.name: option_of(job_class, field)[0] for field in fields(job_class)}
    parsers = {name: _PARSERS[kind] for name, kind in map(_bare, types.items()) if kind in _PARSERS}

    @functools.wraps(command)
    def asked(**values: Any) -> None:
        for name, parse in parsers.items():
            if values.get(name) is not None:
                try:
                    values[name] = parse(values[name])
                except ValueError as error:
                    raise InputError(f"{argument(name)} {error}") from error
        # What has not been given has the field's own default.
        command(job_class(**{name: value for name, value in values.items() if value is not None}))

    parameters = [_parameter(job_class, field, field.name in parsers) for field in fields(job_class)]
    asked.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return asked


def _bare(named: tuple[str, Any]) -> tuple[str, Any]:
    """A field's type without None."""
    name, kind = named
    kinds = tuple(part for part in get_args(kind) if part is not NoneType)
    return name, kinds[0] if NoneType in get_args(kind) and len(kinds) == 1 else kind


def _parameter(job_class: type, field: Field[Any], as_text: bool) -> inspect.Parameter:
    kind, option = option_of(job_class, field)
    if as_text:
        kind = str if field.default is MISSING else str | None
    shown: Any = option.default or True
    about: Any
    if option.positional:
        about = typer.Argument(help=option.help, show_default=shown)
    else:
        flags = flags_of(field, option)
        if field.default is True:  # only the other position is typed
            flags, shown = (f" /{flags[0]}",), False
        about = typer.Option(
            *flags,
            help=option.help,
            rich_help_panel=option.panel,
            show_default=shown,
            min=option.least,
            max=option.most,
        )
    default = (
        inspect.Parameter.empty
        if field.default is MISSING
        else None
        if field.default == ()
        else field.default
    )
    return inspect.Parameter(
        field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, about]
    )
