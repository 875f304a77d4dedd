"""Arrays nobody can write to: what was quoted is evidence, for every reader the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from optiq.market.schema import AnyArray, FloatArray


def read_only(values: AnyArray) -> AnyArray:
    """Return a view that refuses to be written to; the owner of ``values`` still may.

    >>> import numpy as np
    >>> read_only(np.zeros(2)).flags.writeable
    False
    """
    if not values.flags.writeable:
        return values
    view = values.view()
    view.flags.writeable = False
    return view


def freeze(instance: Any, names: tuple[str, ...]) -> None:
    """Make arrays of a frozen dataclass read-only; None stays None."""
    for name in names:
        values = getattr(instance, name)
        if values is not None:
            object.__setattr__(instance, name, read_only(values))


class FrozenFields(Mapping[str, FloatArray]):
    """Arrays by name, neither of which can be replaced or written to."""

    def __init__(self, arrays: Mapping[str, FloatArray]) -> None:
        self._arrays = {name: read_only(values) for name, values in arrays.items()}

    def __getitem__(self, name: str) -> FloatArray:
        return self._arrays[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    def __or__(self, others: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Return these arrays with some exchanged, for a panel that differs in them."""
        return {**self, **others}
