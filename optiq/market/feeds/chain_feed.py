"""A source of option chains as a feed: what it says is put right, doubted, and made a row.

Whatever cannot be trusted is a `FeedFault` and never becomes a price.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol, TypeVar

import numpy as np

from optiq.errors import InputError
from optiq.market import calendar
from optiq.market.chain_row import ChainRow, Contract
from optiq.market.day_arrays import Columns
from optiq.market.feeds.clocks import Clock
from optiq.market.feeds.faults import FeedFault, require_newer
from optiq.market.feeds.live_row import monitor_row, snapshot_row
from optiq.market.feeds.page import Doubts
from optiq.market.ingest.batch import Batch
from optiq.market.ingest.settle import concatenate

T = TypeVar("T")


class Feed(Protocol):
    """Where live rows come from; every call is one poll and raises `FeedFault` when it fails."""

    name: str
    has_book: bool

    def snapshot(self) -> ChainRow:
        """Return the whole chain now."""

    def quotes(self, contracts: Sequence[Contract]) -> ChainRow:
        """Return these contracts' prices now; those that nobody quotes are left out."""


class Source(Protocol):
    """One vendor: how its pages are asked for and read."""

    name: str

    def expiries(self) -> list[dt.date]:
        """Return the expiries it lists, ascending."""

    def chain(self, expiry: dt.date) -> Iterator[Batch]:
        """Yield the quotes of one expiry now, stamped by the vendor or on arrival."""

    def scrub(self, text: str) -> str:
        """Return a text without what must not be told."""

    def distrust(self) -> None:
        """Start afresh: the last answer was none."""

    def close(self) -> None:
        """Let go of the connection."""


class ChainFeed:
    """A `Feed` of one underlying on the day it is made.

    Parameters
    ----------
    expiries
        How many of the nearest ones a snapshot holds.
    oldest_s
        A page stamped longer ago is refused, and one that has not changed for so long.
    skew_s
        How far a stamp may be ahead of this machine's clock.
    level
        The last one known, such as yesterday's close; NaN without one.

    Raises
    ------
    RuleError
        The day is no session.
    """

    has_book = True

    def __init__(
        self,
        source: Source,
        underlying: str,
        clock: Clock,
        *,
        expiries: int = 2,
        oldest_s: float = 180.0,
        skew_s: float = 5.0,
        level: float = np.nan,
    ) -> None:
        self.name, self.underlying = source.name, underlying
        self.session = calendar.session(clock.today(), underlying)
        self._source, self._clock, self._n_expiries = source, clock, expiries
        self._last_ts: np.datetime64 | None = None
        self._nearest: list[dt.date] = []
        self._doubts = Doubts(source.name, underlying, self.session, clock, oldest_s, skew_s, level)

    def snapshot(self) -> ChainRow:
        """Return the chain of the nearest expiries."""
        return self._polled(self._snapshot)

    def quotes(self, contracts: Sequence[Contract]) -> ChainRow:
        """Return the prices of some contracts, from the chains of their expiries."""
        return self._polled(lambda: self._quotes(contracts))

    def close(self) -> None:
        """Let go of the connection."""
        self._source.close()

    def _polled(self, ask: Callable[[], ChainRow]) -> ChainRow:
        """Poll; whatever a vendor sent that cannot be read is a fault that tells no secret."""
        try:
            row = ask()
        except (FeedFault, InputError) as error:
            kind = error.kind if isinstance(error, FeedFault) else "broken"
            pause = error.retry_after_s if isinstance(error, FeedFault) else 0.0
            fault = FeedFault(kind, self._source.scrub(str(error)), pause)
        else:
            self._last_ts = row.ts
            return row
        if fault.kind in ("refused", "broken"):
            self._source.distrust()
        raise fault

    def _snapshot(self) -> ChainRow:
        if not self._nearest:
            listed = (day for day in self._source.expiries() if day >= self.session.date)
            self._nearest = sorted(listed)[: self._n_expiries]
        quotes = self._pages(self._nearest)
        known, date = self._clock.now(), self.session.date
        return snapshot_row(self.underlying, date, quotes, known, has_book=self.has_book)

    def _quotes(self, contracts: Sequence[Contract]) -> ChainRow:
        wanted: set[dt.date] = {one.expiry.astype(dt.date) for one in contracts}
        quotes = self._pages(sorted(wanted))
        row = monitor_row(contracts, quotes, self._clock.now())
        if row is None:
            raise FeedFault("partial", f"{self.name} quotes none of the contracts asked for")
        return row

    def _pages(self, expiries: Sequence[dt.date]) -> Columns:
        """Return the quotes of some expiries now, newer than the last row."""
        if not expiries:
            raise FeedFault("broken", f"{self.name} lists no expiry of {self.underlying}")
        pages = {
            expiry: self._doubts.put_right(list(self._source.chain(expiry)), expiry)
            for expiry in expiries
        }
        quotes = concatenate(list(pages.values()))
        require_newer(quotes["ts"].max(), self._last_ts, self.name)
        self._doubts.accept(pages)
        return quotes
