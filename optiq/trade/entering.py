"""Steps 3 and 4 of an entry: accepted or refused, then filled, expired or waiting."""

from __future__ import annotations

from typing import Any

import numpy as np

from optiq.market.compiling import compiled
from optiq.trade.book import PAISE, Book, Given, Stage, Status, units
from optiq.trade.charges import leg_charge_paise
from optiq.trade.exits import TOLERANCE, Reason
from optiq.trade.fills import NOT_EXECUTABLE, executable_paise
from optiq.trade.limits import (
    is_short_of_capital,
    refused_at_once,
    refused_by_book,
    refused_by_own,
)
from optiq.trade.orders import MAX_LEGS
from optiq.trade.ranking import heapify, pop
from optiq.trade.sizing import sells
from optiq.trade.sizing import size as size_order

MIN_BASIS_SHARE = 0.10
"""A package whose net premium is a smaller share of its gross has no basis for fractions."""


@compiled
def decide_entries(row: int, given: Given, book: Book) -> None:
    """Step 3: accept or refuse this row's orders, best first.

    Orders are ranked only while one could be accepted: after that their order changes nothing.
    """
    quotes, orders, terms = given.quotes, given.orders, given.terms[0]
    day, status = book.day[0], book.status
    start = day.next_order
    stop = start
    while stop < len(orders) and orders[stop].row == row:
        stop += 1
    day.next_order = stop
    heap = np.empty(stop - start, np.int64)
    size = 0
    for index in range(start, stop):
        status[index] = refused_at_once(orders[index], quotes.ts[row], terms, day)
        if status[index] == Status.PENDING:
            heap[size] = index
            size += 1
    if size > 0 and _has_room(terms, day):
        heapify(heap, size, orders, quotes, day.spot)
    while size > 0 and _has_room(terms, day):
        index = pop(heap, size, orders, quotes, day.spot)
        size -= 1
        status[index] = _accept_or_refuse(index, row, given, book)
    for k in range(size):
        if day.n_active >= terms.max_open:
            status[heap[k]] = Status.MAX_OPEN
        else:
            status[heap[k]] = refused_by_book(orders[heap[k]], quotes.ts[row], given, book)


@compiled
def _accept_or_refuse(index: int, row: int, given: Given, book: Book) -> int:
    """Size one order while a slot is free, ask every limit, and accept it if none refuses."""
    order, now = given.orders[index], given.quotes.ts[row]
    refusal = refused_by_book(order, now, given, book)
    if refusal != Status.PENDING:
        return refusal
    lots, need = size_order(row, order, given, book)
    if lots == 0:
        return Status.SIZE
    if is_short_of_capital(need, given, book):
        return Status.CAPITAL
    refusal = refused_by_own(order.strategy, need, now, given, book)
    if refusal == Status.PENDING:
        _accept(index, lots, need, given, book)
    return refusal


@compiled
def _has_room(terms: Any, day: Any) -> bool:
    """Return whether any order at all could be accepted; if none can, their rank is idle."""
    return day.n_active < terms.max_open and day.accepted < terms.max_trades


@compiled
def _accept(index: int, lots: int, need: float, given: Given, book: Book) -> None:
    day = book.day[0]
    position = book.active[day.n_active]
    position.order = index
    position.lots = lots
    position.stage = Stage.PENDING
    position.reason = Reason.NONE
    position.stale = False
    position.held = need
    position.basis = 0.0
    position.gain = 0.0
    position.peak = 0.0
    position.open_pnl = 0.0
    position.askable = False
    for k in range(MAX_LEGS):
        position.entry_paise[k] = 0
        position.exit_paise[k] = 0
        position.charges_paise[k] = 0
        position.mark[k] = np.nan
    day.n_active += 1
    day.accepted += 1
    book.own[given.orders[index].strategy].accepted += 1


@compiled
def expire(position: Any, given: Given, book: Book) -> None:
    """Give up a pending entry; it no longer counts as accepted."""
    book.status[position.order] = Status.EXPIRED
    book.day[0].accepted -= 1
    book.own[given.orders[position.order].strategy].accepted -= 1


@compiled
def try_entry(row: int, given: Given, book: Book, position: Any) -> bool:
    """Enter with all legs, expire, or wait; return whether the position stays."""
    quotes, terms = given.quotes, given.terms[0]
    order = given.orders[position.order]
    known = quotes.known[order.row]
    if quotes.ts[row] - known > terms.max_wait_us:
        expire(position, given, book)
        return False
    if quotes.ts[row] < known + terms.latency_us:
        return True
    gross, net, paid = 0.0, 0.0, 0.0
    for k in range(MAX_LEGS):
        contract = order.legs[k]
        if contract < 0:
            continue
        paise = executable_paise(quotes, row, contract, order.side[k], terms)
        if paise == NOT_EXECUTABLE:
            return True
        position.entry_paise[k] = paise
        gross += order.ratio[k] * paise
        net += order.side[k] * order.ratio[k] * paise
        paid += paise * units(position, order, k, given)
    if abs(net) < MIN_BASIS_SHARE * gross - TOLERANCE:
        book.status[position.order] = Status.THIN_BASIS
        return False
    for k in range(MAX_LEGS):
        if order.legs[k] >= 0:
            position.charges_paise[k] = leg_charge_paise(
                position.entry_paise[k],
                units(position, order, k, given),
                given.rules.freeze[order.legs[k]],
                order.side[k],
                given.rates,
            )
    book.status[position.order] = Status.FILLED
    position.stage = Stage.OPEN
    position.entry_row = row
    position.exit_row = -1
    position.basis = abs(net) / PAISE
    if not sells(order):
        position.held = paid / PAISE
    return True
