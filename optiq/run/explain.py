"""One trade of a run, told: its day is walked again, and must give the same to the paisa."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from optiq.errors import DamagedError, MissingDataError
from optiq.market.schema import RIGHT_NAMES
from optiq.market.store import Store
from optiq.run.asking import Scorer
from optiq.run.backtest import DayResult, Settings, backtest_day
from optiq.run.choosing import Chooser
from optiq.run.recorded import TRADES, RecordedRun, session_days
from optiq.run.row_by_row import RULE, bills, legs_of, quotes_at, rows_of
from optiq.run.seeing import Direction
from optiq.run.stored import fields_of
from optiq.trade.book import PAISE, Records, Status
from optiq.trade.exits import Reason
from optiq.trade.ledger import Columns, closed_in_order
from optiq.trade.outcomes import outcomes
from optiq.trade.strategies import Strategy
from optiq.trade.walk import Walk

AGAIN = "the recorded day, the strategy's file or optiq has changed since; run the backtest again"


@dataclass(frozen=True, slots=True)
class Retold:
    """One day of a run, walked again."""

    run: RecordedRun
    day: DayResult
    strategies: Sequence[Strategy]
    settings: Settings

    def walk(self) -> Walk:
        """Return the day's walk before its first row."""
        return Walk.start(
            self.day.panel,
            self.day.orders,
            self.day.schedule.rates,
            self.settings.walk,
            self.settings.limits,
            self.settings.sizing,
            [strategy.limits for strategy in self.strategies],
            self.day.rules,
        )


def retell(
    store: Store,
    run: RecordedRun,
    date: dt.date,
    strategies: list[Strategy],
    settings: Settings,
    scorer: Scorer | None = None,
    direction: Direction | None = None,
    chooser: Chooser | None = None,
) -> Retold:
    """Read one of a run's days and walk it again as the run did."""
    underlying = run.summary["underlying"]
    panel = store.read_panel(underlying, date, fields_of(strategies))
    context = store.context(underlying, date)
    day = backtest_day(
        panel,
        context,
        strategies,
        settings,
        scorer,
        chooser,
        direction=direction,
        compare_instant=False,
    )
    return Retold(run, day, strategies, settings)


def find_trade(run: RecordedRun, wanted: str) -> tuple[str, dt.date]:
    """Return the name and session of a trade given by name or by its number in the run, from 1."""
    ids = list(dict.fromkeys(run.trades["trade_id"].tolist()))
    name = wanted.upper()
    if wanted.isdecimal() and 0 < int(wanted) <= len(ids):
        name = ids[int(wanted) - 1]
    if name not in ids:
        there = f"{ids[0]} to {ids[-1]}, or 1 to {len(ids)}" if ids else "none"
        raise MissingDataError(f"{run.path} has no trade {wanted}", f"its trades are {there}")
    at = run.trades["decided_ts"][run.trades["trade_id"] == name][0]
    date: dt.date = session_days(np.array([at])).tolist()[0]
    return name, date


def explain_trade(told: Retold, trade_id: str) -> dict[str, Any]:
    """Return the story of one trade; `DamagedError` where the walk no longer gives it.

    Times are UTC, prices rupees per unit, gains fractions of the basis; NaN is off or unknown.
    """
    day, trades = told.day, told.day.trades()
    _agree(told.run, trades, trade_id)
    number = int(trade_id.rpartition("-")[2]) - 1
    position = closed_in_order(day.panel, day.orders, day.book)[number]
    order = day.orders[position["order"]]
    entry_row, exit_row = int(position["entry_row"]), int(position["exit_row"])
    walk = told.walk()
    rows = rows_of(walk, int(position["order"]), entry_row, exit_row)
    mine = trades["trade_id"] == trade_id
    money = {name: _rupees(trades[name][mine]) for name in ("gross_pnl", "charges", "net_pnl")}
    return {
        "trade": trade_id,
        "scorer": told.run.summary.get("scorer"),
        "chosen_by": told.run.summary.get("chosen_by"),
        **about(told, walk, order, int(position["lots"])),
        "entry": _fill(told, walk, order, mine, "entry", int(order["row"]), entry_row),
        "basis": float(position["basis"]),
        "rows": rows,
        "exit": {
            "reason": Reason(int(position["reason"])).name,
            "stale": bool(position["stale"]),
            **_fill(told, walk, order, mine, "exit", int(position["exit_decided_row"]), exit_row),
        },
        "bills": bills(walk, position, day.schedule),
        **money,
        "at_deciding_quotes": alone(
            told, order, int(position["lots"]), at_once=True, net=money["net_pnl"]
        ),
    }


