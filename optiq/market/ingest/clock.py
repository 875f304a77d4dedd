"""A source's clock: which zone its stamps are in, and which stamps belong to one snapshot."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from optiq.errors import InputError, RuleError
from optiq.market import calendar
from optiq.market.ingest.batch import Batch, Clock
from optiq.market.schema import IST_OFFSET, AnyArray, BoolArray, TimeArray

_USUAL_HOURS = (555.0, 930.0)
_DECISIVE = 3
"""How many times more moments must speak for one zone than for the other."""
_POLL_GAP = np.timedelta64(5, "s")
_LONGEST_POLL = np.timedelta64(300, "s")
_SECOND = np.timedelta64(1, "s")


class ZoneJudge:
    """Tells IST from UTC by the hours at which a feed's quotes change.

    A moment counts when the quotes differ from the moment before: a recorder that runs through
    the night repeats itself outside the session. Moments inside the session under both readings
    (09:15 to 10:00) say nothing.
    """

    def __init__(self, underlying: str) -> None:
        self._underlying = underlying
        self._last_seen = np.nan
        self._only_ist = 0
        self._only_utc = 0
        self._example: np.datetime64 | None = None

    def see(self, batch: Batch) -> None:
        """Weigh the moments of one batch, in the order they come."""
        columns, timed = batch.columns, ~np.isnat(batch.columns["ts"])
        moments, place = np.unique(columns["ts"][timed], return_inverse=True)
        if not len(moments):
            return
        nothing = np.full(len(timed), np.nan)
        price = columns.get("ltp", columns.get("bid", nothing))
        volume = columns.get("volume", nothing)
        content = (np.nan_to_num(price) + 1e-3 * np.nan_to_num(volume))[timed]
        totals = np.bincount(place, weights=content)
        before = np.append(self._last_seen, totals[:-1])
        active = moments[totals != before]
        self._last_seen = float(totals[-1])
        self._example = moments[0] if self._example is None else self._example
        as_ist = in_session(active, self._underlying)
        as_utc = in_session(active + IST_OFFSET, self._underlying)
        self._only_ist += int((as_ist & ~as_utc).sum())
        self._only_utc += int((as_utc & ~as_ist).sum())

    def verdict(self) -> Clock:
        """Return the zone, "unknown" while it cannot be told."""
        return zone_by(self._only_ist, self._only_utc)

    def refusal(self, source: str) -> InputError:
        """Return the error for a source whose zone stays unknown."""
        if self._example is None:
            return InputError(
                f"{source}: not one of its rows has a time that can be read",
                "look at its first lines: quoting, separator, the name of the time column (--map)",
            )
        return InputError(
            f"{source}: its stamps (such as {str(self._example)[:16]}) may be Indian time or UTC",
            "say which with --tz Asia/Kolkata or --tz UTC",
        )


def zone_by(only_ist: int, only_utc: int) -> Clock:
    """Return the zone that so many moments speak for which fit the session in one zone only."""
    if only_ist and only_ist >= _DECISIVE * only_utc:
        return "IST"
    if only_utc and only_utc >= _DECISIVE * only_ist:
        return "UTC"
    return "unknown"


def in_session(local: TimeArray, underlying: str) -> BoolArray:
    """Return which moments of Indian time lie in their day's hours, (n,); NaT does not.

    A day without a session has the usual hours: whether it is one, the calendar says.
    """
    day = local.astype("datetime64[D]")
    minute = (local - day) / np.timedelta64(1, "m")
    inside = np.zeros(len(local), np.bool_)
    for date in np.unique(day[~np.isnat(day)]):
        first, last = _hours(date.item(), underlying)
        inside |= (day == date) & (minute >= first) & (minute <= last)
    return inside


@lru_cache(maxsize=4096)
def _hours(date: dt.date, underlying: str) -> tuple[float, float]:
    try:
        session = calendar.session(date, underlying)
    except RuleError:
        return _USUAL_HOURS
    return session.open_minute, session.close_minute


def to_utc(ts: TimeArray, clock: Clock, tz: str | None = None) -> TimeArray:
    """Return stamps in UTC; a named zone ``tz`` outranks a naive source's clock."""
    if clock == "UTC":
        return ts
    if tz is None:
        return ts - IST_OFFSET
    zone = _zone(tz)
    if zone.key in ("Asia/Kolkata", "Asia/Calcutta"):
        return ts - IST_OFFSET
    if zone.key == "UTC":
        return ts
    moments, place = np.unique(ts, return_inverse=True)
    moved: TimeArray = np.array([_moved(moment, zone) for moment in moments], ts.dtype)
    return moved[place]


def _zone(tz: str) -> ZoneInfo:
    try:
        return ZoneInfo({"IST": "Asia/Kolkata", "UTC": "UTC"}.get(tz.upper(), tz))
    except (ZoneInfoNotFoundError, ValueError) as reason:
        raise InputError(f"--tz: no zone {tz!r}", "write Asia/Kolkata or UTC") from reason


def _moved(moment: np.datetime64, zone: ZoneInfo) -> np.datetime64:
    if np.isnat(moment):
        return moment
    local: dt.datetime = moment.astype("datetime64[us]").item()
    aware = local.replace(tzinfo=zone).astimezone(dt.UTC)
    return np.datetime64(aware.replace(tzinfo=None), "us")


def snapshot_times(ts: TimeArray, contract: AnyArray) -> TimeArray:
    """Return the moment of the snapshot each quote belongs to.

    Quotes of one poll share its latest time: stamps at most 5 s apart (300 s in all where a whole
    source quotes no contract twice), no contract among them twice. Ticks (distinct stamps less
    than a second apart, contracts repeated) count at the end of their second.
    """
    moments, place = np.unique(ts, return_inverse=True)
    if len(moments) < 2:
        return ts
    gaps = np.diff(moments)
    one_poll = len(np.unique(contract)) == len(contract)
    if one_poll and moments[-1] - moments[0] <= _LONGEST_POLL:
        return np.full_like(ts, moments[-1])
    if float(np.median(gaps / _SECOND)) >= 1.0:
        return ts
    poll = np.concatenate(([0], np.cumsum(gaps > _POLL_GAP)))
    if _quotes_once(poll[place], contract):
        ends = np.append(np.flatnonzero(np.diff(poll)), len(moments) - 1)
        latest: TimeArray = moments[ends][poll][place]
        return latest
    seconds: TimeArray = (ts + (_SECOND - np.timedelta64(1, "us"))).astype("datetime64[s]")
    return seconds.astype(ts.dtype)


def _quotes_once(poll: AnyArray, contract: AnyArray) -> bool:
    pairs = np.stack((poll, contract))
    return len(np.unique(pairs, axis=1)[0]) == len(poll)
