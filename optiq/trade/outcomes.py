"""What an order would have come to alone: labels, shadow results and rewards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from optiq.market.panel import Panel
from optiq.trade.book import POSITION, Book, Given, Records
from optiq.trade.charges import Rates
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import UNLIMITED, Limits
from optiq.trade.walk import Walk, advance_rows, finish_day

NO_LIMITS = Limits(
    first_entry_minutes=0.0,
    last_entry_minutes=0.0,
    max_open=1,
    cooldown_minutes=0.0,
    max_trades_per_day=UNLIMITED,
)

OUTCOME = np.dtype([("status", "i1"), ("net_paise", "i8"), ("position", POSITION)], align=True)
"""A :class:`~optiq.trade.book.Status`, the net result and the position; 0 where not filled."""


def outcomes(
    panel: Panel, orders: Records, rates: Rates, settings: WalkSettings | None = None
) -> Records:
    """Return (n_orders,) OUTCOME: each order walked by itself to its end, without limits.

    It is the walk of a backtest with one order in it, so it knows every rule of exits and fills.
    """
    given = Walk.start(panel, orders, rates, settings, NO_LIMITS).given
    result = np.zeros(len(orders), OUTCOME)
    book = Book.opened(1, max_open=1, max_trades=1, n_strategies=len(given.own))
    _walk_each(given, book, result)
    result["position"]["order"] = np.arange(len(orders))
    return result


@njit(cache=True, error_model="numpy")
def _walk_each(given: Given, book: Book, result: Any) -> None:
    day = book.day[0]
    for i in range(len(given.orders)):
        alone = Given(
            given.quotes,
            given.orders[i : i + 1],
            given.terms,
            given.own,
            given.rates,
            given.rules,
            given.risk,
        )
        day.next_order = day.n_active = day.n_closed = 0
        day.accepted = day.realised_paise = 0
        own = book.own[given.orders[i].strategy]
        own.accepted = own.realised_paise = 0
        own.last_exit_row = -1
        book.status[0] = 0
        for row in range(alone.orders[0].row, len(given.quotes.ts)):
            advance_rows(row, row + 1, alone, book)
            if day.n_active == 0:
                break
        if day.n_active > 0:
            finish_day(alone, book)
        result[i].status = book.status[0]
        result[i].net_paise = day.realised_paise
        if day.n_closed > 0:
            result[i].position = book.closed[0]
