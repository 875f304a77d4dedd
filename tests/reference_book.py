"""What the slow walk keeps: orders accepted, positions open, trades closed; money in paise."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction

from reference_quotes import Mark


@dataclass(frozen=True)
class Leg:
    """One contract of an order; ``quantity`` is lots x ratio x lot size, in units."""

    contract: int
    side: int
    ratio: int
    quantity: int


@dataclass(frozen=True)
class TradeLeg:
    """One leg of a closed position; prices per unit and money in paise."""

    contract: int
    side: int
    ratio: int
    quantity: int
    entry_price: int
    exit_price: int
    gross_paise: int
    charges_paise: int
    net_pnl: int


@dataclass(frozen=True)
class Trade:
    """A closed position; money in paise; ``place`` is its strategy's place in the command."""

    strategy: str
    place: int
    order: int
    lots: int
    legs: tuple[TradeLeg, ...]
    decided_row: int
    entry_row: int
    exit_decided_row: int
    exit_row: int
    reason: str
    stale: bool
    gross_paise: int
    charges_paise: int
    net_pnl: int


@dataclass
class Result:
    """Closed positions in order of closing, and what became of every order by (place, index)."""

    trades: list[Trade]
    outcomes: dict[tuple[int, int], str]


@dataclass
class Entry:
    """An order asked for; its ``lots``, its ``legs``' quantities and its need are decided late.

    ``need`` is what it binds, in paise; None where that is unknown or nobody asks.
    """

    place: int
    order: int
    decided_row: int
    legs: list[Leg]
    lots: int = 1
    need: Fraction | None = None

    @property
    def sells(self) -> bool:
        return any(leg.side < 0 for leg in self.legs)


@dataclass
class Position:
    """An open position; ``unit_money`` is its last known unit P&L in rupees, lots and all."""

    entry: Entry
    entry_row: int
    prices: list[int]
    peak: float = 0.0
    g: float = math.nan
    unit_money: float = 0.0
    marks: list[Mark | None] = field(default_factory=list)
    last_marks: list[Mark | None] = field(default_factory=list)
    reason: str = ""
    exit_decided_row: int = -1

    @property
    def need(self) -> Fraction | None:
        """The margin of the decision where it sells, else the premium paid."""
        if self.entry.sells:
            return self.entry.need
        paid = zip(self.entry.legs, self.prices, strict=True)
        return Fraction(sum(leg.quantity * price for leg, price in paid))


@dataclass
class Account:
    """What limits count, of the whole run or of one strategy; ``realised`` in paise, net."""

    over: bool = False
    accepted: int = 0
    realised: int = 0
    last_exit_row: int | None = None


@dataclass
class Book:
    """The state of a day: one account for the run, one for each strategy."""

    strategies: list[Account]
    run: Account = field(default_factory=Account)
    pending: list[Entry] = field(default_factory=list)
    open: list[Position] = field(default_factory=list)
    leaving: list[Position] = field(default_factory=list)
    trades: list[Trade] = field(default_factory=list)
    outcomes: dict[tuple[int, int], str] = field(default_factory=dict)
    last_exit: dict[int, int] = field(default_factory=dict)

    def busy(self, place: int | None = None) -> list[Entry]:
        """The entries open or pending; of one strategy, or of all."""
        entries = [position.entry for position in self.open] + self.pending
        return [entry for entry in entries if place in (None, entry.place)]

    def held(self, place: int | None = None) -> Fraction:
        """Paise bound by what is open or pending."""
        needs: list[Fraction | None] = []
        needs += [p.need for p in self.open if place in (None, p.entry.place)]
        needs += [e.need for e in self.pending if place in (None, e.place)]
        return sum((need for need in needs if need is not None), Fraction(0))

    def rupees_so_far(self, place: int | None = None) -> float:
        """Realised net and the last known P&L of what is open."""
        account = self.run if place is None else self.strategies[place]
        waiting = (p.unit_money for p in self.open if place in (None, p.entry.place))
        return account.realised / 100 + sum(waiting)

    def settle(self, entry: Entry, outcome: str) -> None:
        self.outcomes[entry.place, entry.order] = outcome

    def count(self, entry: Entry, number: int) -> None:
        """Count an entry as accepted (+1), or no longer (-1)."""
        self.run.accepted += number
        self.strategies[entry.place].accepted += number

    def cancel(self, outcome: str, place: int | None = None) -> None:
        """Settle the pending entries of a strategy, or all, and forget them."""
        for entry in list(self.pending):
            if place in (None, entry.place):
                self.settle(entry, outcome)
                self.pending.remove(entry)

    def close(self, position: Position, trade: Trade) -> None:
        """Book a trade and forget its position."""
        self.trades.append(trade)
        for account in (self.run, self.strategies[trade.place]):
            account.realised += trade.net_pnl
            account.last_exit_row = trade.exit_row
        self.last_exit[trade.legs[0].contract] = trade.exit_row
        self.open = [other for other in self.open if other is not position]
        self.leaving = [other for other in self.leaving if other is not position]
