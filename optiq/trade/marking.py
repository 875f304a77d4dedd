"""Step 1 of a row: what open positions are worth, and whether the day is over."""

from __future__ import annotations

import math

from optiq.market.compiling import compiled
from optiq.trade.book import PAISE, Book, Given, Stage, Status
from optiq.trade.exits import TOLERANCE
from optiq.trade.fills import is_observed, mark
from optiq.trade.orders import MAX_LEGS


@compiled
def mark_positions(row: int, given: Given, book: Book) -> None:
    """Step 1: mark every open position, leaving ones too."""
    quotes, orders, terms = given.quotes, given.orders, given.terms[0]
    day, active = book.day[0], book.active
    for i in range(day.n_active):
        position = active[i]
        if position.stage == Stage.PENDING:
            continue
        order = orders[position.order]
        unit_pnl, open_pnl = 0.0, 0.0
        complete, observed = True, False
        oldest, newest = quotes.chain_count[row], 0
        legs = 0
        for k in range(MAX_LEGS):
            contract = order.legs[k]
            if contract < 0:
                continue
            legs += 1
            value, source = mark(quotes, row, contract, terms.max_quote_age_us)
            if source < 0:
                complete = False
                continue
            position.mark[k] = value
            observed = observed or is_observed(quotes, row, contract)
            oldest = min(oldest, quotes.chain_count[source])
            newest = max(newest, quotes.chain_count[source])
            pnl = order.side[k] * order.ratio[k] * (value - position.entry_paise[k] / 100.0)
            unit_pnl += pnl
            open_pnl += pnl * position.lots * quotes.lot[contract]
        position.askable = complete and observed and (legs == 1 or newest - oldest <= 1)
        if complete:
            position.gain = unit_pnl / position.basis
            position.peak = max(position.peak, position.gain)
            position.open_pnl = open_pnl


@compiled
def day_profit(book: Book) -> float:
    """Return the day's realised net and open profit in rupees, as the loss limit counts them."""
    day = book.day[0]
    total: float = day.realised_paise / PAISE
    for i in range(day.n_active):
        total += book.active[i].open_pnl
    return total


@compiled
def judge_day(given: Given, book: Book) -> None:
    """Step 1, second half: end the day for good once too much is lost; cancel what is pending."""
    terms, day, active = given.terms[0], book.day[0], book.active
    if not day.over:
        day.over = day_profit(book) <= -terms.max_daily_loss + TOLERANCE
    if day.over:
        kept = 0
        for i in range(day.n_active):
            if active[i].stage == Stage.PENDING:
                book.status[active[i].order] = Status.DAY_OVER
            else:
                if kept != i:
                    active[kept] = active[i]
                kept += 1
        day.n_active = kept
    for strategy in range(len(given.own)):
        if given.own[strategy].max_daily_loss < math.inf:
            _judge_own_day(strategy, given, book)


@compiled
def _judge_own_day(strategy: int, given: Given, book: Book) -> None:
    """End the day of one strategy once it lost too much by itself; cancel what it has pending."""
    orders, day, active, own = given.orders, book.day[0], book.active, book.own[strategy]
    if not own.over:
        total = own.realised_paise / PAISE
        for i in range(day.n_active):
            if orders[active[i].order].strategy == strategy:
                total += active[i].open_pnl
        own.over = total <= -given.own[strategy].max_daily_loss + TOLERANCE
    if own.over:
        kept = 0
        for i in range(day.n_active):
            is_own = orders[active[i].order].strategy == strategy
            if is_own and active[i].stage == Stage.PENDING:
                book.status[active[i].order] = Status.STRATEGY_DAY_OVER
            else:
                if kept != i:
                    active[kept] = active[i]
                kept += 1
        day.n_active = kept
