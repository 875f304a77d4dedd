"""What the features of one day share, each thing computed once and when first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optiq.market import moneyness
from optiq.market.compiling import compiled
from optiq.market.context import Context
from optiq.market.contracts import expiry_close_utc
from optiq.market.panel import Panel
from optiq.market.parity import StrikePairs, strike_pairs
from optiq.market.picked_fields import last_rows
from optiq.market.pricing import years_to_expiry
from optiq.market.schema import FloatArray, IntArray

LEAST_LIFE_MINUTES = 60.0
"""The nearest expiry is the one that strategies trade: it has at least an hour to live."""
CELLS_REACH_MINUTES = 30.0
"""Whatever compares quotes of contracts looks back 15 minutes, at most twice that over a hole."""
NO_ROW = -1

Values = dict[str, FloatArray]
"""A feature's values by its name."""


@dataclass(frozen=True)
class FeatureDay:
    """The chain rows of a panel, from which the features are made.

    Rows here are chain rows. What needs every contract's quotes is computed on the *tail* only:
    the rows from ``start`` on, and those before it that they look back to.

    Attributes
    ----------
    whole
        The panel, monitor rows and all.
    context
        What earlier days say.
    first_row
        The first row of ``whole`` whose features are asked for.
    """

    whole: Panel
    context: Context
    first_row: int = 0

    @cached_property
    def rows(self) -> IntArray:
        """Row of ``whole`` of each chain row."""
        return np.flatnonzero(self.whole.is_chain)

    @cached_property
    def panel(self) -> Panel:
        """The chain rows alone."""
        return self.whole.chain_only

    @cached_property
    def start(self) -> int:
        """First chain row that is asked for."""
        return int(np.searchsorted(self.rows, self.first_row))

    @cached_property
    def tail(self) -> int:
        """First chain row whose contracts are looked at."""
        if self.start >= len(self.rows):
            return len(self.rows)
        reach = np.timedelta64(round(60e6 * CELLS_REACH_MINUTES), "us")
        return int(np.searchsorted(self.panel.ts, self.panel.ts[self.start] - reach))

    def cells(self, name: str) -> FloatArray:
        """Return a field on the tail, (n_contracts, n_tail), contiguous per contract."""
        return np.ascontiguousarray(self._fields[name].T, np.float64)

    @cached_property
    def _fields(self) -> Mapping[str, FloatArray]:
        return last_rows(self.panel.fields, self.tail)

    @cached_property
    def pairs(self) -> StrikePairs:
        """The contracts by expiry and ascending strike."""
        return strike_pairs(self.panel.expiry, self.panel.strike, self.panel.right)

    @cached_property
    def first(self) -> IntArray:
        """First chain row that quotes each contract, (n_contracts,); n_rows where none does."""
        return self.panel.first_row

    @cached_property
    def first_in_tail(self) -> IntArray:
        """The same counted from the tail's first row."""
        return np.maximum(self.first - self.tail, 0)

    @cached_property
    def near(self) -> IntArray:
        """Index of the nearest live expiry, (n_rows,); -1 without one."""
        return moneyness.nearest_expiry(self.panel, LEAST_LIFE_MINUTES)

    @cached_property
    def forward(self) -> FloatArray:
        """Parity forward, (n_rows, n_expiries)."""
        return self.panel.forward_by_expiry

    @cached_property
    def years(self) -> FloatArray:
        """Years to each expiry's close on the tail, (n_tail, n_expiries)."""
        closes = expiry_close_utc(self.panel.expiries, self.panel.underlying)
        return years_to_expiry(self.panel.ts[self.tail :], closes)

    @cached_property
    def atm_iv(self) -> FloatArray:
        """Volatility at the money of each expiry on the tail, (n_tail, n_expiries)."""
        level = np.ascontiguousarray(self.forward[self.tail :])
        by_expiry: FloatArray = moneyness.atm_iv_by_expiry(
            self.cells("iv"), self.pairs, self.first_in_tail, level
        )
        return by_expiry

    @cached_property
    def steps(self) -> FloatArray:
        """Strikes from the money on the tail, (n_contracts, n_tail); NaN outside ``near``."""
        steps = moneyness.steps_of_expiry(self.panel, self.near, self.tail)
        return np.ascontiguousarray(steps[self.tail :].T)

    def back(self, minutes: float) -> IntArray:
        """Return (n_rows,) the latest row at least ``minutes`` before each, `NO_ROW` without.

        One more than twice as old does not count: across a hole nothing is compared.
        """
        if minutes not in self._back:
            ts = self.panel.ts
            span = np.timedelta64(round(60e6 * minutes), "us")
            row = np.searchsorted(ts, ts - span, side="right") - 1
            fresh = (row >= 0) & (ts[row] >= ts - 2 * span)
            self._back[minutes] = np.where(fresh, row, NO_ROW)
        return self._back[minutes]

    @cached_property
    def _back(self) -> dict[float, IntArray]:
        return {}

    def back_in_tail(self, minutes: float) -> IntArray:
        """Return `back` on the tail, (n_tail,), counted from the tail's first row."""
        row = self.back(minutes)[self.tail :] - self.tail
        return np.where(row >= 0, row, NO_ROW)

    def per_tail_row(self, by_expiry: FloatArray, expiry: IntArray) -> FloatArray:
        """Return (n_tail,) the value of each row's expiry; NaN where that is -1.

        ``by_expiry`` is (n_tail, n_expiries), ``expiry`` (n_tail,).
        """
        return value_at(by_expiry, np.arange(len(expiry)), expiry)


@compiled
def value_at(table: FloatArray, row: IntArray, column: IntArray) -> FloatArray:
    """Return ``table[row, column]`` pair by pair; NaN where either index is negative."""
    values = np.full(len(row), np.nan)
    for place in range(len(row)):
        if row[place] >= 0 and column[place] >= 0:
            values[place] = table[row[place], column[place]]
    return values
