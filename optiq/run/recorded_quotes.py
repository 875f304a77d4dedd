"""One stored day, asked about the moments of somebody else's trades."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from optiq.market.contracts import strike_step
from optiq.market.ingest.symbols import Option
from optiq.market.panel import Panel
from optiq.market.schema import TICK_RUPEES, FloatArray
from optiq.trade.book import PAISE, quotes_of
from optiq.trade.fills import WalkSettings, with_half_spread
from optiq.trade.first_fill import first_fill

AROUND = np.timedelta64(120, "s")
"""How far from a booked moment the chain is asked what it quoted."""
_NEVER = 2**62


class Fill(NamedTuple):
    """What an order would have filled at, and when; UTC."""

    paise: int
    ts: np.datetime64
    row: int


@dataclass(frozen=True, slots=True)
class Quoted:
    """The lowest and highest price of one contract around a moment, rupees, and from when to when.

    Last prices, bids and asks; where the source has no book the last prices with half a spread.
    """

    low: float
    high: float
    first: np.datetime64
    last: np.datetime64

    def holds(self, price: float) -> bool:
        """Return whether a price lies between them."""
        return self.low - 1e-9 <= price <= self.high + 1e-9

    def allows(self, price: float) -> bool:
        """Return whether a price can have been one of that time.

        Snapshots miss what happened between them, so the range counts once more to each side, two
        ticks at least.
        """
        more = max(self.high - self.low, 2 * TICK_RUPEES) + 1e-9
        return self.low - more <= price <= self.high + more


class _Costs(NamedTuple):
    half_spread: float
    slippage_ticks: int


class DayQuotes:
    """A day's quotes with the settings under which orders meet them."""

    def __init__(self, panel: Panel, walk: WalkSettings) -> None:
        self._panel = panel
        self.walk = walk
        self._quotes = quotes_of(panel)
        self._sides = (panel.ltp, panel.bid, panel.ask) if panel.has_book else (panel.ltp,)
        keys = zip(panel.expiry, panel.strike, panel.right, strict=True)
        self._columns = {_key(*key): column for column, key in enumerate(keys)}

    @property
    def opens(self) -> np.datetime64:
        """A moment before its first row."""
        first: np.datetime64 = self._panel.ts[0] - _span(1.0)
        return first

    @property
    def closes(self) -> np.datetime64:
        """Its last row's moment."""
        last: np.datetime64 = self._panel.ts[-1]
        return last

    @property
    def n_contracts(self) -> int:
        """Number of contracts recorded."""
        return self._panel.n_contracts

    def column(self, option: Option) -> int | None:
        """Return the contract's place, None where it was not recorded."""
        return self._columns.get(_key(option.expiry, option.strike, option.right))

    def strikes(self, expiry: np.datetime64) -> FloatArray:
        """Return the strikes recorded for an expiry, ascending."""
        return np.unique(self._panel.strike[self._panel.expiry == expiry])

    def strike_step(self, option: Option) -> float:
        """Return how far apart the expiry's strikes lie near an option's; NaN under two."""
        return strike_step(self.strikes(option.expiry), option.strike)

    def is_between_strikes(self, option: Option) -> bool:
        """Return whether an option's strike is no whole step away from any that was recorded."""
        away = (option.strike - self.strikes(option.expiry)) % self.strike_step(option)
        return bool((away > 0).all())

    def fill(self, column: int, side: int, at: np.datetime64, *, leaving: bool) -> Fill | None:
        """Return what an order of moment ``at`` fills at: the walk's rules, entries expire.

        ``side`` is what is done, +1 buys and -1 sells.
        """
        ts = self._panel.ts
        row = int(np.searchsorted(ts, at + _span(self.walk.latency_s)))
        expires = (at + _span(self.walk.max_wait_s)).astype("datetime64[us]")
        until = _NEVER if leaving else int(expires.astype(np.int64))
        costs = _Costs(self.walk.half_spread, self.walk.slippage_ticks)
        row, paise = first_fill(self._quotes, column, side, leaving, until, row, costs)
        return None if row < 0 else Fill(int(paise), ts[row], int(row))

    def quoted_around(self, column: int, at: np.datetime64, fill: Fill | None) -> Quoted | None:
        """Return the prices around ``at`` and at the fill; None where there are none."""
        first, last = np.searchsorted(self._panel.ts, (at - AROUND, at + AROUND + _span(1e-6)))
        return self._quoted(column, range(first, last), fill)

    def quoted_at(self, column: int, at: np.datetime64, fill: Fill | None) -> Quoted | None:
        """Return the prices of the last row up to ``at``, none too old, and those of the fill."""
        row = int(np.searchsorted(self._panel.ts, at, side="right")) - 1
        is_fresh = row >= 0 and self._panel.ts[row] >= at - AROUND
        return self._quoted(column, range(row, row + is_fresh), fill)

    def _quoted(self, column: int, around: range, fill: Fill | None) -> Quoted | None:
        panel, rows = self._panel, list(around)
        if fill is not None and fill.row not in around:
            rows.append(fill.row)
        seen = [row for row in rows if panel.observed[row, column]]
        if not seen:
            return None
        prices = np.stack([side[seen, column] for side in self._sides])
        low, high = float(np.fmin.reduce(prices, None)), float(np.fmax.reduce(prices, None))
        if not panel.has_book:
            low = with_half_spread(low, -1, self.walk.half_spread)
            high = with_half_spread(high, 1, self.walk.half_spread)
        if fill is not None:
            low, high = min(low, fill.paise / PAISE), max(high, fill.paise / PAISE)
        return Quoted(low, high, panel.ts[seen[0]], panel.ts[seen[-1]])

    def times_seen(self, column: int, after: np.datetime64, until: np.datetime64) -> int:
        """Return how many rows after ``after`` and up to ``until`` quote a contract."""
        first, last = np.searchsorted(self._panel.ts, (after, until), side="right")
        return int(self._panel.observed[first:last, column].sum())


def _span(seconds: float) -> np.timedelta64:
    return np.timedelta64(round(1e6 * seconds), "us")


def _key(expiry: np.datetime64, strike: float, right: int) -> tuple[int, int, int]:
    return int(expiry.astype("datetime64[D]").astype(np.int64)), round(100 * strike), int(right)
