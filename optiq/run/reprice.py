"""An old ledger beside what the recorded chain would have filled, with the true charges."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from optiq.errors import MissingDataError
from optiq.market.store import Store
from optiq.run.judged import NO_FILL, NO_RULE, Judged, Repriced
from optiq.run.ledger_clock import (
    Reading,
    chosen_reading,
    is_naive,
    ledger_clock,
    possible_readings,
    utc_of,
)
from optiq.run.ledger_faults import UNPRICEABLE, Case, Fault, faults_of
from optiq.run.ledger_money import order_charge
from optiq.run.ledger_quotes import Ask, Key, Seen, look_up
from optiq.run.old_ledger import Booked, OldLedger
from optiq.trade.charges import Broker
from optiq.trade.fills import WalkSettings
from optiq.trade.priced_legs import day_of


def reprice(
    ledger: OldLedger,
    store: Store,
    settings: WalkSettings,
    broker: Broker,
    tz: Reading | None = None,
    advance: Callable[[int], None] | None = None,
) -> Repriced:
    """Judge every trade; ``tz`` is the clock of naive times, None where it is to be found.

    `MissingDataError` where not one trade has a price because their days are not stored.
    """
    trades = ledger.trades
    possible = [possible_readings(trade) if is_naive(trade) else () for trade in trades]
    clock = tz or ledger_clock(trades, possible)
    readings = [(tz,) if tz else found or (clock,) for found in possible]
    seen = look_up(_asks(trades, readings), store, settings, advance)
    judged = []
    for number, trade in enumerate(trades):
        if tz or not possible[number]:
            reading, evidence = clock, ""
        else:
            reading, evidence = chosen_reading(number, trade, possible[number], seen, clock)
        judged.append(_judged(number, trade, reading, evidence, seen, broker))
    result = Repriced(ledger, clock, tuple(judged))
    _require_some(result, store)
    return result


def _asks(trades: Sequence[Booked], readings: Sequence[Sequence[Reading]]) -> Iterator[Ask]:
    """Yield both orders of each trade at the moments of each reading."""
    for number, (trade, possible) in enumerate(zip(trades, readings, strict=True)):
        if trade.contract is None:
            continue
        for reading in possible:
            entry, leave = utc_of(trade.entry, reading), utc_of(trade.exit, reading)
            if not np.isnat(entry):
                yield Ask((number, reading, "entry"), trade.contract, entry, trade.side)
            if not np.isnat(leave):
                key = (number, reading, "exit")
                yield Ask(key, trade.contract, leave, -trade.side, since=entry)


def _judged(
    number: int,
    trade: Booked,
    reading: Reading,
    evidence: str,
    seen: dict[Key, Seen],
    broker: Broker,
) -> Judged:
    entry_utc, exit_utc = utc_of(trade.entry, reading), utc_of(trade.exit, reading)
    entry, leave = (seen.get((number, reading, which)) for which in ("entry", "exit"))
    case = Case(
        booked=trade,
        entry_utc=entry_utc,
        exit_utc=exit_utc,
        clock_evidence=evidence,
        entry=entry,
        exit=leave,
        due=_charges(trade, (entry_utc, exit_utc), (trade.entry_price, trade.exit_price), broker),
    )
    faults = faults_of(case)
    prices = (np.nan if entry is None else entry.price, np.nan if leave is None else leave.price)
    charges = sum(_charges(trade, (entry_utc, exit_utc), prices, broker))
    unpriced = _why_unpriced(faults, prices, charges)
    if unpriced:
        prices, charges = (np.nan, np.nan), np.nan
    gross = trade.side * (prices[1] - prices[0]) * trade.quantity
    return Judged(
        booked=trade,
        reading=reading,
        entry_utc=entry_utc,
        exit_utc=exit_utc,
        entry_price=prices[0],
        exit_price=prices[1],
        charges=charges,
        gross_pnl=gross,
        net_pnl=gross - charges,
        faults=faults,
        unpriced=unpriced,
    )


def _charges(
    trade: Booked,
    moments: tuple[np.datetime64, np.datetime64],
    prices: tuple[float, float],
    broker: Broker,
) -> tuple[float, float]:
    """Return what entering and leaving at some prices costs on their days, in rupees.

    A moment that cannot be read is taken to be of the other's day.
    """
    known = [moment for moment in moments if not np.isnat(moment)]
    if trade.contract is None or not known:
        return np.nan, np.nan
    days = [day_of(known[0] if np.isnat(moment) else moment) for moment in moments]
    sides = (trade.side, -trade.side)
    entry, leave = (
        order_charge(trade.contract, day, side, price, trade.quantity, broker)
        for day, side, price in zip(days, sides, prices, strict=True)
    )
    return entry, leave


def _why_unpriced(faults: Sequence[Fault], prices: tuple[float, float], charges: float) -> str:
    names = {fault.name for fault in faults}
    blocking = [name for name in UNPRICEABLE if name in names]
    if blocking:
        return blocking[0]
    if np.isnan(prices).any():
        return NO_FILL
    return NO_RULE if np.isnan(charges) else ""


def _require_some(result: Repriced, store: Store) -> None:
    """Refuse where no trade has a price and stored days would have given one."""
    lacking = [trade for trade in result.trades if trade.unpriced == "no_data"]
    if not lacking or any(not trade.unpriced for trade in result.trades):
        return
    days = sorted(day_of(trade.entry_utc) for trade in lacking)
    underlyings = ", ".join(sorted({trade.booked.underlying for trade in lacking}))
    raise MissingDataError(
        f"no trade of {result.ledger.name} could be priced: {store.root} holds no day of "
        f"{underlyings} that it trades on, {days[0]} to {days[-1]}",
        "add those days with optiq ingest, or name another --store; see optiq data ls",
    )
