"""What the recorded chain says at the moments of booked trades; each stored day is opened once."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from optiq.market.ingest.symbols import Option
from optiq.market.panel import Panel
from optiq.market.schema import PRICES, TICK_RUPEES, AnyArray
from optiq.market.store import Store
from optiq.trade.book import PAISE, quotes_of
from optiq.trade.fills import NOT_EXECUTABLE, WalkSettings, executable_paise, is_worthless
from optiq.trade.priced_legs import FillTerms, day_of

Key = tuple[int, str, str]
"""A trade's number in its ledger, the clock its times were read by, "entry" or "exit"."""
NEAR = np.timedelta64(120, "s")
"""How far from a booked moment a quote may lie that its price is held against."""
_MICROSECOND = np.timedelta64(1, "us")


@dataclass(frozen=True, slots=True)
class Ask:
    """One order of a trade: ``side`` +1 buys, ``moment`` is UTC.

    ``since`` is the moment of the trade's entry where this order is its exit.
    """

    key: Key
    contract: Option
    moment: np.datetime64
    side: int
    since: np.datetime64 | None = None

    @property
    def day(self) -> tuple[str, dt.date]:
        """Whose quotes of which day answer it."""
        return self.contract.underlying, day_of(self.moment)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a day says to an `Ask`; prices in rupees, NaN where nothing was quoted.

    Attributes
    ----------
    is_stored, is_listed
        Whether the day is in the store, and the contract in the day.
    price
        What the order would have filled at; 0 for a worthless option given up.
    low, high
        Quoted or executable within two minutes of the moment, and where the order filled.
    around
        The same in the two snapshots of the contract around the moment.
    quotes_since
        Snapshots that quote the contract after the one of the entry, up to the exit's.
    """

    is_stored: bool = True
    is_listed: bool = True
    price: float = np.nan
    low: float = np.nan
    high: float = np.nan
    around: tuple[float, float] = (np.nan, np.nan)
    quotes_since: int = 0

    def has_quoted(self, price: float) -> bool:
        """Return whether a price lies within what was quoted near the moment."""
        return bool(self.low - 1e-6 <= price <= self.high + 1e-6)

    def allows(self, price: float) -> bool:
        """Return whether a price can have been one of that time.

        Snapshots miss what happened between them: the range counts once more to each side, two
        ticks at least. Without that every third honest fill would stand accused.
        """
        more = max(self.high - self.low, 2 * TICK_RUPEES) + 1e-6
        return bool(self.low - more <= price <= self.high + more)


NOT_STORED = Seen(is_stored=False, is_listed=False)
NOT_LISTED = Seen(is_listed=False)


def look_up(
    asks: Iterable[Ask],
    store: Store,
    settings: WalkSettings,
    advance: Callable[[int], None] | None = None,
) -> dict[Key, Seen]:
    """Answer every ask, day by day in order, so that memory stays that of one day."""
    by_day: dict[tuple[str, dt.date], list[Ask]] = defaultdict(list)
    for ask in asks:
        by_day[ask.day].append(ask)
    seen: dict[Key, Seen] = {}
    for (underlying, date), of_day in sorted(by_day.items(), key=lambda item: item[0]):
        if store.has_day(underlying, date):
            day = QuotedDay(store.read_panel(underlying, date, PRICES), settings)
            seen |= {ask.key: day.answer(ask) for ask in of_day}
        else:
            seen |= dict.fromkeys((ask.key for ask in of_day), NOT_STORED)
        if advance is not None:
            advance(len(of_day))
    return seen


class QuotedDay:
    """One stored day, asked about moments of its contracts."""

    def __init__(self, panel: Panel, settings: WalkSettings) -> None:
        self._panel = panel
        self._quotes = quotes_of(panel)
        self._terms = FillTerms(settings.slippage_ticks, settings.half_spread, 0)
        self._latency = round(1e6 * settings.latency_s) * _MICROSECOND
        self._wait = round(1e6 * settings.max_wait_s) * _MICROSECOND

    def answer(self, ask: Ask) -> Seen:
        """Return what the day says to one ask."""
        key = (ask.contract.expiry.astype("datetime64[D]"), ask.contract.strike, ask.contract.right)
        if key not in self._columns:
            return NOT_LISTED
        column = self._columns[key]
        price, filled = self._fill(ask, column)
        near = self._rows(ask.moment - NEAR, ask.moment + NEAR)
        low, high = self._range(np.union1d(near, np.array(filled, np.int64)), column)
        return Seen(
            price=price,
            low=low,
            high=high,
            around=self._range(self._around(ask.moment, column), column),
            quotes_since=self._quotes_since(ask, column),
        )

    @cached_property
    def _columns(self) -> dict[tuple[np.datetime64, float, int], int]:
        panel = self._panel
        keys = zip(panel.expiry.astype("datetime64[D]"), panel.strike, panel.right, strict=True)
        return {(e, float(s), int(r)): column for column, (e, s, r) in enumerate(keys)}

    def _rows(self, first: np.datetime64, last: np.datetime64) -> AnyArray:
        """Return the rows from one moment to another, both included."""
        ts = self._panel.ts
        return np.arange(np.searchsorted(ts, first), np.searchsorted(ts, last, side="right"))

    def _fill(self, ask: Ask, column: int) -> tuple[float, list[int]]:
        """Return the price of the first row that fills, as the walk's orders wait, and that row."""
        earliest = ask.moment + self._latency
        for row in self._rows(earliest, earliest + self._wait):
            if ask.since is not None and is_worthless(self._quotes, row, column, -ask.side):
                return 0.0, [int(row)]
            paise = executable_paise(self._quotes, row, column, ask.side, self._terms)
            if paise != NOT_EXECUTABLE:
                return float(paise / PAISE), [int(row)]
        return np.nan, []

    def _range(self, rows: AnyArray, column: int) -> tuple[float, float]:
        """Return the lowest and highest price quoted or executable in some rows."""
        fields = [self._panel.ltp]
        if self._panel.has_book:
            fields += [self._panel.bid, self._panel.ask]
        prices = [field[rows, column] for field in fields]
        filled = [
            executable_paise(self._quotes, row, column, side, self._terms)
            for row in rows
            for side in (1, -1)
        ]
        prices.append(np.array([paise / PAISE for paise in filled if paise != NOT_EXECUTABLE]))
        known = np.concatenate(prices)
        known = known[~np.isnan(known)]
        return (float(known.min()), float(known.max())) if len(known) else (np.nan, np.nan)

    def _around(self, moment: np.datetime64, column: int) -> AnyArray:
        """Return the last row at or before a moment that quotes a contract, and the first after."""
        rows = np.flatnonzero(self._panel.observed[:, column])
        after = int(np.searchsorted(self._panel.ts[rows], moment, side="right"))
        return rows[max(0, after - 1) : after + 1]

    def _quotes_since(self, ask: Ask, column: int) -> int:
        if ask.since is None:
            return 0
        first, last = np.searchsorted(self._panel.ts, np.array([ask.since, ask.moment]))
        return int(np.count_nonzero(self._panel.observed[first + 1 : last + 1, column]))
