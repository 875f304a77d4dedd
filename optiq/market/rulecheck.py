"""Do the dated tables hold together: gaps, overlaps, impossible dates, and the library they fix."""

from __future__ import annotations

import datetime as dt
import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from optiq.market import calendar, contracts, tables
from optiq.market.schema import UNDERLYINGS

CONFIDENCES = ("high", "medium", "low")
LIBRARY = "pandas_market_calendars NSE"
LONGEST_WEEK = dt.timedelta(days=13)
"""A Thursday moved to a Tuesday, or a holiday, stretches a week to less than this."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing found in a table: a problem to mend, or something only worth knowing."""

    table: str
    state: Literal["problem", "note"]
    text: str


def market_findings() -> Iterator[Finding]:
    """Yield what is wrong with the market's tables."""
    for table in tables.MARKET_TABLES:
        yield from unsourced(table, tables.rows(table))
    yield from holiday_findings(tables.rows("holidays"))
    for table in ("session_hours", "strike_steps", "freeze_quantities"):
        key = "exchange" if table == "session_hours" else "underlying"
        yield from dated_findings(table, tables.rows(table), (key,))
    for underlying in UNDERLYINGS:
        yield from expiry_findings(underlying)
        yield from lot_findings(underlying, tables.rows_of("lot_sizes", underlying))


def unsourced(table: str, rows: Iterable[tables.Row]) -> Iterator[Finding]:
    """Yield the rows without a source or with an unknown confidence."""
    for line, row in enumerate(rows, 2):
        if not row["source"]:
            yield Finding(table, "problem", f"line {line} has no source")
        if row["confidence"] not in CONFIDENCES:
            yield Finding(table, "problem", f"line {line}: confidence {row['confidence']!r}")


def dated_findings(table: str, rows: Iterable[tables.Row], key: Sequence[str]) -> Iterator[Finding]:
    """Yield gaps and overlaps between the rows that share the cells named in ``key``."""
    groups: dict[str, list[tables.Row]] = defaultdict(list)
    for row in rows:
        groups[" ".join(row[name] for name in key if row[name])].append(row)
    for group, members in groups.items():
        ordered = sorted(members, key=tables.first_day)
        for before, after in itertools.pairwise(ordered):
            yield from _seam(table, group, tables.last_day(before), tables.first_day(after))


def _seam(table: str, group: str, last: dt.date, first: dt.date) -> Iterator[Finding]:
    if first <= last:
        yield Finding(table, "problem", f"{group}: two rows cover {first}")
    elif first - last > calendar.ONE_DAY:
        yield Finding(table, "problem", f"{group}: no row from {last} to {first}")


def holiday_findings(rows: Sequence[tables.Row]) -> Iterator[Finding]:
    """Yield repeated days, weekdays that are not that date's, and years left out."""
    seen = set()
    for row in rows:
        date = dt.date.fromisoformat(row["date"])
        if row["weekday"] != contracts.WEEKDAYS[date.weekday()]:
            yield Finding("holidays", "problem", f"{date} is no {row['weekday']}")
        for exchange in row["exchange"].split("+"):
            if (date, exchange) in seen:
                yield Finding("holidays", "problem", f"{exchange}: two rows for {date}")
            seen.add((date, exchange))
        if row["kind"] != "holiday" and not row["open"]:
            yield Finding("holidays", "note", f"the hours of {date} ({row['name']}) are not known")
    years = {date.year for date, _ in seen}
    for year in set(range(min(years), max(years) + 1)) - years:
        yield Finding("holidays", "problem", f"no row for {year}")


def expiry_findings(underlying: str) -> Iterator[Finding]:
    """Yield weeks and months without an expiry between the first and the last of a cycle."""
    for cycle, longest in (("weekly", LONGEST_WEEK), ("monthly", 6 * contracts.WEEK)):
        for before, after in itertools.pairwise(contracts.listed(underlying, cycle)):
            if after - before > longest:
                text = f"{underlying}: no {cycle} expiry between {before} and {after}"
                yield Finding("expiry_rules", "problem", text)


def lot_findings(underlying: str, rows: Sequence[tables.Row]) -> Iterator[Finding]:
    """Yield revisions out of order, and first expiries that are none."""
    for column, cycle in (("first_weekly_expiry", "weekly"), ("first_monthly_expiry", "monthly")):
        firsts = [dt.date.fromisoformat(row[column]) for row in rows if row[column]]
        for before, after in itertools.pairwise(firsts):
            if after <= before:
                text = f"{underlying}: {cycle} row of {after} follows that of {before}"
                yield Finding("lot_sizes", "problem", text)
        known = contracts.listed(underlying, cycle)
        for first in firsts:
            if known and known[0] < first < known[-1] and first not in known:
                text = f"{underlying}: {first} is no {cycle} expiry"
                yield Finding("lot_sizes", "problem", text)


def library_findings() -> Iterator[Finding]:
    """Yield where pandas_market_calendars says otherwise and no row of ours expects it to."""
    try:
        import pandas_market_calendars
    except ImportError:
        text = "pandas_market_calendars is not installed: sessions were not compared with it"
        yield Finding("holidays", "note", text)
        return
    start, end = calendar.first_covered_day(), calendar.last_covered_day()
    hours = pandas_market_calendars.get_calendar("NSE").schedule(str(start), str(end))
    theirs = {day.date(): row for day, row in hours.iterrows()}
    yield from session_findings(set(theirs), start, end)
    yield from _muhurat_findings(theirs)


def session_findings(theirs: set[dt.date], start: dt.date, end: dt.date) -> Iterator[Finding]:
    """Yield the days that only one side calls a session, unless a row expects just that."""
    expected = {
        dt.date.fromisoformat(row["date"])
        for row in tables.rows("holidays")
        if LIBRARY in row["library_errors"]
    }
    differing = set(calendar.sessions_between(start, end)) ^ theirs
    for date in sorted(differing - expected):
        mine = "a session" if calendar.is_session(date) else "closed"
        text = f"{date} is {mine} here and not in pandas_market_calendars"
        yield Finding("holidays", "problem", text)
    for date in sorted(expected - differing):
        text = f"pandas_market_calendars has put {date} right: clear its library_errors"
        yield Finding("holidays", "note", text)


def _muhurat_findings(theirs: dict[dt.date, Any]) -> Iterator[Finding]:
    for date, row in theirs.items():
        if not calendar.is_session(date) or calendar.is_expiry_day_possible(date):
            continue
        ours = calendar.session(date)
        times = (row["market_open"], row["market_close"])
        if tuple(time.to_datetime64() for time in times) != (ours.open_utc, ours.close_utc):
            text = f"Muhurat of {date} has other hours in pandas_market_calendars"
            yield Finding("holidays", "problem", text)
