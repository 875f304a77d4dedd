"""One page of a source, an expiry at a moment: put right as any ingest does, then doubted."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Sequence

import numpy as np

from optiq.market.calendar import Session
from optiq.market.contracts import lot_sizes
from optiq.market.day_arrays import Columns, take
from optiq.market.feeds.clocks import Clock, seconds, span
from optiq.market.feeds.faults import FeedFault
from optiq.market.ingest.batch import Batch
from optiq.market.ingest.clock import to_utc
from optiq.market.ingest.normalise import normalise
from optiq.market.ingest.settle import concatenate
from optiq.market.ingest.stale import is_older
from optiq.market.schema import FIELDS, GREEKS, PRICES, BoolArray, FloatArray

LEAST_OF_A_CHAIN = 0.6
"""Of the contracts that the last good page of an expiry quoted."""
FARTHEST_LEVEL = 0.2
"""From the last level: beyond it the exchanges stop for the day, so it is another index."""
STANDSTILL_CONTRACTS = 20
"""Where so many are quoted, not all numbers of a page stay the same for minutes."""

_KEPT = ("ts", "expiry", "strike", "right", "spot", *(n for n in FIELDS if n not in GREEKS))


class Doubts:
    """What pages are held against: the clock, the session, and the last good ones.

    ``oldest_s``, ``skew_s`` and ``level`` are as for `ChainFeed`.
    """

    def __init__(
        self,
        name: str,
        underlying: str,
        session: Session,
        clock: Clock,
        oldest_s: float,
        skew_s: float,
        level: float,
    ) -> None:
        self._name, self._underlying = name, underlying
        self._session, self._clock = session, clock
        self._oldest_s, self._skew_s = oldest_s, skew_s
        self._level = level
        self._quoted: dict[dt.date, int] = {}
        self._content: dict[dt.date, tuple[bytes, np.datetime64]] = {}
        self._accepted: dict[dt.date, Columns] = {}
        self._fallen_since: np.datetime64 | None = None

    def put_right(self, batches: Sequence[Batch], expiry: dt.date) -> Columns:
        """Return one expiry's quotes in the store's units; `FeedFault` where they are doubtful."""
        for batch in batches:
            self._require_current(to_utc(batch.columns["ts"], batch.clock))
        done = [normalise(batch, batch.clock, None, self._underlying) for batch in batches]
        if any(outcome.left_out for outcome in done):
            raise FeedFault("wrong_underlying", f"{self._name} sent quotes of another underlying")
        chunks = [chunk.columns for outcome in done for chunk in outcome.chunks]
        if not chunks:
            reasons = [refused.reason for outcome in done for refused in outcome.refused]
            raise FeedFault("broken", f"{self._name}: {(reasons or ['no quotes'])[0]}")
        kept = concatenate([{n: c[n] for n in _KEPT if n in c} for c in chunks])
        page = take(kept, kept["expiry"] == np.datetime64(expiry))
        if not len(page["ts"]):
            raise FeedFault("broken", f"{self._name} sent another expiry than {expiry}")
        lot_sizes(self._underlying, page["expiry"], self._session.date)  # the walk will need them
        self._require_movement(expiry, page)
        self._require_growth(expiry, page)
        return page

    def accept(self, pages: dict[dt.date, Columns]) -> None:
        """Remember good pages; `FeedFault` where one shows too little, or another index."""
        quoted = {expiry: int(observed(page).sum()) for expiry, page in pages.items()}
        for expiry, now in quoted.items():
            before = self._quoted.get(expiry, 0)
            if now < max(1.0, LEAST_OF_A_CHAIN * before):
                words = f"{self._name} quotes {now} contracts of {expiry}, {before} before"
                raise FeedFault("partial", words)
        levels = [page["spot"][np.isfinite(page["spot"])] for page in pages.values()]
        level = float(np.median(np.concatenate(levels))) if any(map(len, levels)) else np.nan
        if abs(level / self._level - 1.0) > FARTHEST_LEVEL:
            words = f"{self._name} says {level:g} for {self._underlying}, {self._level:g} before"
            raise FeedFault("wrong_underlying", words)
        self._level = self._level if np.isnan(level) else level
        self._quoted |= quoted
        self._accepted |= pages
        self._fallen_since = None

    def _require_current(self, ts: np.ndarray[tuple[int], np.dtype[np.datetime64]]) -> None:
        """Refuse quotes without a time, and those of another one than now."""
        timed = ts[~np.isnat(ts)]
        if not len(timed):
            raise FeedFault("broken", f"{self._name} sent no quote that can be read")
        stamp, now = timed.max(), self._clock.now()
        if stamp > now + span(self._skew_s):
            raise FeedFault(
                "skewed", f"{self._name} stamps {stamp} UTC, {seconds(stamp - now):.0f} s from now"
            )
        if stamp < now - span(self._oldest_s):
            age = seconds(now - stamp)
            raise FeedFault("stale", f"{self._name} sent a page of {stamp} UTC, {age:.0f} s old")
        if not self._session.open_utc <= stamp <= self._session.close_utc:
            raise FeedFault("closed", f"{self._name}: {stamp} UTC is outside the session")

    def _require_movement(self, expiry: dt.date, page: Columns) -> None:
        """Refuse a page on which nothing has changed for as long as a page may be old."""
        values = [page[name].tobytes() for name in _KEPT if name in page and name != "ts"]
        content, now = hashlib.sha256(b"".join(values)).digest(), page["ts"].max()
        before, since = self._content.get(expiry, (b"", now))
        if content != before:
            self._content[expiry] = content, now
        elif seconds(now - since) > self._oldest_s and observed(page).sum() >= STANDSTILL_CONTRACTS:
            words = f"{self._name}: nothing of {expiry} has changed since {since} UTC"
            raise FeedFault("stale", words)

    def _require_growth(self, expiry: dt.date, page: Columns) -> None:
        """Refuse a page on which less was traded than on the last good one: it is an older one.

        Who stamps nothing may serve one from a cache. Where volumes stay lower, and move, for as
        long as a page may be old, it was the good page that was wrong.
        """
        last, now = self._accepted.get(expiry), page["ts"].max()
        if last is None or not is_older(*_volumes_of_both(page, last)):
            return
        self._fallen_since = now if self._fallen_since is None else self._fallen_since
        if seconds(now - self._fallen_since) <= self._oldest_s:
            words = f"{self._name} sent an older page of {expiry}: its volumes are lower"
            raise FeedFault("stale", words)


def _volumes_of_both(page: Columns, other: Columns) -> tuple[FloatArray, FloatArray]:
    """Return the volumes of the contracts that two pages of an expiry share, (n,) each."""
    if "volume" not in page or "volume" not in other:
        return np.empty(0), np.empty(0)
    one, another = (each["strike"].astype(np.float64) * each["right"] for each in (page, other))
    _, here, there = np.intersect1d(one, another, return_indices=True)
    volumes = page["volume"][here], other["volume"][there]
    first, second = (np.ascontiguousarray(volume, np.float64) for volume in volumes)
    return first, second


def observed(page: Columns) -> BoolArray:
    """Return (n,): whether any price is quoted."""
    priced: BoolArray = np.zeros(len(page["ts"]), np.bool_)
    for name in PRICES:
        if name in page:
            priced |= ~np.isnan(page[name])
    return priced
