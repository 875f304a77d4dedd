"""One order that was not filled, told: what it was, and which limit or quote stood in its way."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Any

import numpy as np

from optiq.errors import DamagedError, InputError, MissingDataError
from optiq.market.panel import minute_of_day
from optiq.run.explain import AGAIN, Retold, about, alone
from optiq.run.recorded import RecordedRun, session_days
from optiq.run.row_by_row import quotes_at
from optiq.trade.book import Records, Status
from optiq.trade.entering import MIN_BASIS_SHARE
from optiq.trade.ledger import closed_in_order, trade_ids
from optiq.trade.ranking import outranks
from optiq.trade.walk import Walk

WHY = {
    Status.NOT_REACHED: "the day ended before its row",
    Status.EXPIRED: "no quote filled it within walk.max_wait_s = {max_wait_s:g} seconds",
    Status.DAY_OVER: "the day was over: limits.max_daily_loss = {max_daily_loss} was lost",
    Status.HOURS: "{since_open:.1f} minutes after the open, {to_close:.1f} before the close: "
    "limits.first_entry_minutes = {first_entry_minutes:g}, "
    "limits.last_entry_minutes = {last_entry_minutes:g}",
    Status.MIN_SCORE: "its score is below limits.min_score = {min_score}",
    Status.MAX_OPEN: "no slot was free: limits.max_open = {max_open}",
    Status.SAME_CONTRACT: "its first contract was held or pending already",
    Status.COOLDOWN: "its first contract was left less than limits.cooldown_minutes = "
    "{cooldown_minutes:g} before",
    Status.MAX_TRADES: "limits.max_trades_per_day = {max_trades_per_day} entries were accepted",
    Status.CAPITAL: "it would have bound more than was free of limits.capital = {capital}",
    Status.THIN_BASIS: "its net premium was under {min_basis:.0%} of its gross, too thin to "
    "measure gains by",
    Status.SIZE: "sizing.method = {method} pays for no lot of it",
    Status.STRATEGY_DAY_OVER: "{strategy}.max_daily_loss was lost",
    Status.STRATEGY_MAX_OPEN: "no slot of its strategy was free: {strategy}.max_open",
    Status.STRATEGY_COOLDOWN: "its strategy rested: {strategy}.cooldown_minutes",
    Status.STRATEGY_MAX_TRADES: "{strategy}.max_trades_per_day entries were accepted",
    Status.STRATEGY_CAPITAL: "it would have bound more than was free of {strategy}.capital",
}
"""Why an order was not filled, by its status; the names in braces are settings."""


def read_decision(text: str) -> tuple[int, str, int]:
    """Read ROW:STRATEGY:INDEX, as ``decisions.parquet`` has them.

    >>> read_decision("120:gamma_scalping:7")
    (120, 'gamma_scalping', 7)
    """
    row, _, rest = text.partition(":")
    strategy, _, index = rest.rpartition(":")
    if not (row.isdecimal() and strategy and index.isdecimal()):
        raise InputError(f"{text!r} names no decision", "write ROW:STRATEGY:INDEX")
    return int(row), strategy, int(index)


def session_of(run: RecordedRun, date: dt.date | None) -> dt.date:
    """Return the session a decision is of; a run of several has to be told."""
    sessions = run.summary.get("sessions") or [run.summary["from"], run.summary["to"]]
    if date is None and len(set(sessions)) > 1:
        raise InputError(
            f"{run.path} has more sessions than one",
            f"give --date, {sessions[0]} to {sessions[-1]}",
        )
    return date or dt.date.fromisoformat(sessions[0])


def find_order(told: Retold, decision: str) -> int:
    """Return the place of a decision in its day; `DamagedError` where the run says otherwise."""
    day, (row, strategy, index) = told.day, read_decision(decision)
    then = _stored_status(told.run, day.panel.date, row, strategy, index)
    if then is None:
        raise MissingDataError(
            f"{told.run.path} has no decision {decision} on {day.panel.date}",
            "row, strategy and index are columns of its decisions.parquet",
        )
    orders = day.orders
    mine = orders["strategy"] == day.strategies.index(strategy)
    found = np.flatnonzero(mine & (orders["row"] == row) & (orders["index"] == index))
    now = Status(int(day.book.status[found[0]])).name.lower() if len(found) else "not asked for"
    if now != then:
        raise DamagedError(
            f"decision {decision} of {told.run.path} was {then}; walked again, it is {now}", AGAIN
        )
    return int(found[0])


def _stored_status(
    run: RecordedRun, date: dt.date, row: int, strategy: str, index: int
) -> str | None:
    import pyarrow.parquet as pq

    wanted = [("row", "=", row), ("strategy", "=", strategy), ("index", "=", index)]
    file = run.path / "decisions.parquet"
    table = pq.read_table(file, columns=["ts", "status"], filters=wanted, partitioning=None)
    days = session_days(table["ts"].to_numpy().astype("datetime64[us]")).tolist()
    found = [s for day, s in zip(days, table["status"].to_pylist(), strict=True) if day == date]
    return found[0] if found else None


def trade_of(told: Retold, place: int) -> str | None:
    """Return the trade that an order became; None where it was not filled."""
    closed = closed_in_order(told.day.panel, told.day.orders, told.day.book)
    number = np.flatnonzero(closed["order"] == place)
    return str(trade_ids(told.day.panel, number)[0]) if len(number) else None


def explain_refusal(told: Retold, decision: str, place: int) -> dict[str, Any]:
    """Return the story of an order that was not filled.

    ``held`` are the positions open or pending when it was decided, ``tried`` the rows on which an
    accepted order waited for quotes, ``alone`` what it would have come to by itself, of
    ``walk.lots``, without limits.
    """
    order, status = told.day.orders[place], Status(int(told.day.book.status[place]))
    walk, lots = told.walk(), told.settings.walk.lots
    walk.advance(int(order["row"]) + 1)
    accepted = status in (Status.EXPIRED, Status.THIN_BASIS)
    return {
        "order": decision,
        "scorer": told.run.summary.get("scorer"),
        "chosen_by": told.run.summary.get("chosen_by"),
        **about(told, walk, order, lots),
        "status": status.name.lower(),
        "why": _why(told, order, status),
        "held": _held(told, walk, place),
        "tried": _tried(walk, order) if accepted else [],
        "alone": alone(told, order, lots, at_once=False),
    }


def _why(told: Retold, order: Records, status: Status) -> str:
    settings, panel = told.settings, told.day.panel
    minute = float(minute_of_day(panel.ts[order["row"] : order["row"] + 1])[0])
    return WHY[status].format(
        **asdict(settings.walk),
        **asdict(settings.limits),
        method=settings.sizing.method,
        min_basis=MIN_BASIS_SHARE,
        strategy=told.day.strategies[int(order["strategy"])],
        since_open=minute - panel.open_minute,
        to_close=panel.close_minute - minute,
    )


def _held(told: Retold, walk: Walk, place: int) -> list[dict[str, Any]]:
    """Return what was open or pending when the order was decided, before the row's fills."""
    row, day = int(told.day.orders[place]["row"]), walk.book.day
    closed = walk.book.closed[: int(day["n_closed"][0])]
    active = walk.book.active[: int(day["n_active"][0])]
    held = [*closed[closed["exit_row"] == row]["order"], *active["order"]]
    return [
        {
            "trade": trade_of(told, int(other)),
            "strategy": told.day.strategies[int(told.day.orders[other]["strategy"])],
            "decided_row": int(told.day.orders[other]["row"]),
        }
        for other in held
        if told.day.orders[other]["row"] < row or _comes_first(walk, int(other), place)
    ]


def _comes_first(walk: Walk, other: int, place: int) -> bool:
    """Return whether an order of the same row was decided before another."""
    spot = float(walk.book.day["spot"][0])
    first = outranks(other, place, walk.given.orders, walk.given.quotes, spot)
    return other != place and bool(first)


def _tried(walk: Walk, order: Records) -> list[dict[str, Any]]:
    """Return the rows late enough to fill an order and early enough not to expire it."""
    quotes, terms = walk.given.quotes, walk.given.terms[0]
    late = quotes.ts - quotes.known[order["row"]]
    rows = np.flatnonzero((late >= terms["latency_us"]) & (late <= terms["max_wait_us"]))
    return [
        {
            "row": int(row),
            "ts": quotes.ts[row].astype("datetime64[us]"),
            "quotes": quotes_at(walk, int(row), order),
        }
        for row in rows
    ]
