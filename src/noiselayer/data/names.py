"""Names of samples that are made when they are asked for: a hundred million of them fit into no memory."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt


class _Names(Sequence[str]):
    """Compares and prints like the tuple of its names."""

    @abstractmethod
    def _name(self, index: int) -> str:
        """The name at ``index``, which is in 0..N-1."""

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        N = len(self)
        if isinstance(index, slice):
            return tuple(self._name(k) for k in range(*index.indices(N)))
        place = int(index)
        if not -N <= place < N:
            raise IndexError(f"there are {N} names; got {place}.")
        return self._name(place % N)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or isinstance(other, str):
            return NotImplemented
        return len(self) == len(other) and all(a == b for a, b in zip(self, other, strict=True))

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return repr(tuple(self))


class RowNumbers(_Names):
    """Row numbers counted from 0, as text.

    >>> RowNumbers(3)
    ('0', '1', '2')
    >>> RowNumbers(100_000_000)[-1]
    '99999999'
    """

    def __init__(self, num_samples: int) -> None:
        self.num_samples = num_samples

    def __len__(self) -> int:
        return self.num_samples

    def _name(self, index: int) -> str:
        return str(index)


class ChosenNames(_Names):
    """Some of other names, in a given order.

    >>> import numpy as np
    >>> ChosenNames(("a", "b", "c"), np.array([2, 0])) == ("c", "a")
    True
    """

    def __init__(self, names: Sequence[str], indices: npt.NDArray[np.int64]) -> None:
        self.names, self.indices = names, indices

    def __len__(self) -> int:
        return len(self.indices)

    def _name(self, index: int) -> str:
        return self.names[int(self.indices[index])]

    def __reduce__(self) -> Any:
        return ChosenNames, (self.names, self.indices)


def same_names(names: Sequence[str], others: Sequence[Sequence[str]]) -> Sequence[str] | None:
    """The first of ``others`` that is the same, else the first that holds these names in another order; None if none.

    >>> same_names(("1", "0"), [("0", "1"), ("1", "0")]), same_names(("b", "a"), [RowNumbers(2), ("a", "b")])
    (('1', '0'), ('a', 'b'))
    """
    known = set(names)
    alike = [other for other in others if len(other) == len(names) and set(other) == known]
    return next((other for other in alike if list(other) == list(names)), alike[0] if alike else None)
