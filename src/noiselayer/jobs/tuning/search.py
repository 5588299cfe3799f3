"""Which options are searched, and where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

from noiselayer.errors import InputError, argument, nearest
from noiselayer.training.options import Optimization, TrainingOptions

# name -> (smallest and largest value there is, the range searched if none is given)
_SEARCHABLE: dict[str, tuple[float, float, tuple[float, float, bool]]] = {
    "noisy_weight": (0.0, math.inf, (0.0, 1.0, False)),  # gamma, §3.6
    "alpha": (0.0, 1.0, (0.1, 1.0, False)),  # §3.5
    "noise_weight_decay": (0.0, math.inf, (0.0001, 0.1, True)),  # §3.3
    "trace_penalty": (0.0, math.inf, (0.001, 1.0, True)),
    "volume_penalty": (0.0, math.inf, (1e-5, 1e-2, True)),
    "outside_weight": (0.0, math.inf, (0.0, 1.0, False)),  # §4.2
}


@dataclass(frozen=True)
class SearchRange:
    """Where one option is searched; ``values`` are the very values to try, ascending, in place of a search."""

    name: str
    low: float
    high: float
    log: bool = False
    values: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        smallest, largest, _ = _SEARCHABLE[_name(self.name)]
        if not (math.isfinite(self.low) and math.isfinite(self.high)):
            raise InputError(f"the range of {self.name} must be finite; got {self.low:g}:{self.high:g}.")
        for value in (self.low, self.high, *self.values):
            if not smallest <= value <= largest:
                allowed = "from 0 up" if largest == math.inf else f"between {smallest:g} and {largest:g}"
                raise InputError(
                    f"{argument(self.name)} must be a number {allowed}; the search asks for {value:g}."
                )
        if not self.low < self.high:
            raise InputError(
                f"the range of {self.name} is empty: {self.low:g}:{self.high:g}. Give the smaller end first, and two "
                "different ones."
            )
        if self.log and self.low == 0 and not self.values:
            raise InputError(
                f"a logarithmic search of {self.name} cannot begin at 0; begin it at a small number, such as "
                f"{self.high / 1000:g}."
            )

    @property
    def title(self) -> str:
        """As it is written on the command line and in pictures."""
        return self.name.replace("_", "-")


def parse_search(text: str) -> SearchRange:
    """A range as people type it: ``NAME=LOW:HIGH``, ``NAME=LOW:HIGH:log``, or ``NAME`` for the usual one.

    >>> parse_search("noise-weight-decay=0.001:0.1:log")
    SearchRange(name='noise_weight_decay', low=0.001, high=0.1, log=True, values=())
    >>> parse_search("gama=0:1")
    Traceback (most recent call last):
    ...
    noiselayer.errors.InputError: 'gama' cannot be searched; what can is alpha, noise-weight-decay, noisy-weight,
    outside-weight, trace-penalty, volume-penalty. Did you mean 'gamma'? It is called noisy-weight here.
    """
    name, given, rest = (part.strip() for part in text.partition("="))
    name = _name(name)
    if not given:
        return SearchRange(name, *_SEARCHABLE[name][2])
    parts = [part.strip() for part in rest.split(":")]
    log = parts[2:] == ["log"]
    if len(parts) != 2 + log:
        raise InputError(f"a range to search is written NAME=LOW:HIGH or NAME=LOW:HIGH:log; got {text!r}.")
    try:
        low, high = (float(part) for part in parts[:2])
    except ValueError:
        raise InputError(f"the ends of a range must be numbers; got {text!r}.") from None
    return SearchRange(name, low, high, log)


def with_grid(search: Sequence[SearchRange], values: Sequence[float]) -> tuple[SearchRange, ...]:
    """Try the given values of one option, in place of a search.

    >>> with_grid([SearchRange("noisy_weight", 0.0, 1.0)], [1.0, 0.2, 0.0])[0].values
    (0.0, 0.2, 1.0)
    """
    if len(search) != 1:
        raise InputError(
            f"a grid is for one option, and {len(search)} are searched ({', '.join(s.title for s in search)}); name "
            "one, or leave the grid out."
        )
    chosen = tuple(sorted(set(values)))
    if len(chosen) < 2:
        raise InputError(f"a grid needs at least two different values; got {len(chosen)}.")
    return (replace(search[0], low=chosen[0], high=chosen[-1], values=chosen),)


def default_search(options: TrainingOptions, *, clean: bool) -> tuple[SearchRange, ...]:
    """What is worth searching with a method (not "auto" any more), if nobody says what.

    >>> [range.name for range in default_search(TrainingOptions("top-down"), clean=False)]
    ['alpha']
    """
    if options.method == "top-down":
        name = "alpha"
    elif clean and options.train_on_clean:
        name = "noisy_weight"
    elif options.method == "refined" or (
        options.method == "learned" and options.start in ("identity", "joint")
    ):
        name = "noise_weight_decay"
    else:
        raise InputError(
            f"there is nothing to search with method {options.method!r} and no clean samples to train on. Give some "
            "(their weight is searched then), take method 'top-down' (alpha), or 'learned' with start 'identity' "
            "(noise-weight-decay)."
        )
    return (parse_search(name),)


def apply_values(options: TrainingOptions, values: dict[str, float]) -> TrainingOptions:
    """The options with searched values in their places.

    >>> apply_values(TrainingOptions(), {"noisy_weight": 0.2, "trace_penalty": 0.1}).optimization.trace_penalty
    0.1
    """
    rates = {field.name for field in fields(Optimization)} & values.keys()
    optimization = replace(options.optimization, **{name: values[name] for name in rates})  # type: ignore[arg-type]
    others = {name: value for name, value in values.items() if name not in rates}
    return replace(options, optimization=optimization, **others)  # type: ignore[arg-type]


_OTHER_NAMES = {"gamma": "noisy-weight", "weight-decay": "noise-weight-decay", "trace": "trace-penalty"}


def _name(text: str) -> str:
    """The option that is meant, or an error that offers the nearest."""
    name = text.replace("-", "_").lower()
    if name in _SEARCHABLE:
        return name
    if name == "sparsity":
        raise InputError(
            "sparsity is not searched here: noiselayer.estimation.select_sparsity chooses it by cross-validation "
            "whenever a sparse matrix is estimated."
        )
    titles = sorted(known.replace("_", "-") for known in _SEARCHABLE)
    hint = nearest(text.replace("_", "-"), [*titles, *_OTHER_NAMES])
    meant = hint.split("'")[1] if hint else ""
    if meant in _OTHER_NAMES:
        hint += f" It is called {_OTHER_NAMES[meant]} here."
    raise InputError(f"{text!r} cannot be searched; what can is {', '.join(titles)}.{hint}")
