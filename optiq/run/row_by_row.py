"""One position of a walk, told row by row: the walk itself says what it saw."""

from __future__ import annotations

from typing import Any

import numpy as np

from optiq.trade.book import PAISE, Book, Records, Stage
from optiq.trade.charges import LINES, Schedule, charge_lines, order_premiums
from optiq.trade.exits import Reason
from optiq.trade.fills import mark, middle
from optiq.trade.orders import MAX_LEGS
from optiq.trade.walk import Walk

RULE = ("target", "stop", "trail_after", "trail", "max_hold_minutes")


def rows_of(walk: Walk, order: int, entry_row: int, exit_row: int) -> list[dict[str, Any]]:
    """Step a fresh walk from a position's entry to its exit; return each row in between.

    ``gain`` and ``peak`` are fractions of the basis, as the exit rule saw them: those of the last
    row with a mark for every leg where this one lacks one. ``marks`` are rupees a leg, None where
    there is none. ``can_close`` tells whether prices could close it, ``reason`` why it was
    decided to leave, on the row of that decision.
    """
    walk.advance(entry_row + 1)
    rows, decided = [], False
    for row in range(entry_row + 1, exit_row + 1):
        walk.advance(row + 1)
        position = _position(walk.book, order)
        told = _row(walk, row, position)
        leaving = position["stage"] == Stage.LEAVING
        told["reason"] = Reason(int(position["reason"])).name if leaving and not decided else None
        decided = bool(decided or leaving)
        rows.append(told)
    return rows


def _position(book: Book, order: int) -> Records:
    for held, count in ((book.active, "n_active"), (book.closed, "n_closed")):
        there = held[: int(book.day[count][0])]
        found = np.flatnonzero(there["order"] == order)
        if len(found):
            position: Records = there[found[0]]
            return position
    raise AssertionError("a position is active or closed from its entry on")


def _row(walk: Walk, row: int, position: Records) -> dict[str, Any]:
    given, order = walk.given, walk.given.orders[position["order"]]
    gain, peak = float(position["gain"]), float(position["peak"])
    age = int(given.terms["max_quote_age_us"][0])
    marks = [mark(given.quotes, row, contract, age) for contract in legs_of(order)[1]]
    return {
        "row": row,
        "ts": given.quotes.ts[row].astype("datetime64[us]"),
        "marks": [None if source < 0 else value for value, source in marks],
        "gain": gain,
        "peak": peak,
        "to_stop": gain + float(order["stop"]),
        "to_target": float(order["target"]) - gain,
        "can_close": bool(position["askable"]),
    }


def legs_of(order: Records) -> tuple[list[int], list[int]]:
    """Return the places of an order's legs, and their contracts."""
    places = [leg for leg in range(MAX_LEGS) if order["legs"][leg] >= 0]
    return places, [int(order["legs"][leg]) for leg in places]


def quotes_at(walk: Walk, row: int, order: Records) -> list[dict[str, Any]]:
    """Return what was quoted of each leg at a row, in rupees; None where nothing was."""
    quotes, shown = walk.given.quotes, []
    for contract in legs_of(order)[1]:
        book = (quotes.bid, quotes.ask) if quotes.has_book else ()
        bid, ask = (_or_none(side[row, contract]) for side in book) if book else (None, None)
        shown.append(
            {
                "ltp": _or_none(quotes.ltp[row, contract]),
                "bid": bid,
                "ask": ask,
                "middle": _or_none(middle(quotes, row, contract)),
            }
        )
    return shown


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def bills(walk: Walk, position: Records, schedule: Schedule) -> list[dict[str, Any]]:
    """Return each order of a closed position with every line of its bill, in rupees.

    Orders that the exchange's freeze quantity makes alike are one entry with their number.
    """
    order, told = walk.given.orders[position["order"]], []
    for end, turn in (("entry", 1), ("exit", -1)):
        for leg, contract in zip(*legs_of(order), strict=True):
            price, side = int(position[f"{end}_paise"][leg]), turn * int(order["side"][leg])
            quantity = position["lots"] * order["ratio"][leg] * walk.given.quotes.lot[contract]
            if price == 0:  # given up, not sold
                continue
            freeze = walk.given.rules.freeze[contract]
            premiums, _ = order_premiums(*(np.array([n]) for n in (price, quantity, freeze)))
            for premium, count in zip(*np.unique(premiums, return_counts=True), strict=True):
                lines = charge_lines(int(premium), side, schedule)._asdict()
                told.append(
                    {
                        "when": end,
                        "leg": leg,
                        "side": side,
                        "orders": int(count),
                        "units": int(premium) // price,
                        "price": price / PAISE,
                        "premium": int(premium) / PAISE,
                        **{name: lines[name] for name in (*LINES, "total")},
                    }
                )
    return told
