"""An old ledger beside what the recorded chain would have filled, with the true charges."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.errors import MissingDataError
from optiq.market.store import Store
from optiq.run.ledger_clock import Reading, is_naive, ledger_clock, possible_readings, utc_of
from optiq.run.ledger_faults import (
    NAMES,
    UNPRICEABLE,
    Case,
    Fault,
    clock_words,
    contract_name,
    faults_of,
)
from optiq.run.ledger_money import order_charge, to_paise
from optiq.run.ledger_quotes import Ask, Seen, look_up
from optiq.run.old_ledger import Booked, OldLedger
from optiq.trade.book import PAISE
from optiq.trade.charges import Broker
from optiq.trade.fills import WalkSettings
from optiq.trade.priced_legs import day_of

NO_FILL = "no_fill"
"""Why a trade without a fault has no true price: nothing to fill on within ``walk.max_wait_s``."""
NO_RULE = "no_rule"
"""Why it has none though it would fill: no dated charges, or a quantity no order can have."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A booked trade and the true one; rupees, NaN where ``unpriced`` says why there is none.

    ``reading`` is the clock of its naive times.
    """

    booked: Booked
    reading: Reading
    entry_utc: np.datetime64
    exit_utc: np.datetime64
    entry_price: float
    exit_price: float
    charges: float
    gross_pnl: float
    net_pnl: float
    faults: tuple[Fault, ...]
    unpriced: str

    @property
    def booked_gross(self) -> float:
        """What the ledger says it made before charges; from its prices where it does not say."""
        trade = self.booked
        return trade.price_gain if np.isnan(trade.gross_pnl) else trade.gross_pnl

    @property
    def booked_net(self) -> float:
        """What the ledger says it made; gross less charges where it does not say."""
        if not np.isnan(self.booked.net_pnl):
            return self.booked.net_pnl
        charges = self.booked.charges
        return self.booked_gross - (0.0 if np.isnan(charges) else charges)

    @property
    def flattered_by(self) -> float:
        """Rupees by which the ledger makes it look better than it was, to the paisa."""
        if self.unpriced:
            return np.nan
        return (to_paise(self.booked_net) - to_paise(self.net_pnl)) / PAISE


@dataclass(frozen=True)
class Repriced:
    """A whole ledger, judged; ``clock`` is the one most of its naive times are written in."""

    ledger: OldLedger
    clock: Reading
    trades: tuple[Judged, ...]

    def counts(self) -> dict[str, int]:
        """Return how many trades have each fault, in the order of the faults."""
        names = [fault.name for trade in self.trades for fault in trade.faults]
        return {name: names.count(name) for name in NAMES if name in names}

    def unpriced(self) -> dict[str, int]:
        """Return how many trades have no true price, by the reason."""
        reasons = [trade.unpriced for trade in self.trades if trade.unpriced]
        return {reason: reasons.count(reason) for reason in dict.fromkeys(reasons)}

    def totals(self) -> dict[str, dict[str, float]]:
        """Return gross, charges and net as booked and in truth, over the trades with a price."""
        priced = [trade for trade in self.trades if not trade.unpriced]
        return {
            "booked": {
                "gross_pnl": _sum(trade.booked_gross for trade in priced),
                "charges": _sum(trade.booked.charges for trade in priced),
                "net_pnl": _sum(trade.booked_net for trade in priced),
                "wins": sum(trade.booked_net > 0 for trade in priced),
            },
            "true": {
                "gross_pnl": _sum(trade.gross_pnl for trade in priced),
                "charges": _sum(trade.charges for trade in priced),
                "net_pnl": _sum(trade.net_pnl for trade in priced),
                "wins": sum(trade.net_pnl > 0 for trade in priced),
            },
        }

    def worst(self) -> list[Judged]:
        """Return the trades, those furthest from the truth first, unpriced ones last."""
        by_distance = {
            number: np.inf if trade.unpriced else -abs(trade.flattered_by)
            for number, trade in enumerate(self.trades)
        }
        return [self.trades[number] for number in sorted(by_distance, key=by_distance.__getitem__)]


def _sum(rupees: Iterator[float]) -> float:
    """Return a sum exact to the paisa; what is not booked counts nothing."""
    return sum(to_paise(amount) for amount in rupees if not np.isnan(amount)) / PAISE


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
        reading, evidence = _chosen(number, trade, readings[number], seen, clock)
        if tz or not possible[number]:
            evidence = ""
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


def _chosen(
    number: int,
    trade: Booked,
    possible: Sequence[Reading],
    seen: dict[Hashable, Seen],
    clock: Reading,
) -> tuple[Reading, str]:
    """Return the clock of a trade's naive times, and what shows that it is UTC.

    Where both clocks put it into a session, the one at whose moments the chain quoted its prices;
    where that does not tell them apart, the ledger's.
    """
    if len(possible) == 1:
        words = "outside the session as Indian time; as UTC "
        return possible[0], (words + clock_words(trade)) * (possible[0] == "UTC")
    matches = {reading: _matches(number, trade, reading, seen) for reading in possible}
    if matches["IST"] != matches["UTC"]:
        reading: Reading = "UTC" if matches["UTC"] > matches["IST"] else "IST"
        words = f"{matches['UTC']} of its prices quoted as UTC, {matches['IST']} as Indian time; "
    else:
        reading, words = clock, "the ledger's other times are UTC; "
    return reading, (words + clock_words(trade)) * (reading == "UTC")


def _matches(number: int, trade: Booked, reading: Reading, seen: dict[Hashable, Seen]) -> int:
    prices = {"entry": trade.entry_price, "exit": trade.exit_price}
    found = {which: seen.get((number, reading, which)) for which in prices}
    return sum(day is not None and day.has_quoted(prices[w]) for w, day in found.items())


def _judged(
    number: int,
    trade: Booked,
    reading: Reading,
    evidence: str,
    seen: dict[Hashable, Seen],
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


def as_result(judged: Judged) -> dict[str, Any]:
    """Return one trade as a program reads it; rupees, times UTC."""
    trade = judged.booked
    return {
        "trade_id": trade.trade_id,
        "contract": contract_name(trade),
        "strategy": trade.strategy,
        "side": "buy" if trade.side > 0 else "sell",
        "quantity": trade.quantity,
        "booked_entry_time": trade.entry.text,
        "booked_exit_time": trade.exit.text,
        "read_as": judged.reading,
        "entry_ts": judged.entry_utc,
        "exit_ts": judged.exit_utc,
        "booked_entry_price": trade.entry_price,
        "true_entry_price": judged.entry_price,
        "booked_exit_price": trade.exit_price,
        "true_exit_price": judged.exit_price,
        "booked_gross_pnl": judged.booked_gross,
        "true_gross_pnl": judged.gross_pnl,
        "booked_charges": trade.charges,
        "true_charges": judged.charges,
        "booked_net_pnl": judged.booked_net,
        "true_net_pnl": judged.net_pnl,
        "flattered_by": judged.flattered_by,
        "unpriced": judged.unpriced or None,
        "faults": {fault.name: fault.evidence for fault in judged.faults},
    }
