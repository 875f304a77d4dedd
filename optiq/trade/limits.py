"""What may be opened, and how much may be lost: a refusal always has one reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from numba import njit

from optiq.trade.book import Book, Given, Status
from optiq.trade.exits import TOLERANCE

UNLIMITED = 2**31


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


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def refused_by_book(order: Any, need: float, now: int, given: Given, book: Book) -> int:
    """Return the refusal that depends on the positions held, or ``PENDING``.

    Asked only while a slot is free: without one, ``MAX_OPEN`` comes before all of these. ``need``
    is the capital the order would bind, in rupees; NaN where it cannot be priced, which a capital
    limit refuses.
    """
    terms, day = given.terms[0], book.day[0]
    if holds(order.legs[0], given, book):
        return Status.SAME_CONTRACT
    if rests(order.legs[0], now - terms.cooldown_us, given, book):
        return Status.COOLDOWN
    if day.accepted >= terms.max_trades:
        return Status.MAX_TRADES
    if terms.has_capital:
        free = terms.capital + day.realised_paise / 100.0
        for i in range(day.n_active):
            free -= book.active[i].held
        if not need <= free + TOLERANCE:
            return Status.CAPITAL
    return Status.PENDING


@njit(cache=True, error_model="numpy")
def holds(contract: int, given: Given, book: Book) -> bool:
    """Return whether a position or pending order has this first contract."""
    for i in range(book.day[0].n_active):
        if given.orders[book.active[i].order].legs[0] == contract:
            return True
    return False


@njit(cache=True, error_model="numpy")
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
