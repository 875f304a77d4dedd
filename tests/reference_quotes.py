"""What the slow walk knows of a panel: marks, executable prices and the time, row by row."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

from reference_settings import Settings

from optiq.market import contracts
from optiq.market.panel import Panel

TOLERANCE = 1e-9
TICK_TOLERANCE = Fraction(1, 1_000_000)
TICK_PAISE = 5
GIVE_UP_ASK_PAISE = 10
SECOND = 1_000_000
MINUTE = 60 * SECOND
IST = 330 * MINUTE
DAY = 24 * 60 * MINUTE
YEAR = 365 * DAY


@dataclass
class Mark:
    """The value of a leg per unit in rupees, and the row whose quote gave it."""

    price: float
    row: int


class Quotes:
    """What the panel says about one contract at one row, in paise or as a mark."""

    def __init__(self, panel: Panel, settings: Settings) -> None:
        self.panel, self.settings = panel, settings
        self.has_book = panel.has_book
        self.time: list[int] = [int(t) for t in panel.ts.astype("datetime64[us]").astype(int)]
        self.known: list[int] = [int(t) for t in panel.known.astype("datetime64[us]").astype(int)]
        self.chain: list[bool] = panel.is_chain.tolist()
        self.spot: list[float] = panel.spot.tolist()
        self.ltp: list[list[float]] = panel.ltp.tolist()
        self.bid: list[list[float]] = panel.bid.tolist()
        self.ask: list[list[float]] = panel.ask.tolist()
        self.open_minute, self.close_minute = panel.open_minute, panel.close_minute

    @cached_property
    def forward(self) -> list[list[float]]:
        return self.panel.forward.tolist()

    @cached_property
    def iv(self) -> list[list[float]]:
        return self.panel.iv.tolist()

    @cached_property
    def expiry_close(self) -> list[int]:
        closes = contracts.expiry_close_utc(self.panel.expiry, self.panel.underlying)
        return [int(t) for t in closes.astype(int)]

    def years(self, row: int, contract: int) -> float:
        """Years of 365 days until the contract's last moment; NaN from then on."""
        left = self.expiry_close[contract] - self.time[row]
        return left / YEAR if left > 0 else math.nan

    def minutes_between(self, earlier: int, later: int) -> float:
        return (self.time[later] - self.time[earlier]) / MINUTE

    def minutes_since_open(self, row: int) -> float:
        return (self.time[row] + IST) % DAY / MINUTE - self.open_minute

    def minutes_to_close(self, row: int) -> float:
        return self.close_minute - (self.time[row] + IST) % DAY / MINUTE

    def last_spot(self, row: int) -> float | None:
        for earlier in backwards(row):
            if not math.isnan(self.spot[earlier]):
                return self.spot[earlier]
        return None

    def chain_rows_until(self, row: int) -> int:
        return sum(self.chain[: row + 1])

    def book(self, row: int, contract: int) -> tuple[float, float] | None:
        """Bid and ask where both are quoted and not crossed, else None."""
        bid, ask = self.bid[row][contract], self.ask[row][contract]
        if not self.has_book or math.isnan(bid) or math.isnan(ask) or ask < bid:
            return None
        return bid, ask

    def observed(self, row: int, contract: int) -> bool:
        if not math.isnan(self.ltp[row][contract]):
            return True
        if not self.has_book:
            return False
        return not (math.isnan(self.bid[row][contract]) and math.isnan(self.ask[row][contract]))

    def last_trade(self, row: int, contract: int) -> Mark | None:
        """The last ltp of the day that is not older than ``max_quote_age_s``."""
        for earlier in backwards(row):
            age = self.time[row] - self.time[earlier]
            if age > microseconds(self.settings.max_quote_age_s):
                return None
            price = self.ltp[earlier][contract]
            if not math.isnan(price):
                return Mark(price, earlier)
        return None

    def mark(self, row: int, contract: int) -> Mark | None:
        """The last trade brought inside the book; its middle where there is no such trade."""
        trade, book = self.last_trade(row, contract), self.book(row, contract)
        if book is None:
            return trade
        bid, ask = book
        if trade is None:
            return Mark((bid + ask) / 2, row)
        return Mark(min(max(trade.price, bid), ask), row)

    def executable(self, row: int, contract: int, side: int) -> int | None:
        """Paise per unit at which ``side`` fills at ``row``; None where it cannot."""
        book = self.book(row, contract)
        if book is not None:
            bid, ask = book
            return self.rounded(Fraction(paise(ask if side > 0 else bid)), side)
        ltp = self.ltp[row][contract]
        if not self.has_book and not math.isnan(ltp):
            return self.against_us(Fraction(paise(ltp)), side)
        return None

    def is_worthless(self, row: int, contract: int) -> bool:
        """Whether nobody bids and the ask is at most 0.10."""
        bid, ask = self.bid[row][contract], self.ask[row][contract]
        if not self.has_book or not math.isnan(bid) or math.isnan(ask):
            return False
        return paise(ask) <= GIVE_UP_ASK_PAISE

    def against_us(self, price: Fraction, side: int) -> int:
        """A price without a book: half a spread worse, then as any fill."""
        half = max(Fraction(TICK_PAISE), Fraction(str(self.settings.half_spread)) * price)
        return self.rounded(price + side * half, side)

    def rounded(self, price: Fraction, side: int) -> int:
        """Slippage and the tick, both against us; never under one tick."""
        slipped = price + side * self.settings.slippage_ticks * TICK_PAISE
        ticks = slipped / TICK_PAISE
        if side > 0:
            return TICK_PAISE * max(1, math.ceil(ticks - TICK_TOLERANCE))
        return TICK_PAISE * max(1, math.floor(ticks + TICK_TOLERANCE))


def paise(rupees: float) -> int:
    """A price already rounded to the paisa, as an integer."""
    return round(rupees * 100)


def half_paise(rupees: float) -> Fraction:
    """A mark in paise; the middle of two prices may lie on half a paisa."""
    return Fraction(round(rupees * 200), 2)


def microseconds(seconds: float) -> int:
    return round(seconds * SECOND)


def backwards(row: int) -> Iterator[int]:
    return iter(range(row, -1, -1))
