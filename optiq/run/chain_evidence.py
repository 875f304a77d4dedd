"""What the recorded chain says of a ledger's trades: each stored day is read once."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from optiq.market.calendar import closed_at
from optiq.market.ingest.symbols import Option
from optiq.market.schema import PRICES
from optiq.market.store import Store
from optiq.run.ledger_case import Leg, clock_words
from optiq.run.ledger_clock import LedgerClock, Reading
from optiq.run.listed_contract import why_unlisted
from optiq.run.old_ledger import BookedTrade
from optiq.run.recorded_quotes import AROUND, DayQuotes
from optiq.trade.fills import WalkSettings
from optiq.trade.priced_legs import day_of

Advance = Callable[[int], None]


class Ask(NamedTuple):
    """One leg of one reading of one trade, all by number: what a day is asked about."""

    trade: int
    reading: int
    is_exit: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the chain says of each leg, of each contract, and which days it could not be asked.

    ``unlisted`` says why a contract cannot have been traded on a day, "" where it can.
    """

    legs: dict[Ask, Leg] = field(default_factory=dict)
    unlisted: dict[tuple[Option, dt.date], str] = field(default_factory=dict)
    days_read: list[tuple[str, dt.date]] = field(default_factory=list)
    days_missing: list[tuple[str, dt.date]] = field(default_factory=list)


Asked = dict[tuple[str, dt.date], list[tuple[Ask, Option]]]
"""By underlying and day: what is asked, and of which contract."""


def what_to_ask(trades: Sequence[BookedTrade], clock: LedgerClock) -> Asked:
    """Return, by underlying and day, every moment of a known contract at which it could trade."""
    asked: Asked = defaultdict(list)
    for number, trade in enumerate(trades):
        if trade.contract is None:
            continue
        for place, reading in enumerate(clock.readings[number]):
            for is_exit, moment in ((False, reading.entry), (True, reading.exit)):
                if np.isnat(moment) or closed_at(moment, trade.contract.underlying):
                    continue
                key = (trade.contract.underlying, day_of(moment))
                asked[key].append((Ask(number, place, is_exit), trade.contract))
    return asked


def gather(
    trades: Sequence[BookedTrade],
    clock: LedgerClock,
    asked: Asked,
    store: Store,
    walk: WalkSettings,
    advance: Advance | None = None,
) -> Evidence:
    """Ask the stored days; ``advance`` is told of each."""
    evidence = Evidence()
    for (underlying, date), asks in sorted(asked.items()):
        is_stored = store.has_day(underlying, date)
        day = DayQuotes(store.read_panel(underlying, date, PRICES), walk) if is_stored else None
        (evidence.days_read if is_stored else evidence.days_missing).append((underlying, date))
        missing = Leg(unrecorded=f"no {underlying} quotes of {date} are stored")
        for ask, option in asks:
            trade, reading = trades[ask.trade], clock.readings[ask.trade][ask.reading]
            if (option, date) not in evidence.unlisted:
                evidence.unlisted[option, date] = why_unlisted(option, date, day)
            evidence.legs[ask] = (
                _leg(trade, option, reading, ask.is_exit, day) if day is not None else missing
            )
        if advance is not None:
            advance(1)
    return evidence


def _leg(
    trade: BookedTrade, option: Option, reading: Reading, is_exit: bool, day: DayQuotes
) -> Leg:
    column = day.column(option)
    if column is None:
        return Leg(unrecorded=f"not among the {day.n_contracts:,} contracts recorded that day")
    at = reading.exit if is_exit else reading.entry
    side = -trade.side if is_exit else trade.side
    fill = day.fill(column, side, at, leaving=is_exit)
    why = ""
    if fill is None:
        wait = f"within {day.walk.max_wait_s:g} s of {clock_words(at)}"
        when = f"from {clock_words(at)} to the close" if is_exit else wait
        why = f"no quote to {'buy' if side > 0 else 'sell'} at {when}"
    leg = Leg(why, fill, day.quoted_around(column, at, fill), is_recorded=True)
    if trade.exit_price != trade.entry_price:
        return leg
    between = _quotes_between(trade, reading, is_exit, column, day)
    return replace(leg, at=day.quoted_at(column, at, fill), quotes_between=between)


def _quotes_between(
    trade: BookedTrade, reading: Reading, is_exit: bool, column: int, day: DayQuotes
) -> int:
    """Count this day's share of the rows between the entry's fill and the exit's.

    The entry's own row is none of them; the exit's order lives as long as any.
    """
    if np.isnat(reading.entry) or np.isnat(reading.exit):
        return 0
    overnight = day_of(reading.entry) != day_of(reading.exit)
    if overnight and is_exit:
        return day.times_seen(column, day.opens, reading.exit + AROUND)
    if overnight == is_exit:  # counted on the exit's day
        return 0
    fill = day.fill(column, trade.side, reading.entry, leaving=False)
    after = reading.entry if fill is None else fill.ts
    return day.times_seen(column, after, day.closes if overnight else reading.exit + AROUND)
