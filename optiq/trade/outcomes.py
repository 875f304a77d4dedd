"""What an order would have come to alone: labels, shadow results and rewards."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.market.schema import BoolArray, FloatArray
from optiq.trade.book import MICROSECONDS_PER_MINUTE, POSITION, Book, Given, Records, Stage
from optiq.trade.charges import Rates
from optiq.trade.exits import Reason, exit_reason
from optiq.trade.fills import WalkSettings, is_observed, mark
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
    _walk_each(given, book, Marks.unknown(panel.n_rows, panel.n_contracts), result)
    result["position"]["order"] = np.arange(len(orders))
    return result


class Marks(NamedTuple):
    """What contracts are worth on every row, (n_contracts, n_rows), each found when first needed.

    ``value`` in rupees, NaN without a mark; ``askable`` whether prices may close a position in it.
    """

    value: FloatArray
    askable: BoolArray
    found: BoolArray

    @classmethod
    def unknown(cls, n_rows: int, n_contracts: int) -> Marks:
        """Return marks of which none was found yet."""
        shape = (n_contracts, n_rows)
        return cls(np.empty(shape), np.empty(shape, np.bool_), np.zeros(n_contracts, np.bool_))


@compiled
def _walk_each(given: Given, book: Book, marks: Marks, result: Any) -> None:
    day, n_rows = book.day[0], len(given.quotes.ts)
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
        row = alone.orders[0].row
        while row < n_rows:
            advance_rows(row, row + 1, alone, book)
            if day.n_active == 0:
                break
            row += 1
            if book.active[0].stage == Stage.OPEN and alone.orders[0].legs[1] < 0:
                row = _next_to_walk(row, alone, book.active[0], marks)
        if day.n_active > 0:
            finish_day(alone, book)
        result[i].status = book.status[0]
        result[i].net_paise = day.realised_paise
        if day.n_closed > 0:
            result[i].position = book.closed[0]


@compiled
def _next_to_walk(start: int, given: Given, position: Any, marks: Marks) -> int:
    """Return the first row from ``start`` on that a position of one leg must be walked through.

    On the rows before it the exit rule says nothing, so all the walk would do there is keep the
    mark and the peak; that is done here. It is the last row where none says anything.
    """
    order, terms, ts = given.orders[0], given.terms[0], given.quotes.ts
    contract = order.legs[0]
    if not marks.found[contract]:
        _find_marks(contract, given, marks)
    value, askable = marks.value[contract], marks.askable[contract]
    entry, entry_us = position.entry_paise[0] / 100.0, ts[position.entry_row]
    units_held = position.lots * given.quotes.lot[contract]
    for row in range(start, len(ts) - 1):
        pnl, gain = order.side[0] * order.ratio[0] * (value[row] - entry), position.gain
        if not math.isnan(pnl):
            gain = pnl / position.basis
        peak = max(position.peak, gain)
        held = (ts[row] - entry_us) / MICROSECONDS_PER_MINUTE
        closing = terms.close_us - ts[row] <= terms.square_off_us
        if exit_reason(gain, peak, held, order, askable[row], closing, False) != Reason.NONE:
            return row
        if not math.isnan(pnl):
            position.mark[0], position.gain, position.peak = value[row], gain, peak
            position.open_pnl = pnl * units_held
    return max(start, len(ts) - 1)


@compiled
def _find_marks(contract: int, given: Given, marks: Marks) -> None:
    quotes, max_age_us = given.quotes, given.terms[0].max_quote_age_us
    for row in range(len(quotes.ts)):
        value, source = mark(quotes, row, contract, max_age_us)
        marks.value[contract, row] = value
        marks.askable[contract, row] = source >= 0 and is_observed(quotes, row, contract)
    marks.found[contract] = True
