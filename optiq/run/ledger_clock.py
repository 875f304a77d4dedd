"""In which clock a ledger's naive times were written, Indian time or UTC, trade by trade."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from optiq.errors import RuleError
from optiq.market import calendar
from optiq.market.ingest.clock import zone_by_votes
from optiq.market.schema import IST_OFFSET
from optiq.run.ledger_quotes import Key, Seen
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
    return f"{calendar.time_of_day(moment)} in India lies outside the session, {hours}"


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


def chosen_reading(
    number: int,
    trade: Booked,
    possible: Sequence[Reading],
    seen: Mapping[Key, Seen],
    clock: Reading,
) -> tuple[Reading, str]:
    """Return the clock of a trade's naive times, and what shows that it is UTC.

    ``possible`` are the clocks that put it into a session. Where both do, it is the one at whose
    moments the chain quoted its prices; where that does not tell, the ledger's.
    """
    if len(possible) == 1:
        words = "outside the session as Indian time; as UTC "
        return possible[0], (words + clock_words(trade)) * (possible[0] == "UTC")
    matches = {reading: _matches(number, trade, reading, seen) for reading in READINGS}
    if matches["IST"] != matches["UTC"]:
        reading: Reading = "UTC" if matches["UTC"] > matches["IST"] else "IST"
        words = f"{matches['UTC']} of its prices quoted as UTC, {matches['IST']} as Indian time; "
    else:
        reading, words = clock, "the ledger's other times are UTC; "
    return reading, (words + clock_words(trade)) * (reading == "UTC")


def _matches(number: int, trade: Booked, reading: Reading, seen: Mapping[Key, Seen]) -> int:
    """Return how many of a trade's prices the chain quoted at its moments, read by one clock.

    None says anything where it leaves before it enters: one of the moments is wrong.
    """
    if utc_of(trade.exit, reading) < utc_of(trade.entry, reading):
        return 0
    prices = {"entry": trade.entry_price, "exit": trade.exit_price}
    found = {which: seen.get((number, reading, which)) for which in prices}
    return sum(day is not None and day.has_quoted(prices[w]) for w, day in found.items())


def clock_words(trade: Booked) -> str:
    """Return a trade's naive moments and what they are in India if they are UTC."""
    return ", ".join(
        f"{name} {stamp.text[-8:]} is {calendar.time_of_day(stamp.time)} in India"
        for name, stamp in (("entry", trade.entry), ("exit", trade.exit))
        if stamp.is_known and stamp.clock == "unknown"
    )
