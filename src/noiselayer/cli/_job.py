"""Commands whose options are the fields of a job's dataclass."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields
from types import NoneType
from typing import Annotated, Any, get_args, get_type_hints

import typer

from noiselayer.errors import InputError, argument
from noiselayer.jobs.option import flags_of, option_of


def parse_list(text: str) -> tuple[str, ...]:
    """Names with commas between them.

    >>> parse_list("age, town")
    ('age', 'town')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(text: str) -> tuple[float, ...]:
    """Numbers with commas between them.

    >>> parse_numbers("0,0.1,1")
    (0.0, 0.1, 1.0)
    """
    try:
        return tuple(float(part) for part in parse_list(text))
    except ValueError:
        raise ValueError(
            f"takes numbers with commas between them, as 0,0.1,0.2,0.4,1; got {text!r}."
        ) from None


def parse_size(text: str) -> tuple[int, int]:
    """Height and width in pixels.

    >>> parse_size("32"), parse_size("32x48")
    ((32, 32), (32, 48))
    """
    sides = text.lower().split("x")
    if len(sides) > 2 or not all(side.strip().isdigit() and int(side) > 0 for side in sides):
        raise ValueError(f"must be a positive number of pixels, or HEIGHTxWIDTH; got {text!r}.")
    return int(sides[0]), int(sides[-1])


def parse_devices(text: str) -> int | str:
    """A number of devices, or what Lightning understands: "auto", "0,2".

    >>> parse_devices("2"), parse_devices("auto")
    (2, 'auto')
    """
    return int(text) if text.lstrip("-").isdigit() else text


# Types that are typed as text.
_PARSERS: dict[Any, Callable[[str], Any]] = {
    tuple[str, ...]: parse_list,
    tuple[float, ...]: parse_numbers,
    tuple[int, int]: parse_size,
    int | str: parse_devices,
}


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """A command that takes a job as one that takes its fields.

    >>> from noiselayer.jobs.corrupt_options import CorruptJob
    >>> def show(job):
    ...     print(job.class_names)
    >>> show.__annotations__["job"] = CorruptJob
    >>> with_options(show)(labels="y.npy", out="noisy.npy", class_names="cat,dog")
    ('cat', 'dog')
    """
    job_class: Any = get_type_hints(command)["job"]
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
    shown: Any = option.shown or True
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
            envvar=option.variable,
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
