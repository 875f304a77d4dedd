"""One booked trade and all that is known of it: what its faults are judged by."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np

from optiq.market.schema import IST_OFFSET
from optiq.run.ledger_clock import LedgerClock, Reading
from optiq.run.old_ledger import BookedMoment, BookedTrade
from optiq.run.recorded_quotes import Fill, Quoted
from optiq.trade.priced_legs import day_of

OPEN_WORDS = ("OPEN", "ACTIVE", "PENDING", "RUNNING", "CANCELLED", "CANCELED", "REJECTED")


class Flag(StrEnum):
    """The faults, in the order in which they are told."""

    UNREADABLE = "unreadable"
    NOT_CLOSED = "not_closed"
    IMPOSSIBLE_TIME = "impossible_time"
    UTC_AS_IST = "utc_as_ist"
    EXIT_BEFORE_ENTRY = "exit_before_entry"
    UNKNOWN_CONTRACT = "unknown_contract"
    WRONG_LOT = "wrong_lot"
    EXIT_EQUALS_ENTRY = "exit_equals_entry"
    PRICE_OFF_CHAIN = "price_off_chain"
    NET_DOES_NOT_ADD_UP = "net_does_not_add_up"
    CHARGES_UNDERSTATED = "charges_understated"
    NO_DATA = "no_data"


class Fault(NamedTuple):
    """One fault of one trade."""

    flag: Flag
    evidence: str


@dataclass(frozen=True, slots=True)
class Leg:
    """What the recorded chain says of a trade's entry or exit.

    Attributes
    ----------
    unrecorded
        Why the chain says nothing, in words; "" where it does.
    fill
        What the order would have filled at; None where nothing filled it.
    around
        The prices some minutes around the moment; None where there were none.
    is_recorded
        Whether the contract was recorded that day at all.
    at, quotes_between
        The prices of the very moment, and how many rows between entry and exit, on this leg's day,
        quote the contract. Asked only where the exit is booked at the entry's price.
    """

    unrecorded: str = ""
    fill: Fill | None = None
    around: Quoted | None = None
    is_recorded: bool = False
    at: Quoted | None = None
    quotes_between: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """One booked trade and all that is known of it.

    Attributes
    ----------
    entry, exit
        What the chain says; None where it was not asked: no contract, no moment.
    days
        Those of entry and exit in India; the other's where one cannot be read, None without both.
    unlisted
        Why the contract cannot have been traded that day, in words.
    lot
        Units per lot on the day of the entry; None where no row says.
    due
        Charges of the two orders in paise, at the booked prices; None where unknown.
    clock_is_told
        Whether session, ledger or prices say which zone its moments are in.
    """

    trade: BookedTrade
    reading: Reading
    clock: LedgerClock
    entry: Leg | None
    exit: Leg | None
    days: tuple[dt.date, dt.date] | None
    unlisted: str = ""
    lot: int | None = None
    due: tuple[int, int] | None = None
    clock_is_told: bool = True

    @property
    def moments(self) -> tuple[tuple[str, BookedMoment, np.datetime64], ...]:
        """Entry and exit: their names, as booked, and in UTC."""
        trade, reading = self.trade, self.reading
        return (("entry", trade.entry, reading.entry), ("exit", trade.exit, reading.exit))

    @property
    def legs(self) -> Iterator[tuple[str, float, Leg, np.datetime64]]:
        """Those of entry and exit that the chain was asked about: name, booked price, moment."""
        trade, reading = self.trade, self.reading
        if self.entry is not None:
            yield "entry", trade.entry_price, self.entry, reading.entry
        if self.exit is not None:
            yield "exit", trade.exit_price, self.exit, reading.exit


def is_open(trade: BookedTrade) -> bool:
    """Return whether a trade was never closed, or never made."""
    return not trade.exit.text or math.isnan(trade.exit_price) or says_open(trade)


def says_open(trade: BookedTrade) -> bool:
    """Return whether its status is one of a trade that is not done."""
    return trade.status.upper() in OPEN_WORDS


def booked_gross(trade: BookedTrade) -> float:
    """Return the gross profit that a trade's own prices and quantity make, in rupees."""
    return trade.side * (trade.exit_price - trade.entry_price) * trade.quantity


def days_of(reading: Reading) -> tuple[dt.date, dt.date] | None:
    """Return the days of entry and exit; the other's where one cannot be read."""
    moments = (reading.entry, reading.exit)
    entry, leave = (None if np.isnat(utc) else day_of(utc) for utc in moments)
    first, second = entry or leave, leave or entry
    return None if first is None or second is None else (first, second)


def clock_words(utc: np.datetime64) -> str:
    """Return the Indian time of day, ``HH:MM:SS``."""
    return str((utc + IST_OFFSET).astype("datetime64[s]"))[11:]
