"""Which days the exchanges trade, and from when to when.

Holidays and special sessions are known for whole years only: a date outside them is a `RuleError`.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np

from optiq.errors import RuleError
from optiq.market import tables
from optiq.market.schema import IST_OFFSET

Kind = Literal["regular", "special", "muhurat", "interruption"]
ONE_DAY = dt.timedelta(days=1)
SATURDAY = 5


@dataclass(frozen=True, slots=True)
class Session:
    """One day's trading of index options.

    Attributes
    ----------
    open_minute, close_minute
        IST minutes of the day: 555 is 09:15, 930 is 15:30.
    breaks
        Stretches without trading, (from, to) in IST minutes: an outage, or the pause between the
        two parts of a disaster-recovery Saturday.
    """

    date: dt.date
    open_minute: float
    close_minute: float
    kind: Kind
    breaks: tuple[tuple[float, float], ...]
    confidence: str
    source: str

    @property
    def open_utc(self) -> np.datetime64:
        """First moment of the session."""
        return utc(self.date, self.open_minute)

    @property
    def close_utc(self) -> np.datetime64:
        """Last moment of the session."""
        return utc(self.date, self.close_minute)


@cache
def session(date: dt.date, underlying: str = "NIFTY") -> Session:
    """Return the session of a day; `RuleError` on a holiday or where its hours are not known."""
    if not is_session(date, underlying):
        raise RuleError(
            f"{date} is no trading day for {underlying}: {_why_closed(date, underlying)}",
            "choose a session; optiq rules show prints the ones around it",
        )
    row = _exception(date, underlying)
    if row is None:
        return _regular(date, underlying)
    if not row["open"]:
        raise RuleError(
            f"{date} is a session ({row['name']}) whose hours are not known",
            "add them with their source to holidays.csv",
        )
    return _exceptional(date, row)


def closed_at(utc: np.datetime64, underlying: str = "NIFTY") -> str:
    """Return in words why nothing trades at a moment; "" where it does, or where nobody knows.

    >>> closed_at(np.datetime64("2025-11-20T10:01")), closed_at(np.datetime64("2025-11-22T06:00"))
    ('after the close at 15:30', 'a day without trading: a weekend')
    """
    local = utc + IST_OFFSET
    date: dt.date = local.astype("datetime64[D]").item()
    if not is_covered(date):
        return "a weekend" if date.weekday() >= SATURDAY else ""
    if not is_session(date, underlying):
        return f"a day without trading: {_why_closed(date, underlying)}"
    try:
        hours = session(date, underlying)
    except RuleError:
        return ""
    minute = float((local - local.astype("datetime64[D]")) / np.timedelta64(1, "m"))
    if minute < hours.open_minute:
        return f"before the open at {clock(hours.open_minute)}"
    if minute > hours.close_minute:
        return f"after the close at {clock(hours.close_minute)}"
    paused = (span for span in hours.breaks if span[0] < minute < span[1])
    return next((f"in the break from {clock(a)} to {clock(b)}" for a, b in paused), "")


def is_session(date: dt.date, underlying: str = "NIFTY") -> bool:
    """Return whether the exchange trades that day at all, Muhurat sessions included."""
    _require_covered(date)
    row = _exception(date, underlying)
    return date.weekday() < SATURDAY if row is None else row["kind"] != "holiday"


def is_expiry_day_possible(date: dt.date, underlying: str = "NIFTY") -> bool:
    """Return whether a contract can expire that day: full weekend sessions yes, Muhurat no."""
    row = _exception(date, underlying)
    return is_session(date, underlying) and (row is None or row["kind"] != "muhurat")


def sessions_between(
    start: dt.date, end: dt.date, underlying: str = "NIFTY", *, with_muhurat: bool = True
) -> list[dt.date]:
    """Return the trading days from ``start`` to ``end``, both included.

    ``with_muhurat=False`` leaves out the evening hour of Diwali, whose hours the exchange
    announces late: `session` may refuse to give them.
    """
    wanted = is_session if with_muhurat else is_expiry_day_possible
    days = (start + n * ONE_DAY for n in range((end - start).days + 1))
    return [date for date in days if wanted(date, underlying)]


def regular_hours(date: dt.date, underlying: str = "NIFTY") -> tables.Row:
    """Return the row of ordinary hours in force on a date, whether it is a session or not."""
    exchange = tables.exchange_of(underlying)
    candidates = (row for row in tables.rows("session_hours") if tables.is_for(row, exchange))
    return tables.in_force(candidates, date, "session_hours", f"the hours of {underlying}")


def close_of(date: dt.date, underlying: str = "NIFTY") -> np.datetime64:
    """Return when trading ends on an expiry day, UTC.

    Contracts are listed years ahead, beyond the calendar and on days that later become holidays:
    those get the ordinary close of the hours in force on that date.
    """
    if is_covered(date) and is_expiry_day_possible(date, underlying):
        return session(date, underlying).close_utc
    return utc(date, minute_of(regular_hours(date, underlying)["close"]))


def is_covered(date: dt.date) -> bool:
    """Return whether holidays of that year are known."""
    return date.year in _years()


def first_covered_day() -> dt.date:
    """Return the first day whose holidays are known."""
    return dt.date(min(_years()), 1, 1)


def last_covered_day() -> dt.date:
    """Return the last day whose holidays are known."""
    return dt.date(max(_years()), 12, 31)


def utc(date: dt.date, minute: float) -> np.datetime64:
    """Return an IST minute of a day as UTC, to the microsecond.

    >>> utc(dt.date(2025, 11, 20), 555.5)
    np.datetime64('2025-11-20T03:45:30.000000')
    """
    since_midnight = np.timedelta64(round(minute * 60_000_000), "us")
    moment: np.datetime64 = np.datetime64(date, "us") + since_midnight - IST_OFFSET
    return moment


def minute_of(clock: str) -> float:
    """Return ``HH:MM`` as a minute of the day.

    >>> minute_of("09:15")
    555.0
    """
    hours, minutes = clock.split(":")
    return 60.0 * int(hours) + int(minutes)


def time_of_day(ts: Any) -> str:
    """Return a UTC moment as the clock in India shows it, to the second.

    >>> time_of_day(np.datetime64("2025-11-20T04:09:30"))
    '09:39:30'
    """
    return str((ts + IST_OFFSET).astype("datetime64[s]"))[11:]


def clock(minute: float) -> str:
    """Return a minute of the day as ``HH:MM``.

    >>> clock(930.0)
    '15:30'
    """
    return f"{int(minute) // 60:02d}:{int(minute) % 60:02d}"


@cache
def _years() -> frozenset[int]:
    return frozenset(int(row["date"][:4]) for row in tables.rows("holidays"))


@cache
def _exceptions(exchange: str) -> dict[dt.date, tables.Row]:
    return {
        dt.date.fromisoformat(row["date"]): row
        for row in tables.rows("holidays")
        if tables.is_for(row, exchange)
    }


def _exception(date: dt.date, underlying: str) -> tables.Row | None:
    return _exceptions(tables.exchange_of(underlying)).get(date)


def _require_covered(date: dt.date) -> None:
    if not is_covered(date):
        raise RuleError(
            f"no row of holidays.csv covers {date.year}: whether {date} was a session is unknown",
            f"use a date in {min(_years())} to {max(_years())}, or add that year with its source",
        )


def _why_closed(date: dt.date, underlying: str) -> str:
    row = _exception(date, underlying)
    return "a weekend" if row is None else row["name"] or "a holiday"


def _regular(date: dt.date, underlying: str) -> Session:
    row = regular_hours(date, underlying)
    opens, closes = minute_of(row["open"]), minute_of(row["close"])
    return Session(date, opens, closes, "regular", (), row["confidence"], row["source"])


def _exceptional(date: dt.date, row: tables.Row) -> Session:
    opens, first_close = minute_of(row["open"]), minute_of(row["close"])
    breaks: tuple[tuple[float, float], ...] = ()
    closes = first_close
    if row["open2"]:
        breaks = ((first_close, minute_of(row["open2"])),)
        closes = minute_of(row["close2"])
    kind: Kind = row["kind"]  # type: ignore[assignment]
    return Session(date, opens, closes, kind, breaks, row["confidence"], row["source"])
