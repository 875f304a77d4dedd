"""What the exchanges list: expiries, lots, strike steps and freeze quantities, each by date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np

from optiq.errors import RuleError
from optiq.market import calendar, tables
from optiq.market.schema import FloatArray, IntArray, TimeArray

WEEK = dt.timedelta(days=7)
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
QUARTER_MONTHS = (3, 6, 9, 12)
STRIKES_NEAR = 12
"""How many strikes around the level say what the step is; further out the steps are wider."""


@dataclass(frozen=True, slots=True)
class Lot:
    """Units per lot of one contract, and how sure the row is that says so."""

    size: int
    confidence: str
    source: str
    note: str = ""


@cache
def lot_size(underlying: str, expiry: dt.date, on: dt.date) -> Lot:
    """Return the lot of the contracts of one expiry, as it stood on the day ``on``.

    A lot belongs to the contract: a revision starts at one weekly and at another monthly expiry.
    Quarterly and half-yearly contracts, listed long before, keep the old lot until the evening
    of their conversion; so ``on`` matters for them.
    """
    monthly = is_monthly(underlying, expiry)
    for row in reversed(tables.rows_of("lot_sizes", underlying)):
        if _has_begun(row, expiry, monthly, on):
            return Lot(int(row["lot"]), row["confidence"], row["source"], row["note"])
    raise tables.no_row("lot_sizes", f"{underlying} contracts expiring {expiry}", on)


def lot_sizes(underlying: str, expiries: TimeArray, on: dt.date) -> IntArray:
    """Return `lot_size` of each expiry, (n,) units; ``expiries`` is datetime64[D]."""
    distinct, place = np.unique(expiries.astype("datetime64[D]"), return_inverse=True)
    sizes = [lot_size(underlying, expiry.item(), on).size for expiry in distinct]
    return np.array(sizes, np.int64)[place]


def unsure_lots(underlying: str, expiries: TimeArray, on: dt.date) -> tuple[str, ...]:
    """Return, in words, the lots among ``expiries`` that no official page confirms."""
    found = []
    for expiry in np.unique(expiries.astype("datetime64[D]")):
        lot = lot_size(underlying, expiry.item(), on)
        if lot.confidence != "high":
            found.append(f"lot {lot.size} of {underlying} {expiry} ({lot.confidence} confidence)")
    return tuple(found)


def expiries_after(underlying: str, on: dt.date, count: int) -> list[dt.date]:
    """Return the next ``count`` expiries by the dated rules, one that falls on ``on`` included.

    They are the final ones: a contract may have been listed for another day before a rule changed.
    `RuleError` where that would need holidays of a year that the calendar does not know.
    """
    found = known_expiries(underlying, on)[:count]
    if len(found) < count:
        after = calendar.last_covered_day() + calendar.ONE_DAY
        raise tables.no_row("holidays", f"the expiries of {underlying}", after)
    return found


def known_expiries(underlying: str, on: dt.date) -> list[dt.date]:
    """Return every weekly and monthly expiry from ``on`` to the calendar's end, ascending."""
    _nominal_monthly(underlying, on)  # a day before the first contract is an error, not a gap
    calendar.is_session(on, underlying)  # so is one outside the calendar
    return [expiry for expiry in _all_expiries(underlying) if expiry >= on]


def require_expiry(underlying: str, expiry: dt.date, on: dt.date) -> None:
    """Refuse a day on which the dated rules let nothing of this underlying expire.

    Beyond the calendar's end the rules cannot tell, and any day passes.
    """
    known = known_expiries(underlying, on)
    if expiry not in known and not (known and expiry > known[-1]):
        around = [day for day in known if day < expiry][-1:] + [d for d in known if d > expiry][:1]
        raise RuleError(
            f"no {underlying} contract alive on {on} expires on {expiry}",
            f"the expiries around it: {', '.join(map(str, around))}",
        )


@cache
def listed(underlying: str, cycle: str) -> tuple[dt.date, ...]:
    """Return the expiries of a cycle, "weekly" or "monthly", in the years the calendar holds."""
    dates = {
        expiry
        for row in _rules(underlying, cycle)
        for nominal in _nominal(row)
        if _first(row) <= (expiry := _brought_forward(nominal, underlying)) <= _last(row)
    }
    return tuple(sorted(dates))


def monthly_expiry(underlying: str, year: int, month: int) -> dt.date:
    """Return the last expiry of a month, brought forward where that day is no session."""
    nominal = _nominal_monthly(underlying, dt.date(year, month, 1))
    calendar.is_session(nominal, underlying)  # a year without known holidays is an error
    return _brought_forward(nominal, underlying)


@cache
def is_monthly(underlying: str, expiry: dt.date) -> bool:
    """Return whether an expiry is the last of its month; quarterlies are monthlies too.

    Contracts listed before a change of weekday, or beyond the calendar, are told by their place
    in the month.
    """
    last = _nominal_monthly(underlying, expiry)
    if expiry <= last:
        return expiry > last - WEEK
    return expiry not in listed(underlying, "weekly")  # a weekly of next month, brought forward


