"""What is worked out once for each chain row of a day that comes in, when it comes."""

from __future__ import annotations

import numpy as np

from optiq.market.counts import NOT_A_COUNT, traded_units
from optiq.market.panel import Panel
from optiq.market.read_only import read_only
from optiq.market.schema import FIELDS, AnyArray, FloatArray, IntArray

ROWS_AT_FIRST = 512
NEVER = np.iinfo(np.int64).max


class RowFacts:
    """The forwards of each row, what it traded, and who had been heard of by then.

    Later rows change none of it, so that the panel of a day so far need not ask all rows again.
    """

    def __init__(self) -> None:
        self.n_rows = 0
        self._said_from = dict.fromkeys(FIELDS, NEVER)
        self._forward: dict[int, FloatArray] = {}
        self._units: IntArray = np.zeros(ROWS_AT_FIRST, np.int64)
        self._first: IntArray = np.empty(0, np.int64)
        self._highest: IntArray = np.empty(0, np.int64)

    def add(self, alone: Panel) -> None:
        """Take in the next chain row, a panel of that row alone; columns only ever get more."""
        at, new = self.n_rows, alone.n_contracts - len(self._first)
        self._first = np.append(self._first, np.full(new, NEVER))
        self._highest = np.append(self._highest, np.full(new, NOT_A_COUNT))
        self._first[(alone.first_row == 0) & (self._first == NEVER)] = at
        not_yet = (self._first == NEVER).astype(np.int64)
        volume = np.ascontiguousarray(alone.volume.T, np.float64)
        self._units = _room_for(self._units, at, 0)
        self._units[at] = traded_units(volume, not_yet, self._highest)[0]
        for field, first in self._said_from.items():
            if first == NEVER and alone.said_from(field) == 0:
                self._said_from[field] = at
        days = alone.expiries.astype(np.int64).tolist()
        for day, forward in zip(days, alone.forward_by_expiry[0].tolist(), strict=True):
            known = self._forward.get(day, np.full(ROWS_AT_FIRST, np.nan))
            self._forward[day] = known = _room_for(known, at, np.nan)
            known[at] = forward
        self.n_rows += 1

    def tell(self, panel: Panel) -> None:
        """Let the panel of all chain rows so far know, before it works anything out."""
        forward = np.full((self.n_rows, len(panel.expiries)), np.nan)
        for place, day in enumerate(panel.expiries.astype(np.int64).tolist()):
            known = self._forward.get(day, forward[:0, 0])[: self.n_rows]
            forward[: len(known), place] = known
        first = np.minimum(self._first, self.n_rows)
        more = np.full(panel.n_contracts - len(first), self.n_rows)
        said_from = {name: min(row, self.n_rows) for name, row in self._said_from.items()}
        panel.__dict__["_said_from"] = said_from
        panel.__dict__["forward_by_expiry"] = read_only(forward)
        panel.__dict__["first_row"] = read_only(np.append(first, more))
        panel.__dict__["units_traded"] = read_only(self._units[: self.n_rows])


def _room_for(values: AnyArray, at: int, empty: float) -> AnyArray:
    """Return the values with a place ``at``; twice as many where there is none."""
    if at < len(values):
        return values
    return np.append(values, np.full(len(values), empty, values.dtype))
