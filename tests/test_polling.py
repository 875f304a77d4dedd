"""The paces of a live session on a fake clock."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from feed_server import (
    CLOSE,
    OPEN,
    FakeClock,
)

from optiq.errors import InputError
from optiq.market import calendar
from optiq.market.chain_row import ChainRow, Contract
from optiq.market.feeds.clocks import span
from optiq.market.feeds.faults import FeedFault
from optiq.run.paper import Fault
from optiq.run.polling import Paces, Polling, require_time_left

SESSION = calendar.session(dt.date(2026, 8, 18))
HELD = Contract(np.datetime64("2026-08-18", "D"), 26_000.0, 1)
EMPTY = np.empty(0)


@dataclass
class Scripted:
    """A feed that notes when it was asked for what, and fails while a script says so."""

    clock: FakeClock
    fails: Callable[[np.datetime64], FeedFault | None] = lambda _: None
    asked: list[tuple[str, float]] = field(default_factory=list)
    name: str = "scripted"
    has_book: bool = True
    lag_s: float = 0.0

    def snapshot(self) -> ChainRow:
        return self._row("snapshot", is_chain=True)

    def quotes(self, contracts: Sequence[Contract]) -> ChainRow:
        assert list(contracts) == [HELD]
        return self._row("quotes", is_chain=False)

    def _row(self, what: str, *, is_chain: bool) -> ChainRow:
        now = self.clock.at
        self.asked.append((what, since_open(now)))
        if fault := self.fails(now):
            raise fault
        ts = now - span(self.lag_s)
        return ChainRow(ts, now, is_chain, 26_000.0, EMPTY.astype("M8[D]"), EMPTY, EMPTY, {})


def since_open(moment: np.datetime64) -> float:
    return float((moment - OPEN) / np.timedelta64(1, "s"))


def polling(feed: Scripted, held: Callable[[], list[Contract]] = list, **paces: float) -> Polling:
    rng = np.random.default_rng(1)
    return Polling(feed, SESSION, feed.clock.clock, Paces(**paces), held, rng)


def between(first: float, last: float) -> Callable[[np.datetime64], FeedFault | None]:
    def fails(now: np.datetime64) -> FeedFault | None:
        inside = first <= since_open(now) < last
        return FeedFault("server", "scripted answered 500") if inside else None

    return fails


def test_snapshots_keep_to_the_minutes_of_the_session_and_nothing_else_is_asked():
    feed = Scripted(FakeClock(OPEN - np.timedelta64(3_600, "s")))
    rows = list(polling(feed))
    times = [at for what, at in feed.asked if what == "snapshot"]
    assert feed.asked[0] == ("snapshot", 0.0), "it waits for the open"
    assert times == [60.0 * k for k in range(len(times))]
    assert since_open(CLOSE) <= times[-1] <= since_open(CLOSE) + 120.0
    assert len(rows) == len(feed.asked) == len(times)
    assert max(feed.clock.slept) <= 30.0


def test_what_is_held_is_asked_for_every_two_seconds_and_only_while_it_is_held():
    feed = Scripted(FakeClock())
    polls = polling(feed, lambda: [HELD] if 100.0 <= since_open(feed.clock.at) < 150.0 else [])
    assert all(isinstance(row, ChainRow) for row in polls)
    times = np.array([at for what, at in feed.asked if what == "quotes"])
    # nothing wakes it between snapshots: what is held came with the row of the minute before
    assert (times[0], times[-1]) == (122.0, 148.0)
    assert set(np.diff(times)) == {2.0}


def test_other_paces_and_a_late_start_keep_to_the_grid():
    feed = Scripted(FakeClock(OPEN + np.timedelta64(100, "s")))
    rows = iter(polling(feed, lambda: [HELD], snapshot=30.0, monitor=7.0))
    kinds = [next(rows).is_chain for _ in range(11)]
    assert feed.asked[:6] == [
        ("snapshot", 100.0),
        ("quotes", 107.0),
        ("quotes", 114.0),
        ("snapshot", 120.0),
        ("quotes", 127.0),
        ("quotes", 134.0),
    ]
    assert kinds.count(True) == 3


def test_faults_are_waited_out_ever_longer_told_and_counted():
    feed = Scripted(FakeClock(), fails=between(60.0, 150.0))
    polls = polling(feed, stale_after=3_600.0)
    items = [item for item in polls if isinstance(item, Fault)]
    tries = np.array([at for _, at in feed.asked if 60.0 <= at < 200.0])
    waits = np.diff(tries)[: len(items)]
    assert polls.refused == Counter({"server": len(items)})
    assert {(fault.kind, fault.message) for fault in items} == {("server", "scripted answered 500")}
    for n, wait in enumerate(waits):
        assert 0.5 * min(2.0 * 2**n, 60.0) <= wait <= min(2.0 * 2**n, 60.0)
    assert len({round(wait / 2.0**n, 6) for n, wait in enumerate(waits)}) > 1, "they jitter"
    after = [at for _, at in feed.asked if at >= 150.0]
    assert np.isin(np.array(after[1:]) % 60.0, [0.0]).all(), "then it is on the grid again"


def test_a_server_that_asks_for_quiet_gets_it():
    once = iter([FeedFault("rate_limited", "asked too often", 47.0)])
    feed = Scripted(
        FakeClock(), fails=lambda now: next(once, None) if since_open(now) >= 60.0 else None
    )
    list(polling(feed, lambda: [HELD] if since_open(feed.clock.at) < 300.0 else []))
    times = [at for _, at in feed.asked if at >= 60.0]
    assert times[0:2] == [60.0, 107.0]


def test_silence_is_told_once_and_so_is_its_end():
    feed = Scripted(FakeClock(), fails=between(600.0, 1_200.0))
    told = [(item.kind, item.message) for item in polling(feed, stale_after=120.0)
            if isinstance(item, Fault) and item.kind != "server"]  # fmt: skip
    assert [kind for kind, _ in told] == ["stale", "recovered"]
    assert told[0][1] == "scripted gave no good row for 120 s"
    twice = between(600.0, 900.0), between(3_000.0, 4_000.0)
    again = Scripted(FakeClock(), fails=lambda now: twice[0](now) or twice[1](now))
    kinds = [item.kind for item in polling(again, stale_after=120.0) if isinstance(item, Fault)]
    assert [kind for kind in kinds if kind != "server"] == ["stale", "recovered"] * 2


def test_a_clock_that_goes_back_is_told_and_waited_for_by_nobody():
    """An hour back at 11:15: it polls at once, and rows older than the last are refused."""
    feed = Scripted(FakeClock())
    items, jumps = [], 0
    for item in polling(feed):
        items.append(item)
        if since_open(feed.clock.at) >= 7_200.0 and not jumps:
            jumps, feed.clock.at = 1, feed.clock.at - np.timedelta64(3_600, "s")
    told = [item.kind for item in items if isinstance(item, Fault)]
    assert told == ["clock", "stale", "stale", "recovered"], "set back, an old row, silence, good"
    (back,) = [n for n, (_, at) in enumerate(feed.asked) if n and at < feed.asked[n - 1][1]]
    assert feed.asked[back][1] == 3_600.0, "not an hour later"
    ts = np.array([item.ts for item in items if isinstance(item, ChainRow)])
    assert (np.diff(ts) > np.timedelta64(0)).all()
    assert since_open(ts[-1]) >= since_open(CLOSE)


@pytest.mark.parametrize("jump_s", [3_600.0, 86_400.0 * 3_650])
def test_a_clock_that_goes_ahead_gives_no_row_twice_and_ends_when_it_says(jump_s):
    feed, jumps, times = Scripted(FakeClock()), 0, []
    for item in polling(feed):
        if isinstance(item, Fault):
            assert item.kind in ("stale", "recovered"), "for an hour there was no row"
            continue
        times.append(since_open(item.ts))
        if times[-1] >= 7_200.0 and not jumps:
            jumps, feed.clock.at = 1, feed.clock.at + span(jump_s)
    assert times == sorted(set(times))
    assert times[-1] <= since_open(CLOSE) + 120.0


def test_a_page_served_again_never_becomes_a_row_and_is_told_once():
    feed = Scripted(FakeClock())
    stuck = OPEN + np.timedelta64(290, "s")
    real = feed.snapshot

    def snapshot() -> ChainRow:
        row = real()
        return replace(row, ts=min(row.ts, stuck)) if since_open(row.ts) < 900.0 else row

    feed.snapshot = snapshot
    polls = polling(feed, stale_after=3_600.0)
    items = list(polls)
    times = [item.ts for item in items if isinstance(item, ChainRow)]
    assert (np.diff(np.array(times)) > np.timedelta64(0)).all()
    assert [item.kind for item in items if isinstance(item, Fault)] == ["stale"]
    assert polls.refused["stale"] > 10, "each of them is counted"


def test_it_ends_where_the_feed_says_that_the_session_is_closed():
    def fails(now: np.datetime64) -> FeedFault | None:
        return FeedFault("closed", "outside the session") if now > CLOSE else None

    feed = Scripted(FakeClock(), fails=fails)
    assert not [item for item in polling(feed) if isinstance(item, Fault)]
    assert feed.asked[-1][1] == since_open(CLOSE) + 60.0
    assert since_open(feed.clock.at) <= since_open(CLOSE) + 60.0


def test_a_break_of_the_session_is_slept_through():
    """The Saturday of 2024-03-02: 09:15 to 10:00, and 11:30 to 12:30 from the other site."""
    session = calendar.session(dt.date(2024, 3, 2))
    assert session.breaks
    clock = FakeClock(session.open_utc)
    feed = Scripted(clock)
    rng = np.random.default_rng(1)
    items = list(Polling(feed, session, clock.clock, Paces(), list, rng))
    minutes = [(item.ts - session.open_utc) / np.timedelta64(1, "m") for item in items]
    ((since, until),) = session.breaks
    inside = [m for m in minutes if since < session.open_minute + m < until]
    assert inside == []
    assert max(np.diff(minutes)) >= until - since - 1


def test_nothing_is_polled_after_the_end_and_a_late_start_is_refused():
    late = CLOSE + np.timedelta64(121, "s")
    feed = Scripted(FakeClock(late))
    assert list(polling(feed)) == []
    assert feed.asked == []
    with pytest.raises(InputError, match="the session of 2026-08-18 ended at 15:40"):
        require_time_left(SESSION, late)


@pytest.mark.parametrize("name", ["snapshot", "monitor", "stale_after"])
@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf"), 3_601.0])
def test_an_impossible_pace_is_refused(name, value):
    with pytest.raises(InputError, match=rf"--{name.replace('_', '-')}.* is"):
        Paces(**{name: value})
