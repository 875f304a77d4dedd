"""What may be opened, and how much may be lost: a refusal always has one reason."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from optiq.market.compiling import compiled
from optiq.trade.book import PAISE, Book, Given, Status

UNLIMITED = 2**31
RUPEE_TOLERANCE = 1e-4
"""A hundredth of a paisa: sums of premiums are exact to half a paisa, but are floats."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What the run may do; None is off.

    Attributes
    ----------
    first_entry_minutes, last_entry_minutes
        No entry in the first minutes of the session, nor in the last.
    max_open
        Positions open or pending at once.
    cooldown_minutes
        Rest of a contract after a position in it was closed.
    max_trades_per_day
        Entries accepted in a session; expired ones do not count.
    max_daily_loss
        Rupees; once lost, open profit and loss included, the day is over.
    capital
        Rupees; premium paid and margin held never exceed it plus the day's realised net.
    min_score
        Orders scored below are refused; an order without a score is not.
    """

    first_entry_minutes: float = 5.0
    last_entry_minutes: float = 30.0
    max_open: int = 3
    cooldown_minutes: float = 5.0
    max_trades_per_day: int = 20
    max_daily_loss: float | None = None
    capital: float | None = None
    min_score: float | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} = {value:g}; give 0 or more, or switch it off")
        for name in ("max_open", "max_trades_per_day", "capital"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} = 0 would let nothing trade; give more")


@dataclass(frozen=True, slots=True)
class StrategyLimits:
    """What one strategy may do beside the limits of the run; None is off.

    Attributes
    ----------
    max_open
        Its positions open or pending at once.
    max_trades_per_day
        Its entries accepted in a session; expired ones do not count.
    cooldown_minutes
        Its rest, in every contract, after an exit of its own.
    max_daily_loss
        Rupees; once it lost them, open profit and loss included, its day is over.
    capital
        Rupees; what its positions bind never exceeds it plus its own realised net.
    """

    max_open: int | None = None
    max_trades_per_day: int | None = None
    cooldown_minutes: float | None = None
    max_daily_loss: float | None = None
    capital: float | None = None

    def __post_init__(self) -> None:
        for name in self.__slots__:
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise ValueError(f"{name} = {value:g}; give 0 or more, or switch it off")


@compiled
def refused_at_once(order: Any, now: int, terms: Any, day: Any) -> int:
    """Return the refusal that needs no look at the book, or ``PENDING``.

    These outrank every other, so they are asked before orders are ranked.
    """
    if day.over:
        return Status.DAY_OVER
    if now - terms.open_us < terms.first_entry_us or terms.close_us - now < terms.last_entry_us:
        return Status.HOURS
    if order.score < terms.min_score:  # NaN is not below
        return Status.MIN_SCORE
    return Status.PENDING


@compiled
def refused_by_book(order: Any, now: int, given: Given, book: Book) -> int:
    """Return the refusal that depends on the positions held, or ``PENDING``.

    Asked only while a slot is free: without one, ``MAX_OPEN`` comes before all of these.
    """
    terms, day = given.terms[0], book.day[0]
    if holds(order.legs[0], given, book):
        return Status.SAME_CONTRACT
    if rests(order.legs[0], now - terms.cooldown_us, given, book):
        return Status.COOLDOWN
    if day.accepted >= terms.max_trades:
        return Status.MAX_TRADES
    return Status.PENDING


@compiled
def is_short_of_capital(need: float, given: Given, book: Book) -> bool:
    """Return whether ``need`` rupees exceed what is free; NaN, what has no price, always does."""
    if not given.terms[0].has_capital:
        return False
    return not need <= free_capital(given, book) + RUPEE_TOLERANCE


@compiled
def free_capital(given: Given, book: Book) -> float:
    """Return the rupees of the capital that nothing binds; NaN without a limit."""
    day = book.day[0]
    free: float = given.terms[0].capital + day.realised_paise / PAISE
    for i in range(day.n_active):
        free -= book.active[i].held
    return free


@compiled
def refused_by_own(strategy: int, need: float, now: int, given: Given, book: Book) -> int:
    """Return the refusal of a strategy's own limits, asked after the run's, or ``PENDING``."""
    limits, own = given.own[strategy], book.own[strategy]
    if own.over:
        return Status.STRATEGY_DAY_OVER
    n_active, free = 0, limits.capital + own.realised_paise / PAISE
    for i in range(book.day[0].n_active):
        if given.orders[book.active[i].order].strategy == strategy:
            n_active += 1
            free -= book.active[i].held
    if n_active >= limits.max_open:
        return Status.STRATEGY_MAX_OPEN
    if own.last_exit_row >= 0 and now - given.quotes.ts[own.last_exit_row] < limits.cooldown_us:
        return Status.STRATEGY_COOLDOWN
    if own.accepted >= limits.max_trades:
        return Status.STRATEGY_MAX_TRADES
    if limits.capital < math.inf and not need <= free + RUPEE_TOLERANCE:
        return Status.STRATEGY_CAPITAL
    return Status.PENDING


@compiled
def holds(contract: int, given: Given, book: Book) -> bool:
    """Return whether a position or pending order has this first contract."""
    for i in range(book.day[0].n_active):
        if given.orders[book.active[i].order].legs[0] == contract:
            return True
    return False


@compiled
def rests(contract: int, since: int, given: Given, book: Book) -> bool:
    """Return whether a position with this first contract filled its exit after ``since``."""
    for i in range(book.day[0].n_closed - 1, -1, -1):
        if (
            given.quotes.ts[book.closed[i].exit_row] <= since
        ):  # closed in order of time: none later rests
            return False
        if given.orders[book.closed[i].order].legs[0] == contract:
            return True
    return False
