"""Steps 2 and 4 of an exit: decided, filled with all legs at one row, and booked."""

from __future__ import annotations

import math
from typing import Any

from optiq.market.compiling import compiled
from optiq.trade.book import MICROSECONDS_PER_MINUTE, Book, Given, Stage, units
from optiq.trade.charges import leg_charge_paise
from optiq.trade.exits import Reason, exit_reason
from optiq.trade.fills import (
    NOT_EXECUTABLE,
    against,
    leaving_paise,
    with_half_spread,
)
from optiq.trade.orders import MAX_LEGS


@compiled
def decide_exits(row: int, given: Given, book: Book) -> None:
    """Step 2: ask the exit rule for each open position that is not leaving yet."""
    quotes, orders, terms = given.quotes, given.orders, given.terms[0]
    day, active = book.day[0], book.active
    for i in range(day.n_active):
        position = active[i]
        if position.stage != Stage.OPEN:
            continue
        held_us = quotes.ts[row] - quotes.ts[position.entry_row]
        reason = exit_reason(
            position.gain,
            position.peak,
            held_us / MICROSECONDS_PER_MINUTE,
            orders[position.order],
            position.askable,
            terms.close_us - quotes.ts[row] <= terms.square_off_us,
            day.over or book.own[orders[position.order].strategy].over,
        )
        if reason != Reason.NONE:
            position.stage = Stage.LEAVING
            position.reason = reason
            position.exit_decided_row = row


@compiled
def try_exit(row: int, given: Given, position: Any) -> None:
    """Leave with all legs at this row, or with none."""
    quotes, terms = given.quotes, given.terms[0]
    order = given.orders[position.order]
    for k in range(MAX_LEGS):
        contract = order.legs[k]
        if contract < 0:
            continue
        position.exit_paise[k] = leaving_paise(quotes, row, contract, order.side[k], terms)
        if position.exit_paise[k] == NOT_EXECUTABLE:
            return
    charge_exit(given, position)
    position.exit_row = row


@compiled
def charge_exit(given: Given, position: Any) -> None:
    """Add the charges of the exit's orders to the position; a leg given up at 0.00 pays none."""
    order = given.orders[position.order]
    for k in range(MAX_LEGS):
        if order.legs[k] >= 0 and position.exit_paise[k] > 0:
            position.charges_paise[k] += leg_charge_paise(
                position.exit_paise[k],
                units(position, order, k, given),
                given.rules.freeze[order.legs[k]],
                -order.side[k],
                given.rates,
            )


@compiled
def close(position: Any, given: Given, book: Book) -> None:
    """Book a position that has left: gross less charges, to the paisa."""
    day = book.day[0]
    order = given.orders[position.order]
    net_paise = 0
    for k in range(MAX_LEGS):
        if order.legs[k] >= 0:
            gain = position.exit_paise[k] - position.entry_paise[k]
            net_paise += order.side[k] * gain * units(position, order, k, given)
            net_paise -= position.charges_paise[k]
    day.realised_paise += net_paise
    book.own[order.strategy].realised_paise += net_paise
    book.own[order.strategy].last_exit_row = position.exit_row
    book.closed[day.n_closed] = position
    day.n_closed += 1


@compiled
def last_resort_paise(last: int, leg: int, given: Given, position: Any) -> int:
    """Return a leg's price after the last row: executable, else its last mark, else its entry."""
    quotes, terms = given.quotes, given.terms[0]
    order = given.orders[position.order]
    contract, side = order.legs[leg], order.side[leg]
    paise = leaving_paise(quotes, last, contract, side, terms)
    if paise != NOT_EXECUTABLE:
        return paise
    if math.isnan(position.mark[leg]):
        return position.entry_paise[leg]
    value = with_half_spread(position.mark[leg], -side, terms.half_spread)
    return against(value, -side, terms.slippage_ticks)
