"""A live feed as the rows of one session: two paces, faults waited out, silence told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from optiq.errors import InputError
from optiq.market.calendar import Session, clock, utc
from optiq.market.chain_row import ChainRow, Contract
from optiq.market.feeds.chain_feed import Feed
from optiq.market.feeds.clocks import Clock, seconds, span
from optiq.market.feeds.faults import FeedFault, require_newer
from optiq.run.paper import Fault

LONGEST_SLEEP_S = 30.0
"""A machine that was suspended looks at its clock again after so long."""
MOST_DOUBLINGS = 10
CLOCK_SLACK_S = 1.0
"""A clock that is kept in step with others goes back by less."""


@dataclass(frozen=True, slots=True)
class Paces:
    """How often what is asked, in seconds.

    Attributes
    ----------
    snapshot
        Between chain snapshots, counted from the open.
    monitor
        Between quotes of what is held, and before the first new try after a fault.
    stale_after
        Without a good row for so long, silence is told.
    grace
        After the close, for pages that are stamped late.
    """

    snapshot: float = 60.0
    monitor: float = 2.0
    stale_after: float = 180.0
    grace: float = 120.0

    def __post_init__(self) -> None:
        asked = {
            "--snapshot-seconds": self.snapshot,
            "--monitor-seconds": self.monitor,
            "--stale-after": self.stale_after,
        }
        for option, pace in asked.items():
            if not 0.0 < pace <= 3600.0:
                raise InputError(f"{option} is {pace:g}", "give 3600 seconds or less, above 0")


class Polling:
    """Polls a feed through a session, and yields its rows and its faults.

    Chain snapshots come every ``paces.snapshot`` seconds; between them, every ``paces.monitor``
    seconds, the prices of what ``held`` names, and none while it names nothing. After a fault the
    next try waits, twice as long each time up to a snapshot's pace and a random part less, or as
    long as the server asks. A page served again and again is told once until it changes, and a
    clock that went back is told and gone by.
    ``refused`` counts every failed poll by its kind.
    """

    def __init__(
        self,
        feed: Feed,
        session: Session,
        clock: Clock,
        paces: Paces,
        held: Callable[[], Sequence[Contract]],
        rng: np.random.Generator,
        after: np.datetime64 | None = None,
    ) -> None:
        self._feed, self._session, self._clock = feed, session, clock
        self._paces, self._held, self._rng = paces, held, rng
        self._last_ts = after
        self.refused: Counter[str] = Counter()
        self._failures = 0
        self._is_silent = self._is_repeating = self._is_over = False
        start = max(clock.now(), session.open_utc)
        self._good_at = self._polled_at = self._snapshot_at = self._not_before = start
        self._looked_at = clock.now()

    def __iter__(self) -> Iterator[ChainRow | Fault]:
        """Wait for the open, poll, and end some time after the close."""
        ends = self._session.close_utc + span(self._paces.grace)
        while not self._is_over and (now := self._clock.now()) <= ends:
            if now < self._looked_at - span(CLOCK_SLACK_S):
                yield self._set_back(now)
            self._looked_at = now
            resumes = self._resumes_at(now)
            if resumes > now:
                self._good_at = max(self._good_at, resumes)
                self._sleep(now, resumes)
            elif self._is_overdue(now):
                self._is_silent = True
                yield Fault("stale", self._silence(now))
            elif (due := self._due()) > now:
                self._sleep(now, due)
            else:
                yield from self._poll(now)

    def _poll(self, now: np.datetime64) -> Iterator[ChainRow | Fault]:
        is_snapshot = now >= self._snapshot_at
        failed: FeedFault | None = None
        try:
            row = self._feed.snapshot() if is_snapshot else self._feed.quotes(self._held())
            require_newer(row.ts, self._last_ts, self._feed.name)
        except FeedFault as fault:
            failed = fault
        self._polled_at = self._clock.now()
        if failed is not None:
            yield from self._failed(failed)
            return
        if self._is_silent:
            yield Fault("recovered", f"good again: {self._silence(self._polled_at)}")
        self._failures, self._is_silent, self._is_repeating = 0, False, False
        self._last_ts, self._good_at = row.ts, self._polled_at
        if is_snapshot:
            self._snapshot_at = self._next_snapshot()
        yield row

    def _failed(self, fault: FeedFault) -> Iterator[Fault]:
        """Count a fault, put off the next try, and tell it unless it is an old page once more."""
        self.refused[fault.kind] += 1
        if fault.kind == "closed" and self._polled_at >= self._session.close_utc:
            self._is_over = True
            return
        doubled = self._paces.monitor * 2.0 ** min(self._failures, MOST_DOUBLINGS)
        wait = min(doubled, self._paces.snapshot) * self._rng.uniform(0.5, 1.0)
        self._failures += 1
        self._not_before = self._polled_at + span(max(wait, fault.retry_after_s))
        is_repeated = fault.kind == "stale" and self._is_repeating
        self._is_repeating = fault.kind == "stale"
        if not is_repeated:
            yield Fault(fault.kind, str(fault))

    def _set_back(self, now: np.datetime64) -> Fault:
        """Go by the new time at once; rows that it stamps before the last one are still refused."""
        back = seconds(self._looked_at - now)
        self._good_at, self._polled_at = min(self._good_at, now), min(self._polled_at, now)
        self._snapshot_at = self._not_before = now
        return Fault("clock", f"this machine's clock went back by {back:.0f} s")

    def _due(self) -> np.datetime64:
        """Return when to poll next."""
        due = self._snapshot_at
        if self._held():
            due = min(due, self._polled_at + span(self._paces.monitor))
        return max(due, self._not_before)

    def _next_snapshot(self) -> np.datetime64:
        pace, opened = span(self._paces.snapshot), self._session.open_utc
        past = (self._clock.now() - opened) // pace
        return opened + (past + 1) * pace

    def _resumes_at(self, now: np.datetime64) -> np.datetime64:
        """Return the open, or the end of the break that this is in, or now."""
        for since, until in self._session.breaks:
            starts, ends = (utc(self._session.date, minute) for minute in (since, until))
            if starts <= now < ends:
                return ends
        return max(now, self._session.open_utc)

    def _is_overdue(self, now: np.datetime64) -> bool:
        told = self._is_silent or now > self._session.close_utc
        return not told and bool(now >= self._silent_at())

    def _silent_at(self) -> np.datetime64:
        return self._good_at + span(self._paces.stale_after)

    def _silence(self, now: np.datetime64) -> str:
        return f"{self._feed.name} gave no good row for {seconds(now - self._good_at):.0f} s"

    def _sleep(self, now: np.datetime64, until: np.datetime64) -> None:
        if not self._is_silent:
            until = min(until, max(self._silent_at(), now + span(0.001)))
        self._clock.sleep(min(seconds(until - now), LONGEST_SLEEP_S))


def require_time_left(session: Session, now: np.datetime64) -> None:
    """Refuse to start a session that is over."""
    if now > session.close_utc:
        closed = clock(session.close_minute)
        raise InputError(
            f"the session of {session.date} ended at {closed}",
            "start before the close, or replay a stored day with --feed replay",
        )