def _agree(run: RecordedRun, again: Columns, trade_id: str) -> None:
    then, now = (trades["trade_id"] == trade_id for trades in (run.trades, again))
    if then.sum() != now.sum():
        raise DamagedError(
            f"{trade_id} of {run.path} has {then.sum()} legs; walked again, it has {now.sum()}",
            AGAIN,
        )
    for name in TRADES:
        for one, other in zip(run.trades[name][then], again[name][now], strict=True):
            if one != other and not (one != one and other != other):
                raise DamagedError(
                    f"{trade_id} of {run.path}: {name} is {one}; walked again, it is {other}", AGAIN
                )


def about(told: Retold, walk: Walk, order: Records, lots: int) -> dict[str, Any]:
    """Return what is known of an order on its deciding row."""
    day, panel, row = told.day, told.day.panel, int(order["row"])
    places, contracts = legs_of(order)
    legs = [
        {
            "side": int(order["side"][leg]),
            "ratio": int(order["ratio"][leg]),
            "expiry": panel.expiry[c].item(),
            "strike": float(panel.strike[c]),
            "right": RIGHT_NAMES[int(panel.right[c])],
            "quantity": int(lots * order["ratio"][leg] * panel.lot[c]),
        }
        for leg, c in zip(places, contracts, strict=True)
    ]
    return {
        "run": str(told.run.path),
        "underlying": panel.underlying,
        "date": panel.date,
        "strategy": day.strategies[int(order["strategy"])],
        "index": int(order["index"]),
        "lots": lots,
        "legs": legs,
        "decision": {
            "row": row,
            "ts": panel.ts[row],
            "known": panel.known[row],
            "spot": float(panel.spot[row]),
            "forward": float(panel.forward_by_expiry[row, panel.expiry_index[contracts[0]]]),
            "rank": float(order["rank"]),
            "score": float(order["score"]),
            "quotes": quotes_at(walk, row, order),
        },
        "rule": {name: float(order[name]) for name in RULE},
        "latency_s": told.settings.walk.latency_s,
    }


def _fill(
    told: Retold, walk: Walk, order: Records, mine: Any, end: str, decided: int, filled: int
) -> dict[str, Any]:
    fills, panel = told.day.fills(), told.day.panel
    return {
        "decided_row": decided,
        "decided_ts": panel.ts[decided],
        "row": filled,
        "ts": panel.ts[filled],
        "latency_s": float(fills[f"{end}_latency_s"][mine][0]),
        "quotes": quotes_at(walk, filled, order),
        "prices": fills[f"{end}_price"][mine].tolist(),
        "decided_prices": fills[f"decided_{end}_price"][mine].tolist(),
        "half_spreads": fills[f"{end}_half_spread"][mine].tolist(),
    }


def alone(
    told: Retold, order: Records, lots: int, *, at_once: bool, net: float = np.nan
) -> dict[str, Any]:
    """Return what an order comes to by itself, without limits.

    ``at_once`` fills it on its deciding quotes, as if they had been known when they were made.
    ``difference`` is how much better ``net`` is.
    """
    panel, walk = told.day.panel, replace(told.settings.walk, lots=lots)
    if at_once:
        panel, walk = replace(panel, known=panel.ts), replace(walk, latency_s=0.0)
    (outcome,) = outcomes(panel, np.array([order]), told.day.schedule.rates, walk)
    result = {
        "status": Status(int(outcome["status"])).name.lower(),
        "lots": lots,
        "net_pnl": int(outcome["net_paise"]) / PAISE,
        "difference": float(np.rint(net * PAISE - outcome["net_paise"]) / PAISE),
    }
    if outcome["status"] != Status.FILLED:
        return result
    position, (places, _) = outcome["position"], legs_of(order)
    return {
        **result,
        "reason": Reason(int(position["reason"])).name,
        "entry_ts": panel.ts[int(position["entry_row"])],
        "exit_ts": panel.ts[int(position["exit_row"])],
        "entry_prices": [int(position["entry_paise"][leg]) / PAISE for leg in places],
        "exit_prices": [int(position["exit_paise"][leg]) / PAISE for leg in places],
    }


def _rupees(values: Any) -> float:
    return int(np.rint(values * PAISE).sum()) / PAISE
