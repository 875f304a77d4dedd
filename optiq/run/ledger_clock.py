"""In which clock a ledger's naive times were written, Indian time or UTC, trade by trade."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Literal

import numpy as np

from optiq.errors import RuleError
from optiq.market import calendar
from optiq.market.ingest.clock import zone_by_votes
from optiq.market.schema import IST_OFFSET
from optiq.run.old_ledger import Booked, Stamp

Reading = Literal["IST", "UTC"]
READINGS: tuple[Reading, ...] = ("IST", "UTC")


def utc_of(stamp: Stamp, reading: Reading) -> np.datetime64:
    """Return a booked moment as UTC, NaT where it could not be read; a zone of its own decides."""
    clock = reading if stamp.clock == "unknown" else stamp.clock
    return stamp.time if clock == "UTC" else stamp.time - IST_OFFSET


def why_outside(moment: np.datetime64, underlying: str) -> str:
    """Return why nothing trades at a moment (UTC); empty where something does, or none can tell."""
    local = moment + IST_OFFSET
    date: dt.date = local.astype("datetime64[D]").item()
    if not calendar.is_covered(date):
        return ""
    try:
        session = calendar.session(date, underlying)
    except RuleError as reason:  # a session whose hours are not known may have any
        return "" if calendar.is_session(date, underlying) else str(reason)
    if session.open_utc <= moment <= session.close_utc:
        return ""
    hours = f"{calendar.clock(session.open_minute)}-{calendar.clock(session.close_minute)}"
    return f"{ist_clock(moment)} in India lies outside the session, {hours}"


def ist_clock(moment: np.datetime64) -> str:
    """Return the time of day in India of a moment (UTC)."""
    return str((moment + IST_OFFSET).astype("datetime64[s]"))[11:]


def known_stamps(trade: Booked) -> list[Stamp]:
    """Return the moments of a trade that could be read."""
    return [stamp for stamp in (trade.entry, trade.exit) if stamp.is_known]


def is_naive(trade: Booked) -> bool:
    """Return whether a moment of the trade does not say its own zone."""
    return any(stamp.clock == "unknown" for stamp in known_stamps(trade))


def possible_readings(trade: Booked) -> tuple[Reading, ...]:
    """Return the clocks in which all the trade's readable moments lie in a session."""
    stamps = known_stamps(trade)
    return tuple(
        reading
        for reading in READINGS
        if stamps and not any(why_outside(utc_of(s, reading), trade.underlying) for s in stamps)
    )


def ledger_clock(trades: Sequence[Booked], possible: Sequence[tuple[Reading, ...]]) -> Reading:
    """Return the clock that most naive trades speak for; Indian time where they do not say."""
    votes = [found for trade, found in zip(trades, possible, strict=True) if is_naive(trade)]
    verdict = zone_by_votes(votes.count(("IST",)), votes.count(("UTC",)))
    return "UTC" if verdict == "UTC" else "IST"
