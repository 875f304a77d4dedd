"""How well orders met the market: what each fill waited for, and lost against the middle."""

from __future__ import annotations

from typing import Any

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.trade.book import PAISE, Book, Quotes, Records, quotes_of
from optiq.trade.fills import (
    NOT_EXECUTABLE,
    WalkSettings,
    executable_paise,
    leaving_paise,
    middle,
)
from optiq.trade.ledger import Columns, closed_in_order, trade_ids
from optiq.trade.limits import Limits
from optiq.trade.orders import MAX_LEGS
from optiq.trade.sizing import Sizing
from optiq.trade.terms import terms_of

HALF_PAISE = 2 * PAISE
"""In a rupee; the middle of a book in whole paise is a whole number of them."""

FILL = np.dtype(
    [
        ("trade", "i8"),
        ("leg", "i8"),
        ("strategy", "i8"),
        ("side", "i8"),
        ("quantity", "i8"),
        ("decided_entry_price", "f8"),
        ("entry_price", "f8"),
        ("entry_latency_s", "f8"),
        ("entry_half_spread", "f8"),
        ("decided_exit_price", "f8"),
        ("exit_price", "f8"),
        ("exit_latency_s", "f8"),
        ("exit_half_spread", "f8"),
    ],
    align=True,
)


def fills_of(
    panel: Panel,
    orders: Records,
    book: Book,
    strategies: tuple[str, ...],
    settings: WalkSettings,
) -> Columns:
    """Return one row per leg of a closed position of a finished day, in the order of its trades.

    ``decided_*_price`` is what the leg would have filled at on the deciding row, NaN where it
    could not. ``*_latency_s`` is the time from the deciding row to the fill, ``*_half_spread``
    what a unit lost against the middle of the book of the fill row (against the last price where
    the source has no book), rounding and slippage included; NaN where that row has no middle: a
    leg given up at 0.00, a stale exit without a quote. Prices are rupees per unit.
    """
    closed = closed_in_order(panel, orders, book)
    fills = np.zeros(int((orders["legs"][closed["order"]] >= 0).sum()), FILL)
    if len(fills):
        terms = terms_of(panel, settings, Limits(), Sizing())
        _fill_in(quotes_of(panel), orders, closed, terms[0], fills)
    names = np.array(strategies, object)
    columns: Columns = {name: fills[name].copy() for name in FILL.names or ()}
    ids = trade_ids(panel, columns.pop("trade"))
    return {"trade_id": ids, **columns, "strategy": names[columns["strategy"]]}


@compiled
def _fill_in(quotes: Quotes, orders: Records, closed: Records, terms: Any, fills: Records) -> None:
    n = 0
    for trade in range(len(closed)):
        position = closed[trade]
        order = orders[position.order]
        decided, left = order.row, position.exit_decided_row
        for leg in range(MAX_LEGS):
            contract, side = order.legs[leg], order.side[leg]
            if contract < 0:
                continue
            fill = fills[n]
            n += 1
            fill.trade, fill.leg = trade, leg
            fill.strategy, fill.side = order.strategy, side
            fill.quantity = position.lots * order.ratio[leg] * quotes.lot[contract]
            fill.decided_entry_price = _rupees(
                executable_paise(quotes, decided, contract, side, terms)
            )
            fill.entry_price = position.entry_paise[leg] / PAISE
            fill.entry_latency_s = (quotes.ts[position.entry_row] - quotes.ts[decided]) / 1e6
            fill.entry_half_spread = _lost(
                quotes, position.entry_row, contract, side, position.entry_paise[leg]
            )
            fill.decided_exit_price = _rupees(leaving_paise(quotes, left, contract, side, terms))
            fill.exit_price = position.exit_paise[leg] / PAISE
            fill.exit_latency_s = (quotes.ts[position.exit_row] - quotes.ts[left]) / 1e6
            fill.exit_half_spread = _lost(
                quotes, position.exit_row, contract, -side, position.exit_paise[leg]
            )


@compiled
def _rupees(paise: int) -> float:
    return np.nan if paise == NOT_EXECUTABLE else paise / PAISE


@compiled
def _lost(quotes: Quotes, row: int, contract: int, side: int, paise: int) -> float:
    """Return what buying (+1) or selling (-1) at ``paise`` lost against the middle, in rupees."""
    half_paise = np.rint(HALF_PAISE * middle(quotes, row, contract))
    lost: float = side * (2 * paise - half_paise) / HALF_PAISE
    return lost
