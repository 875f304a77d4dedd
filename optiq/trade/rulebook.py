"""Everything the dated tables say about one underlying on one day, with where it is from."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from optiq.errors import RuleError
from optiq.market import calendar, contracts, rulecheck, tables
from optiq.market.rulecheck import Finding
from optiq.market.schema import UNDERLYINGS
from optiq.trade.charges import Broker, is_about, schedule
from optiq.trade.margin import margin_rows

EXPIRIES_SHOWN = 5
Finder = Callable[[str, dt.date], tables.Row]


@dataclass(frozen=True, slots=True)
class Fact:
    """One rule in force: what it says, how sure that is, and who says so."""

    name: str
    value: str
    confidence: str = ""
    source: str = ""
    note: str = ""


def facts(underlying: str, on: dt.date, expiry: dt.date | None, broker: Broker) -> Iterator[Fact]:
    """Yield the rules for a day; one that no row covers says so in its note.

    Without ``expiry`` the lots are those of the next expiries.
    """
    yield session_fact(underlying, on)
    if expiry:
        contracts.require_expiry(underlying, expiry, on)
    expiries = [expiry] if expiry else contracts.known_expiries(underlying, on)[:EXPIRIES_SHOWN]
    for one in expiries:
        yield expiry_fact(underlying, one, on)
    yield row_fact("strike step", "step", contracts.usual_strike_step, underlying, on)
    yield row_fact("freeze quantity", "freeze_quantity", contracts.freeze_quantity, underlying, on)
    yield from charge_facts(underlying, on, broker)
    yield from margin_facts(underlying, on)


def session_fact(underlying: str, on: dt.date) -> Fact:
    """Return the day's hours, or why it has none."""
    calendar.is_session(on, underlying)  # a year that no row covers is an error, not a fact
    try:
        day = calendar.session(on, underlying)
    except RuleError as error:
        return Fact("session", "none", note=str(error))
    parts = [day.open_minute, *(minute for pause in day.breaks for minute in pause)]
    times = [calendar.clock(minute) for minute in (*parts, day.close_minute)]
    spans = [f"{opens}-{closes}" for opens, closes in zip(times[::2], times[1::2], strict=True)]
    return Fact("session", f"{day.kind}, {' and '.join(spans)} IST", day.confidence, day.source)


def expiry_fact(underlying: str, expiry: dt.date, on: dt.date) -> Fact:
    """Return the lot of one expiry's contracts as it stood on a day."""
    cycle = "monthly" if contracts.is_monthly(underlying, expiry) else "weekly"
    name = f"expiry {expiry:%a} {expiry}"
    try:
        lot = contracts.lot_size(underlying, expiry, on)
    except RuleError as error:
        return Fact(name, f"{cycle}, lot unknown", note=str(error))
    return Fact(name, f"{cycle}, lot {lot.size}", lot.confidence, lot.source, lot.note)


def row_fact(name: str, column: str, find: Finder, underlying: str, on: dt.date) -> Fact:
    """Return one cell of the row that ``find`` gives."""
    try:
        row = find(underlying, on)
    except RuleError as error:
        return Fact(name, "not known", note=str(error))
    return Fact(name, row[column], row["confidence"], row["source"], row["note"])


def charge_facts(underlying: str, on: dt.date, broker: Broker) -> Iterator[Fact]:
    """Yield each line of the charges in force."""
    try:
        rows = schedule(underlying, on, broker).rows
    except RuleError as error:
        yield Fact("charges", "not known", note=str(error))
        return
    for row in rows:
        side = "" if row["side"] == "both" else f", {row['side']} only"
        value = f"{row['rate']} of {row['per']}{side}"
        if row["charge"] == "brokerage":
            value = f"Rs {row['rate']} per {row['per']} ({row['broker']})"
        yield Fact(row["charge"], value, row["confidence"], row["source"], row["note"])


def margin_facts(underlying: str, on: dt.date) -> Iterator[Fact]:
    """Yield each range that the margin of sold options is reckoned from."""
    try:
        rows = margin_rows(underlying, on)
    except RuleError as error:
        yield Fact("margin", "not known", note=str(error))
        return
    for name, row in rows.items():
        value = f"{row['value']} {row['unit']}"
        yield Fact(f"margin {name}", value, row["confidence"], row["source"], row["note"])


def all_findings() -> Iterator[Finding]:
    """Yield what is wrong with, or worth knowing about, every table that ships."""
    yield from rulecheck.market_findings()
    for table, key in (("charges", ("charge", "exchange", "broker")), ("margin", ("parameter",))):
        rows = tables.rows(table, "optiq.trade")
        yield from rulecheck.unsourced(table, rows)
        yield from dict.fromkeys(_dated_findings(table, rows, key))
    yield from rulecheck.unsourced("margin_records", tables.rows("margin_records", "optiq.trade"))
    yield from rulecheck.library_findings()


def _dated_findings(
    table: str, rows: Sequence[tables.Row], key: Sequence[str]
) -> Iterator[Finding]:
    for underlying in UNDERLYINGS:
        ours = [row for row in rows if is_about(row, underlying)]
        yield from rulecheck.dated_findings(table, ours, key)
