"""One underlying on one session as dense arrays: rows are moments, columns are contracts."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from optiq.market.picked_fields import PickedFields, last_rows
from optiq.market.read_only import FrozenFields, freeze, read_only
from optiq.market.schema import (
    IST_OFFSET,
    BoolArray,
    FloatArray,
    IntArray,
    TimeArray,
)

_PER_ROW = ("ts", "known", "is_chain", "spot")
_PER_CONTRACT = ("expiry", "strike", "right", "lot")


@dataclass(frozen=True)
class Panel:
    """The quotes of one underlying on one session; none of its arrays can be written to.

    A field has shape (n_rows, n_contracts) and is NaN where nothing was quoted. Prices are in
    rupees to the paisa, quantities in units, volatilities annualised fractions (0.12 is 12 %).

    Attributes
    ----------
    underlying, date
        What and when; ``date`` is the session in India.
    ts : (n_rows,) datetime64[us]
        Strictly increasing, UTC.
    known : (n_rows,) datetime64[us]
        When the row was known: the latest of its quotes' own and received times.
    is_chain : (n_rows,) bool
        Chain snapshots; the others are monitor quotes: they mark, exit and fill, never decide.
    spot : (n_rows,) float
        Underlying index in rupees (the nearest expiry's forward where the source has no index, or
        one whose clock is not the options'); NaN where unknown.
    expiry, strike, right, lot : (n_contracts,)
        ``datetime64[D]``, rupees, +1 call / -1 put, units.
    open_minute, close_minute
        Session bounds in IST minutes of the day (555 is 09:15).
    has_book
        Whether the source quotes bids and asks at all.
    fields
        The per-quote arrays by name; may load them when first asked for.
    forward_by_expiry : (n_rows, n_expiries) float
        Parity forward per expiry, expiries ascending as in ``expiries``.
    notes
        What a reader of any result from this panel should know about its data.
    """

    underlying: str
    date: dt.date
    ts: TimeArray
    known: TimeArray
    is_chain: BoolArray
    spot: FloatArray
    expiry: TimeArray
    strike: FloatArray
    right: IntArray
    lot: IntArray
    open_minute: float
    close_minute: float
    has_book: bool
    fields: Mapping[str, FloatArray]
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        freeze(self, (*_PER_ROW, *_PER_CONTRACT))
        if isinstance(self.fields, dict):
            object.__setattr__(self, "fields", FrozenFields(self.fields))

    @property
    def n_rows(self) -> int:
        """Number of moments."""
        return len(self.ts)

    @property
    def n_contracts(self) -> int:
        """Number of columns."""
        return len(self.strike)

    @cached_property
    def minute(self) -> FloatArray:
        """IST minute of the day of each row, seconds as the fraction (555.5 is 09:15:30)."""
        return read_only(minute_of_day(self.ts))

    @property
    def ltp(self) -> FloatArray:
        """Last traded price, rupees."""
        return self.fields["ltp"]

    @property
    def bid(self) -> FloatArray:
        """Best bid, rupees."""
        return self.fields["bid"]

    @property
    def ask(self) -> FloatArray:
        """Best ask, rupees."""
        return self.fields["ask"]

    @property
    def volume(self) -> FloatArray:
        """Units traded since the session opened."""
        return self.fields["volume"]

    @property
    def oi(self) -> FloatArray:
        """Open interest, units."""
        return self.fields["oi"]

    @property
    def oi_change(self) -> FloatArray:
        """Open interest less the previous session's, units."""
        return self.fields["oi_change"]

    @property
    def iv(self) -> FloatArray:
        """Implied volatility, annualised fraction."""
        return self.fields["iv"]

    @property
    def delta(self) -> FloatArray:
        """Price change per rupee of the forward."""
        return self.fields["delta"]

    @property
    def gamma(self) -> FloatArray:
        """Delta change per rupee of the forward."""
        return self.fields["gamma"]

    @property
    def theta(self) -> FloatArray:
        """Rupees lost per calendar day (negative for a bought option)."""
        return self.fields["theta"]

    @property
    def vega(self) -> FloatArray:
        """Price change per 1.00 of volatility."""
        return self.fields["vega"]

    @cached_property
    def observed(self) -> BoolArray:
        """Whether ltp, bid or ask is quoted."""
        seen: BoolArray = ~np.isnan(self.ltp)
        if self.has_book:
            seen = seen | ~np.isnan(self.bid) | ~np.isnan(self.ask)
        return read_only(seen)

    @cached_property
    def expiries(self) -> TimeArray:
        """The distinct expiries, ascending."""
        return read_only(np.unique(self.expiry))

    @cached_property
    def expiry_index(self) -> IntArray:
        """Position of each contract's expiry in ``expiries``."""
        return read_only(np.searchsorted(self.expiries, self.expiry))

    @cached_property
    def forward_by_expiry(self) -> FloatArray:
        """Parity forward per row and expiry, rupees; NaN where no strike gives one."""
        from optiq.market.pricing import parity_forward

        return read_only(parity_forward(self))

    @cached_property
    def first_row(self) -> IntArray:
        """First chain row that quotes each contract; n_rows where none does.

        0 in a `tail` where an earlier row did.
        """
        from optiq.market.moneyness import first_rows

        return read_only(first_rows(self))

    def said_from(self, field: str) -> int:
        """Return the first row by which a field had a value; n_rows where it never had."""
        from optiq.market.counts import first_value

        if self.so_far is not self:
            return max(self.so_far.said_from(field) - self.starts_at, 0)
        if field not in self._said_from:
            self._said_from[field] = first_value(self.fields[field])
        return self._said_from[field]

    @cached_property
    def _said_from(self) -> dict[str, int]:
        return {}

    @cached_property
    def units_traded(self) -> IntArray:
        """Units that all contracts together traded since the chain row before, (n_rows,)."""
        from optiq.market.counts import units_traded

        return read_only(units_traded(self))

    @property
    def forward(self) -> FloatArray:
        """Parity forward of each contract's expiry, (n_rows, n_contracts)."""
        forward: FloatArray = self.forward_by_expiry[:, self.expiry_index]
        return forward

    @property
    def so_far(self) -> Panel:
        """The session from its first row on: the panel itself, unless it is a `tail`."""
        so_far: Panel = self.__dict__.get("_so_far", self)  # kept by a tail alone: no cycle
        return so_far

    @property
    def starts_at(self) -> int:
        """Which row of `so_far` the panel's first is."""
        return self.so_far.n_rows - self.n_rows

    def tail(self, start: int) -> Panel:
        """Return the rows from ``start`` on, with all columns; what came before is in `so_far`."""
        if start == 0:
            return self
        rows = slice(start, None)
        tail = replace(
            self,
            **{name: getattr(self, name)[rows] for name in _PER_ROW},
            fields=last_rows(self.fields, start),
        )
        tail.__dict__["_so_far"] = self.so_far
        tail.__dict__["first_row"] = read_only(np.maximum(self.first_row - start, 0))
        tail.__dict__["units_traded"] = self.units_traded[rows]
        tail.__dict__["forward_by_expiry"] = self.forward_by_expiry[rows]
        return tail

    def until(self, n_rows: int) -> Panel:
        """Return the panel as it stood after ``n_rows`` rows.

        Only contracts observed by then exist; columns keep their order of today.
        """
        seen = self.observed[:n_rows].any(axis=0)
        return self._part(slice(None, n_rows), np.flatnonzero(seen))

    def reordered(self, order: IntArray) -> Panel:
        """Return the same day with its columns in another order."""
        return self._part(slice(None), order)

    def _part(self, rows: slice, columns: IntArray) -> Panel:
        return replace(
            self,
            **{name: getattr(self, name)[rows] for name in _PER_ROW},
            **{name: getattr(self, name)[columns] for name in _PER_CONTRACT},
            fields={name: values[rows, columns] for name, values in self.fields.items()},
        )

    @cached_property
    def chain_rows(self) -> IntArray:
        """The rows that are chain snapshots."""
        return np.flatnonzero(self.is_chain)

    @property
    def chain_only(self) -> Panel:
        """The panel without monitor rows: all that strategies, features and models may see."""
        return self if self.is_chain.all() else self._snapshots  # itself kept, it would be a cycle

    @cached_property
    def _snapshots(self) -> Panel:
        rows = self.chain_rows
        fields = PickedFields(self.fields, rows)
        return replace(
            self,
            ts=self.ts[rows],
            known=self.known[rows],
            is_chain=self.is_chain[rows],
            spot=self.spot[rows],
            fields=fields,
        )


def minute_of_day(ts: TimeArray) -> FloatArray:
    """Return the IST minute of the day of UTC times, seconds as the fraction.

    >>> minute_of_day(np.array(["2025-11-20T04:09:30"], "datetime64[us]"))
    array([579.5])
    """
    local = ts + IST_OFFSET
    since_midnight = local - local.astype("datetime64[D]")
    minutes: FloatArray = since_midnight / np.timedelta64(1, "m")
    return minutes
