"""The walk's positions as trades: one row per leg, money exact to the paisa."""

from __future__ import annotations

import numpy as np

from optiq.market.panel import Panel
from optiq.market.schema import RIGHT_NAMES, AnyArray
from optiq.trade.book import PAISE, Book, Records, Status
from optiq.trade.exits import Reason

Columns = dict[str, AnyArray]

_RIGHTS = np.array([RIGHT_NAMES[-1], "", RIGHT_NAMES[1]], object)
_REASONS = np.array([reason.name for reason in Reason], object)
_STATUSES = np.array([status.name.lower() for status in Status], object)


def concatenate(days: list[Columns]) -> Columns:
    """Return the columns of several days, at least one, as one."""
    return {name: np.concatenate([day[name] for day in days]) for name in days[0]}


def trades_of(panel: Panel, orders: Records, book: Book, strategies: tuple[str, ...]) -> Columns:
    """Return one row per leg of a closed position of a finished day, ordered by entry.

    Money is float64 rupees, each the double nearest to its exact two decimals.
    """
    names = np.array(strategies, object)
    closed = closed_in_order(panel, orders, book)
    trade, leg = np.nonzero(orders["legs"][closed["order"]] >= 0)
    position, order = closed[trade], orders[closed["order"]][trade]
    pick = (np.arange(len(trade)), leg)
    contract = order["legs"][pick]
    side, entry = order["side"][pick], position["entry_paise"][pick]
    leave = position["exit_paise"][pick]
    charges = position["charges_paise"][pick]
    quantity = position["lots"] * order["ratio"][pick] * panel.lot[contract]
    gross = side * (leave - entry) * quantity
    return {
        "trade_id": trade_ids(panel, trade),
        "strategy": names[order["strategy"]],
        "underlying": np.full(len(trade), panel.underlying, object),
        "expiry": panel.expiry[contract],
        "strike": panel.strike[contract],
        "right": _RIGHTS[panel.right[contract] + 1],
        "side": side,
        "lots": position["lots"],
        "quantity": quantity,
        "decided_ts": panel.ts[order["row"]],
        "entry_ts": panel.ts[position["entry_row"]],
        "entry_price": entry / PAISE,
        "exit_decided_ts": panel.ts[position["exit_decided_row"]],
        "exit_ts": panel.ts[position["exit_row"]],
        "exit_price": leave / PAISE,
        "exit_reason": _REASONS[position["reason"]],
        "stale_exit": position["stale"],
        "gross_pnl": gross / PAISE,
        "charges": charges / PAISE,
        "net_pnl": (gross - charges) / PAISE,
        "score": order["score"],
        "entry_row": position["entry_row"],
        "exit_row": position["exit_row"],
    }


def closed_in_order(panel: Panel, orders: Records, book: Book) -> Records:
    """Return the closed positions of a finished day in the order of its trades.

    By entry and decision, then strategy and first leg: contracts that appear during a session have
    another column on paper than in the store, and the same trade has one number.
    """
    closed = book.closed[: int(book.day["n_closed"][0])]
    order = orders[closed["order"]]
    first = order["legs"][:, 0]
    contract = (-panel.right[first], panel.strike[first], panel.expiry[first])
    decided = (order["strategy"], order["row"], closed["entry_row"])
    by_entry: Records = closed[np.lexsort((closed["order"], *contract, *decided))]
    return by_entry


def trade_ids(panel: Panel, trade: AnyArray) -> AnyArray:
    """Return the names of a day's trades, ``trade`` counted from 0."""
    day = f"{panel.underlying}-{panel.date:%Y%m%d}"
    return np.array([f"{day}-{number + 1:04d}" for number in trade], object)


def decisions_of(panel: Panel, orders: Records, book: Book, strategies: tuple[str, ...]) -> Columns:
    """Return one row per order asked for; the contract columns are its first leg's."""
    names = np.array(strategies, object)
    first = orders["legs"][:, 0]
    return {
        "underlying": np.full(len(orders), panel.underlying, object),
        "ts": panel.ts[orders["row"]],
        "row": orders["row"].copy(),
        "strategy": names[orders["strategy"]],
        "index": orders["index"].copy(),
        "expiry": panel.expiry[first],
        "strike": panel.strike[first],
        "right": _RIGHTS[panel.right[first] + 1],
        "side": orders["side"][:, 0].copy(),
        "n_legs": (orders["legs"] >= 0).sum(axis=1),
        "rank": orders["rank"].copy(),
        "score": orders["score"].copy(),
        "status": _STATUSES[book.status],
    }
