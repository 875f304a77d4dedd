"""The simulated market: the same for the same seed, on the days of the real calendar."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from simulated import QUIET, days_of, quotes

from optiq.errors import InputError, RuleError
from optiq.market import contracts
from optiq.market.plants import Momentum, read_plant
from optiq.market.schema import QUANTITIES
from optiq.market.simulate import SimulatedDay, sessions_of, simulate_days
from optiq.market.simulated_settings import Simulation


def same(one: SimulatedDay, other: SimulatedDay) -> bool:
    return one.date == other.date and all(
        mine.keys() == theirs.keys()
        and all(mine[name].tobytes() == theirs[name].tobytes() for name in mine)
        for mine, theirs in ((one.columns, other.columns), (one.truth, other.truth))
    )


# Seeds and days


def test_the_same_seed_gives_the_same_market() -> None:
    simulation = Simulation(days=2, seed=3, plants=(Momentum(1.0),))
    for one, other in zip(simulate_days(simulation), simulate_days(simulation), strict=True):
        assert same(one, other)


def test_another_seed_underlying_or_plant_gives_another_market() -> None:
    base = days_of(Simulation(days=1, seed=3))[0]
    for other in (
        Simulation(days=1, seed=4),
        Simulation(days=1, seed=3, plants=(Momentum(1.0),)),
        Simulation(days=1, seed=3, underlying="FINNIFTY"),
    ):
        other_spot = days_of(other)[0].truth["spot"]
        own_returns, other_returns = (
            np.diff(np.log(base.truth["spot"])),
            np.diff(np.log(other_spot)),
        )
        n = min(len(own_returns), len(other_returns))
        assert not np.allclose(own_returns[:n], other_returns[:n], rtol=0.01)


def test_a_short_market_is_the_beginning_of_a_long_one() -> None:
    short = list(simulate_days(Simulation(days=3, seed=7)))
    assert all(same(one, other) for one, other in zip(short, days_of(QUIET)[:3], strict=True))


def test_a_plant_of_strength_0_changes_no_quote() -> None:
    bare, planted = (
        days_of(Simulation(days=2, seed=5, plants=plants)) for plants in ((), (Momentum(0.0),))
    )
    for one, other in zip(bare, planted, strict=True):
        assert all(
            np.array_equal(one.columns[k], other.columns[k], True)
            for k in one.columns
            if one.columns[k].dtype.kind == "f"
        )


def test_days_go_on_where_the_day_before_ended() -> None:
    for before, after in zip(days_of(QUIET)[:-1], days_of(QUIET)[1:], strict=True):
        gap = after.truth["spot"][0] / before.truth["spot"][-1] - 1
        assert abs(gap) < 0.04


def test_open_interest_goes_on_where_the_day_before_ended() -> None:
    frame = quotes()
    frame = frame[frame.expiry == frame.expiry.min()]
    key = ["strike", "right"]
    dates = sorted(frame.date.unique())
    closing = frame[frame.date == dates[0]].groupby(key).last()
    opening = frame[frame.date == dates[1]].groupby(key).first()
    both = closing.join(opening, suffixes=("", "_next"), how="inner")
    assert len(both) > 50
    carried = (both.oi_next - both.oi_change_next) == both.oi
    # a contract whose last quote was missing shows the one before
    assert carried.mean() > 0.9


# The real calendar


@pytest.mark.parametrize(
    ("start", "days", "expected"),
    [
        # Mahashivratri is left out
        ("2025-02-25", 2, ["2025-02-25", "2025-02-27"]),
        # the budget's Saturday is a session, the Sunday after it is none
        ("2025-01-31", 3, ["2025-01-31", "2025-02-01", "2025-02-03"]),
        # the hours of this Sunday's Muhurat evening are not known: left out, not guessed
        ("2026-11-06", 2, ["2026-11-06", "2026-11-09"]),
    ],
)
def test_sessions_are_those_of_the_exchange(start: str, days: int, expected: list[str]) -> None:
    simulation = Simulation(days=days, seed=1, start=dt.date.fromisoformat(start))
    assert [str(session.date) for session in sessions_of(simulation)] == expected


@pytest.mark.parametrize(
    ("date", "first", "last", "rows"),
    [
        ("2025-01-02", "2025-01-02T03:46", "2025-01-02T10:00", 375),
        ("2025-10-21", "2025-10-21T08:16", "2025-10-21T09:15", 60),  # Muhurat, 13:45 to 14:45
        ("2026-08-03", "2026-08-03T03:46", "2026-08-03T10:10", 385),  # the 15:40 close
    ],
)
def test_hours_are_those_of_the_date(date: str, first: str, last: str, rows: int) -> None:
    simulation = Simulation(days=1, seed=1, start=dt.date.fromisoformat(date))
    ts = np.unique(days_of(simulation)[0].columns["ts"])
    assert ts[0] >= np.datetime64(first)
    assert ts[-1] <= np.datetime64(last)
    assert rows * 0.9 <= len(ts) <= rows
    assert len(ts) == rows or (np.diff(ts) >= np.timedelta64(60, "s")).all()


def test_nothing_is_quoted_in_a_break_of_the_session() -> None:
    drill = Simulation(days=1, seed=1, start=dt.date(2024, 3, 2))  # a disaster-recovery Saturday
    session = sessions_of(drill)[0]
    minute = (days_of(drill)[0].truth["ts"] - session.open_utc) / np.timedelta64(1, "m")
    minute = minute + session.open_minute
    assert session.breaks
    for start, end in session.breaks:
        assert not ((minute > start) & (minute < end)).any()
        assert (minute >= end).any()


def test_a_date_beyond_the_tables_is_refused() -> None:
    with pytest.raises(RuleError, match="2031"):
        sessions_of(Simulation(days=1, seed=1, start=dt.date(2031, 1, 1)))


def test_expiries_and_lots_are_those_of_the_date() -> None:
    frame = quotes()
    for date in sorted(frame.date.unique())[::7]:
        quoted = sorted(frame[frame.date == date].expiry.dt.date.unique())
        assert quoted == contracts.expiries_after("NIFTY", date, 2)
    lot = contracts.lot_size("NIFTY", dt.date(2025, 1, 2), dt.date(2025, 1, 1)).size
    first = frame[(frame.expiry == "2025-01-02") & (frame.date == dt.date(2025, 1, 1))]
    for name in QUANTITIES:
        assert (first[name].dropna() % lot == 0).all()


@pytest.mark.parametrize("underlying", ["BANKNIFTY", "FINNIFTY", "MIDCPNIFTY", "SENSEX", "BANKEX"])
def test_every_underlying_can_be_simulated(underlying: str) -> None:
    day = next(simulate_days(Simulation(days=1, seed=1, underlying=underlying)))
    assert len(day.columns["ts"]) > 40_000


@pytest.mark.parametrize("seconds", [5.0, 90.0, 700.0])
def test_snapshots_come_as_often_as_asked(seconds: float) -> None:
    day = next(simulate_days(Simulation(days=1, seed=1, row_seconds=seconds)))
    gaps = np.diff(np.unique(day.columns["ts"])) / np.timedelta64(1, "s")
    assert np.median(gaps) == seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("momenum=1", "no plant 'momenum'"),
        ("momentum", "no strength"),
        ("momentum=much", "no strength"),
        ("momentum=-1", "no strength"),
        ("momentum=nan", "no strength"),
        ("momentum=9", "from 0 to 3"),
    ],
)
def test_a_plant_that_is_none_is_refused(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_plant(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"days": 0}, "0 days"),
        ({"seed": -1}, "seed -1"),
        ({"row_seconds": 0.1}, "0.1 seconds"),
        ({"plants": (Momentum(1.0), Momentum(0.5))}, "twice"),
    ],
)
def test_a_simulation_that_cannot_be_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(QUIET, **changes)
