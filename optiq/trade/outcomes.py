"""What an order would have come to alone: labels, shadow results and rewards."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from optiq.market.panel import Panel
from optiq.trade.book import DAY, POSITION, Quotes, Records, quotes_of
from optiq.trade.charges import Rates
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import UNLIMITED, Limits
from optiq.trade.terms import terms_of
from optiq.trade.walk import advance_rows, finish_day

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
    terms = terms_of(panel, settings or WalkSettings(), NO_LIMITS)
    result = np.zeros(len(orders), OUTCOME)
    _walk_each(quotes_of(panel), orders, terms, rates, result)
    result["position"]["order"] = np.arange(len(orders))
    return result


@njit(cache=True, error_model="numpy")
def _walk_each(quotes: Quotes, orders: Records, terms: Records, rates: Rates, result: Any) -> None:
    day, status = np.zeros(1, DAY), np.zeros(1, np.int8)
    active, closed = np.zeros(1, POSITION), np.zeros(1, POSITION)
    for i in range(len(orders)):
        alone = orders[i : i + 1]
        day[0].next_order = day[0].n_active = day[0].n_closed = 0
        day[0].accepted = day[0].realised_paise = 0
        status[0] = 0
        row = alone[0].row
        for r in range(row, len(quotes.ts)):
            advance_rows(r, r + 1, quotes, alone, terms, rates, day, active, closed, status)
            if day[0].n_active == 0:
                break
        if day[0].n_active > 0:
            finish_day(quotes, alone, terms, rates, day, active, closed, status)
        result[i].status = status[0]
        result[i].net_paise = day[0].realised_paise
        if day[0].n_closed > 0:
            result[i].position = closed[0]
