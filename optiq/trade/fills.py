"""What a leg is worth and what it fills at: one mark, one fill price, everywhere."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.schema import TICK_RUPEES
from optiq.trade.book import PAISE, Quotes

TICK_PAISE = round(TICK_RUPEES * PAISE)
TICKS_PER_RUPEE = PAISE // TICK_PAISE
GIVE_UP_ASK_RUPEES = 0.10
NOT_EXECUTABLE = -1
MOST_LOTS = 10_000
"""In one order: no book is deeper, and charges stay exact."""


@dataclass(frozen=True, slots=True)
class WalkSettings:
    """How orders meet quotes.

    Attributes
    ----------
    latency_s
        Seconds between knowing a row and the earliest row that can fill what it decided.
    max_wait_s
        Seconds after which an unfilled entry expires.
    max_quote_age_s
        Seconds a last price may serve as a mark.
    half_spread
        Fraction of the last price paid each way where the source has no book.
    slippage_ticks
        Ticks every fill is moved against us.
    square_off_minutes
        Minutes before the close at which everything leaves.
    lots
        Lots per order.
    """

    latency_s: float = 1.0
    max_wait_s: float = 120.0
    max_quote_age_s: float = 120.0
    half_spread: float = 0.001
    slippage_ticks: int = 0
    square_off_minutes: float = 10.0
    lots: int = 1

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if not value >= 0:
                raise ValueError(f"{name} = {value:g}; give 0 or more")
        if not 1 <= self.lots <= MOST_LOTS:
            raise ValueError(f"lots = {self.lots}; give 1 to {MOST_LOTS}")


@compiled
def is_two_sided(quotes: Quotes, row: int, contract: int) -> bool:
    """Return whether bid and ask are both quoted and not crossed."""
    return quotes.has_book and quotes.ask[row, contract] >= quotes.bid[row, contract]


@compiled
def is_observed(quotes: Quotes, row: int, contract: int) -> bool:
    """Return whether ltp, bid or ask is quoted."""
    if not math.isnan(quotes.ltp[row, contract]):
        return True
    if not quotes.has_book:
        return False
    return not (math.isnan(quotes.bid[row, contract]) and math.isnan(quotes.ask[row, contract]))


@compiled
def mark(quotes: Quotes, row: int, contract: int, max_age_us: int) -> tuple[float, int]:
    """Return what one unit of a contract is worth at a row, in rupees, and the row that says so.

    The last price no older than ``max_age_us``, brought inside a two-sided book of this row; the
    middle of that book where there is no such price; (NaN, -1) without either.
    """
    value, source = np.nan, -1
    earlier = row
    while earlier >= 0 and quotes.ts[row] - quotes.ts[earlier] <= max_age_us:
        if not math.isnan(quotes.ltp[earlier, contract]):
            value, source = quotes.ltp[earlier, contract], earlier
            break
        earlier -= 1
    if is_two_sided(quotes, row, contract):
        bid, ask = quotes.bid[row, contract], quotes.ask[row, contract]
        value = 0.5 * (bid + ask) if math.isnan(value) else min(max(value, bid), ask)
        source = row
    return value, source


@compiled
def against(price: float, side: int, slippage_ticks: int) -> int:
    """Return ``price`` after slippage, rounded to the tick against us, in paise.

    A buy (+1) pays the tick above, a sale (-1) gets the tick below, never less than one tick.
    """
    ticks = price * TICKS_PER_RUPEE + side * slippage_ticks
    whole = math.ceil(ticks - 1e-6) if side > 0 else math.floor(ticks + 1e-6)
    return max(1, int(whole)) * TICK_PAISE


@compiled
def with_half_spread(price: float, side: int, half_spread: float) -> float:
    """Return a last price moved against us by half a spread, at least one tick, in rupees."""
    return price + side * max(1.0 / TICKS_PER_RUPEE, half_spread * price)


@compiled
def executable_paise(quotes: Quotes, row: int, contract: int, side: int, terms: Any) -> int:
    """Return what buying (+1) or selling (-1) one unit fills at, in paise, or ``NOT_EXECUTABLE``.

    A two-sided book is taken at its far side. A source that has no book at all fills at the last
    price of this very row, half a spread against us. Everything else does not fill.
    """
    if quotes.has_book:
        if not is_two_sided(quotes, row, contract):
            return NOT_EXECUTABLE
        far = quotes.ask[row, contract] if side > 0 else quotes.bid[row, contract]
        return against(far, side, terms.slippage_ticks)
    last = quotes.ltp[row, contract]
    if math.isnan(last):
        return NOT_EXECUTABLE
    return against(with_half_spread(last, side, terms.half_spread), side, terms.slippage_ticks)


@compiled
def decision_price(quotes: Quotes, row: int, contract: int, side: int, terms: Any) -> float:
    """Return what one unit would trade at now, else its mark, in rupees; NaN without either."""
    paise = executable_paise(quotes, row, contract, side, terms)
    if paise != NOT_EXECUTABLE:
        return paise / PAISE
    value, _ = mark(quotes, row, contract, terms.max_quote_age_us)
    return value


@compiled
def leaving_paise(quotes: Quotes, row: int, contract: int, side: int, terms: Any) -> int:
    """Return what one unit of a leg held at ``side`` leaves at, in paise, or ``NOT_EXECUTABLE``.

    0 where it can only be given up.
    """
    if is_worthless(quotes, row, contract, side):
        return 0
    return executable_paise(quotes, row, contract, -side, terms)


@compiled
def middle(quotes: Quotes, row: int, contract: int) -> float:
    """Return the middle of a two-sided book, in rupees; NaN where the book is none.

    In a source without any book it is the last price of this very row.
    """
    value: float = quotes.ltp[row, contract]
    if quotes.has_book:
        value = np.nan
        if is_two_sided(quotes, row, contract):
            value = 0.5 * (quotes.bid[row, contract] + quotes.ask[row, contract])
    return value


@compiled
def is_worthless(quotes: Quotes, row: int, contract: int, side: int) -> bool:
    """Return whether a leg can only be given up: bought (+1), no bid, an ask of a tick or two.

    It then leaves at 0.00 without charges, as it would by expiring.
    """
    if side < 0 or not quotes.has_book:
        return False
    no_bid = math.isnan(quotes.bid[row, contract])
    return no_bid and quotes.ask[row, contract] <= GIVE_UP_ASK_RUPEES + 1e-9
