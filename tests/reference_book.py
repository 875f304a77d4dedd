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
    """An order accepted and not yet filled; ``held`` paise of capital wait for it."""

    place: int
    order: int
    legs: list[Leg]
    decided_row: int
    held: Fraction = Fraction(0)


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