def expiry_close_utc(expiries: TimeArray, underlying: str = "NIFTY") -> TimeArray:
    """Return `calendar.close_of` each expiry, (n,) datetime64[us] UTC."""
    distinct, place = np.unique(expiries.astype("datetime64[D]"), return_inverse=True)
    closes = [calendar.close_of(expiry.item(), underlying) for expiry in distinct]
    return np.array(closes, "datetime64[us]")[place]


def strike_step(strikes: FloatArray, level: float) -> float:
    """Return the distance between strikes near ``level``, in rupees; NaN under two strikes.

    The most common gap among the strikes around the level, the smaller of two equally common:
    a missing strike does not widen it.

    >>> strike_step(np.array([25900.0, 25950.0, 26000.0, 26100.0, 26150.0, 27000.0]), 26010.0)
    50.0
    """
    distinct = np.unique(strikes[np.isfinite(strikes)])
    nearest = np.argsort(np.abs(distinct - level), kind="stable")[:STRIKES_NEAR]
    gaps, times = np.unique(np.diff(np.sort(distinct[nearest])), return_counts=True)
    return float(gaps[np.argmax(times)]) if len(gaps) else np.nan


def usual_strike_step(underlying: str, on: dt.date) -> tables.Row:
    """Return the row of the usual step near the money; a chain itself says more, `strike_step`."""
    candidates = tables.rows_of("strike_steps", underlying)
    return tables.in_force(candidates, on, "strike_steps", f"the strikes of {underlying}")


def freeze_quantity(underlying: str, on: dt.date) -> tables.Row:
    """Return the row of the largest order, in units, that the exchange takes unsliced."""
    candidates = tables.rows_of("freeze_quantities", underlying)
    return tables.in_force(candidates, on, "freeze_quantities", f"orders in {underlying}")


def largest_order(underlying: str, on: dt.date, lot: int) -> int | None:
    """Return the units of a contract that one order may have: whole lots up to the freeze quantity.

    None where no row of freeze_quantities.csv covers the day.
    """
    try:
        units = int(freeze_quantity(underlying, on)["freeze_quantity"])
    except RuleError:
        return None
    return max(units // lot, 1) * lot


def _has_begun(row: tables.Row, expiry: dt.date, monthly: bool, on: dt.date) -> bool:
    """Return whether a row of lot_sizes holds for an expiry, seen on the day ``on``."""
    column = "first_monthly_expiry" if monthly else "first_weekly_expiry"
    if expiry < tables.day(row[column], dt.date.max):
        return False
    if on < tables.day(row["circular_effective"], dt.date.min):
        return False
    long_dated = monthly and expiry.month in QUARTER_MONTHS
    return not long_dated or on > tables.day(row["long_dated_converted_eod"], dt.date.min)


@cache
def _all_expiries(underlying: str) -> tuple[dt.date, ...]:
    monthlies = listed(underlying, "monthly")
    months_end = {_nominal_monthly(underlying, expiry) for expiry in monthlies}
    weeklies = {
        expiry
        for expiry in listed(underlying, "weekly")
        if not any(last - WEEK < expiry <= last for last in months_end)
    }
    return tuple(sorted(weeklies | set(monthlies)))


def _nominal(row: tables.Row) -> Iterator[dt.date]:
    """Yield the rule's weekdays within the calendar; of a monthly rule the last of each month."""
    start = dt.date(2000, 1, 3) + WEEKDAYS.index(row["weekday"]) * calendar.ONE_DAY
    end = min(_last(row) + WEEK, calendar.last_covered_day())
    for n in range((end - start).days // 7 + 1):
        nominal = start + n * WEEK
        is_last = (nominal + WEEK).month != nominal.month
        if calendar.is_covered(nominal) and (row["cycle"] == "weekly" or is_last):
            yield nominal


def _brought_forward(nominal: dt.date, underlying: str) -> dt.date:
    """Return the expiry itself: the session on or before its nominal day."""
    date = nominal
    while calendar.is_covered(date) and not calendar.is_expiry_day_possible(date, underlying):
        date -= calendar.ONE_DAY
    return date


def _nominal_monthly(underlying: str, expiry: dt.date) -> dt.date:
    """Return the last weekday of the expiry's month that its monthly rule names."""
    month = (expiry.year, expiry.month)
    for row in _rules(underlying, "monthly"):
        first, last = _first(row), _last(row)
        if (first.year, first.month) <= month <= (last.year, last.month):
            return _last_weekday(expiry, WEEKDAYS.index(row["weekday"]))
    raise tables.no_row("expiry_rules", f"monthly expiries of {underlying}", expiry)


def _last_weekday(date: dt.date, weekday: int) -> dt.date:
    next_month = (date.replace(day=1) + 5 * WEEK).replace(day=1)
    end = next_month - calendar.ONE_DAY
    return end - ((end.weekday() - weekday) % 7) * calendar.ONE_DAY


def _rules(underlying: str, cycle: str) -> list[tables.Row]:
    return [row for row in tables.rows_of("expiry_rules", underlying) if row["cycle"] == cycle]


def _first(row: tables.Row) -> dt.date:
    return dt.date.fromisoformat(row["first_expiry"])


def _last(row: tables.Row) -> dt.date:
    return tables.day(row["last_expiry"], dt.date.max - 2 * WEEK)
