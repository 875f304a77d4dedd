"""Which evenings there are: the sessions that are over, by the exchange's calendar alone."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from optiq.errors import RuleError
from optiq.market import calendar
from optiq.market.schema import IST

MIDNIGHT = 24 * 60.0
LOOK_BACK = 30
"""Days in which there is always a session."""


def ends_at(date: dt.date, underlying: str, margin_minutes: float) -> dt.datetime:
    """Return when a session's evening may begin, UTC: its close and the margin.

    The hours of a Muhurat session are announced late: where they are not known it is over by
    midnight in India.
    """
    try:
        minute = calendar.session(date, underlying).close_minute
    except RuleError:
        if not calendar.is_session(date, underlying):
            raise
        minute = MIDNIGHT - margin_minutes
    start = dt.datetime.combine(date, dt.time(), IST)
    return (start + dt.timedelta(minutes=minute + margin_minutes)).astimezone(dt.UTC)


def latest_evening(now: dt.datetime, underlyings: Sequence[str], margin_minutes: float) -> dt.date:
    """Return the last session whose evening may begin, for all the underlyings that trade then.

    ``now`` is aware; the machine's own zone plays no part.
    """
    today = now.astimezone(IST).date()
    first = today - dt.timedelta(days=LOOK_BACK)
    for date in reversed(sessions(first, today, underlyings)):
        names = [name for name in underlyings if calendar.is_session(date, name)]
        if all(ends_at(date, name, margin_minutes) <= now for name in names):
            return date
    raise RuleError(f"no session in the {LOOK_BACK} days before {today}")


def sessions(first: dt.date, last: dt.date, underlyings: Sequence[str]) -> list[dt.date]:
    """Return the days from first to last on which any of the underlyings trades."""
    found = {day for name in underlyings for day in calendar.sessions_between(first, last, name)}
    return sorted(found)


def why_none(date: dt.date, underlyings: Sequence[str]) -> str:
    """Return in words why a day has no session, "" where it has one."""
    if any(calendar.is_session(date, name) for name in underlyings):
        return ""
    noon = calendar.utc(date, MIDNIGHT / 2)
    return f"no session on {date}: {calendar.closed_at(noon, underlyings[0])}"


def sessions_since(seen: dt.date, until: dt.date, underlying: str = "NIFTY") -> int:
    """Return how many sessions after ``seen`` there were up to ``until``, that one included."""
    return len(calendar.sessions_between(seen + calendar.ONE_DAY, until, underlying))
