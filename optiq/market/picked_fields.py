"""Some rows of a panel's fields, each taken when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol, runtime_checkable

import numpy as np

from optiq.market.read_only import read_only
from optiq.market.schema import FloatArray, IntArray


@runtime_checkable
class CanEndWith(Protocol):
    """Fields that can tell of their last rows without reading the others."""

    def last_rows(self, start: int) -> Mapping[str, FloatArray]:
        """Return the fields from row ``start`` on."""


class PickedFields(Mapping[str, FloatArray]):
    """The chosen rows of each field, (n_chosen, n_contracts), in Fortran order."""

    def __init__(self, fields: Mapping[str, FloatArray], rows: IntArray | slice) -> None:
        self._fields, self._rows = fields, rows
        self._picked: dict[str, FloatArray] = {}

    def __getitem__(self, name: str) -> FloatArray:
        if name not in self._picked:
            self._picked[name] = read_only(np.asfortranarray(self._fields[name][self._rows]))
        return self._picked[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


def last_rows(fields: Mapping[str, FloatArray], start: int) -> Mapping[str, FloatArray]:
    """Return the fields from row ``start`` on."""
    if isinstance(fields, CanEndWith):
        return fields.last_rows(start)
    return PickedFields(fields, slice(start, None))
