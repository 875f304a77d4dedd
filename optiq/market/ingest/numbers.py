"""Numbers, days and moments as exchanges and brokers write them."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from optiq.market.ingest.batch import Clock
from optiq.market.schema import FloatArray

LONGEST_TEXT = 64
"""Of a cell that is a number, a day or a moment; patterns are not tried on longer ones."""
LARGEST = 1e12
"""No quote, quantity or open interest of an index option comes near this."""

NOTHING = frozenset({"", "-", "--", "na", "n/a", "nan", "nat", "null", "none"})
"""What a cell says that says nothing, in lower case."""
_SUFFIXES = {"": 1.0, "K": 1e3, "L": 1e5, "M": 1e6, "CR": 1e7, "B": 1e9}
# Indian and western grouping both end in a group of three; "1,25" is a decimal comma, not a number.
_NUMBER = re.compile(
    r"([+-]?)(\d{1,3}(?:,\d{2,3})*,\d{3}|\d+)?(\.\d*)?(e[+-]?\d{1,3})?(k|l|m|cr|b)?",
    re.ASCII | re.IGNORECASE,
)
MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = (
    re.compile(r"(?P<year>\d{4})(?P<dash>[-/]?)(?P<month>\d{2})(?P=dash)(?P<day>\d{2})", re.ASCII),
    re.compile(r"(?P<day>\d{1,2})-(?P<month>\d{1,2})-(?P<year>\d{4})", re.ASCII),
    re.compile(r"(?P<day>\d{1,2})([- ]?)(?P<month>[A-Za-z]{3})\2(?P<year>\d{4})", re.ASCII),
)
_MOMENTS = (
    re.compile(
        r"(?P<day>.+?)[T_ ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})"
        r"(:(?P<second>\d{2})(\.(?P<fraction>\d{1,9}))?)?"
        r" ?(?P<zone>Z|[+-]\d{2}(?::?\d{2})?|IST|UTC)?",
        re.ASCII,
    ),
    re.compile(
        r"(?P<day>\d{8})[T_ ]?(?P<hour>\d{2})(?P<minute>\d{2})"
        r"(?P<second>\d{2})?(?P<fraction>)(?P<zone>Z)?",
        re.ASCII,
    ),
)


class Moment(NamedTuple):
    """A point in time as written: ``clock`` is "unknown" where no zone stands beside it."""

    time: np.datetime64
    clock: Clock


def number(value: object) -> float:
    """Return what a cell says, NaN where it says nothing; ValueError where it is no number.

    >>> number("20,17,860"), number("209.52K"), number(" -4.70 "), number("-")
    (2017860.0, 209520.0, -4.7, nan)
    """
    if value is None or value != value:
        return math.nan
    if isinstance(value, str):
        return _number_of_text(value.strip())
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{shown(value)} is not a number")
    if not abs(value) <= LARGEST:
        raise ValueError(f"{shown(value)} is too large to be a quote")
    return float(value)


def _number_of_text(text: str) -> float:
    if text.lower() in NOTHING:
        return math.nan
    match = _NUMBER.fullmatch(_short(text))
    if match is None or not (match[2] or len(match[3] or "") > 1):
        raise ValueError(f"{shown(text)} is not a number")
    sign, whole, fraction, exponent, suffix = (part or "" for part in match.groups())
    found = float(sign + (whole.replace(",", "") or "0") + fraction + exponent)
    found *= _SUFFIXES[suffix.upper()]
    if not abs(found) <= LARGEST:
        raise ValueError(f"{shown(text)} is too large to be a quote")
    return found


def _short(text: str) -> str:
    """Return the stripped text, nothing of one too long to be what any pattern is for."""
    return stripped if len(stripped := text.strip()) <= LONGEST_TEXT else ""


def numbers(values: Sequence[object]) -> tuple[FloatArray, dict[int, str]]:
    """Return ``(n,)`` floats, NaN where nothing or no number stands, and why by position."""
    if {type(value) for value in values} <= {int, float, type(None)}:
        try:
            found = np.array(values, dtype=np.float64)
        except OverflowError:
            pass
        else:
            if not (np.abs(found) > LARGEST).any():
                return found, {}
    return _numbers_one_by_one(values)


def _numbers_one_by_one(values: Sequence[object]) -> tuple[FloatArray, dict[int, str]]:
    found = np.full(len(values), np.nan)
    reasons = {}
    for position, value in enumerate(values):
        try:
            found[position] = number(value)
        except ValueError as error:
            reasons[position] = str(error)
    return found, reasons


@lru_cache(maxsize=4096)
def day(text: str) -> np.datetime64:
    """Return a ``datetime64[D]``; the day comes before the month; ValueError if it is no day.

    >>> [str(day(text)) for text in ("18-Nov-2025", "4JUL2019", "20260804", "13-06-2019")]
    ['2025-11-18', '2019-07-04', '2026-08-04', '2019-06-13']
    """
    for pattern in _DAYS:
        if match := pattern.fullmatch(_short(text)):
            month = match["month"]
            try:
                month_number = int(month) if month.isdigit() else MONTHS.index(month.upper()) + 1
                found = dt.date(int(match["year"]), month_number, int(match["day"]))
            except ValueError:
                break
            if 1990 <= found.year <= 2100:
                return np.datetime64(found, "D")
    raise ValueError(f"{shown(text)} is not a date such as 18-Nov-2025 or 2025-11-18")


def expiry_day(value: object) -> np.datetime64:
    """Return an expiry as a document gives it; ValueError where there is none."""
    if not isinstance(value, str):
        raise ValueError(f"expiry {shown(value)} is not a date")
    return day(value)


@lru_cache(maxsize=4096)
def moment(text: str) -> Moment:
    """Return the instant a text names, in UTC where it carries an offset; ValueError otherwise.

    >>> moment("13-Nov-2025 15:00:25")
    Moment(time=np.datetime64('2025-11-13T15:00:25.000000'), clock='unknown')
    >>> moment("2026-08-18T10:02:00+05:30")
    Moment(time=np.datetime64('2026-08-18T04:32:00.000000'), clock='UTC')
    """
    for pattern in _MOMENTS:
        if match := pattern.fullmatch(_short(text)):
            parts = match["hour"], match["minute"], match["second"] or "0"
            fraction = np.timedelta64(int((match["fraction"] or "").ljust(6, "0")[:6]), "us")
            return at_zone(day(match["day"]) + time_of_day(*parts) + fraction, match["zone"])
    raise ValueError(f"{shown(text)} is not a moment such as 2025-11-18 10:15:00")


def time_of_day(hour: str, minute: str, second: str = "0") -> np.timedelta64:
    """Return the microseconds since midnight; ValueError for an hour that no clock shows."""
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise ValueError(f"{hour}:{minute}:{second} is no time of day")
    seconds = int(hour) * 3600 + int(minute) * 60 + int(second)
    return np.timedelta64(seconds * 1_000_000, "us")


def at_zone(time: np.datetime64, zone: str | None) -> Moment:
    """Return ``time`` with what its zone (``Z``, ``IST``, ``+05:30``, ``+00``) says of it."""
    if zone is None:
        return Moment(time, "unknown")
    if zone == "IST":
        return Moment(time, "IST")
    if zone in ("Z", "UTC"):
        return Moment(time, "UTC")
    minutes = int(zone[1:3]) * 60 + int(zone[-2:] if len(zone) > 3 else 0)
    return Moment(time - np.timedelta64(minutes if zone[0] == "+" else -minutes, "m"), "UTC")


def shown(value: object, longest: int = 60) -> str:
    """Return a value as one short printable line for a message."""
    if isinstance(value, str):
        text = ascii(value[: longest + 1])
    else:
        text = ascii(value) if isinstance(value, int | float | None) else type(value).__name__
    return text if len(text) <= longest else text[:longest] + "..."
