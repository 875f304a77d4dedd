"""What a run came to, in figures a person can check against its trades."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from optiq.market.quality import one_row_jumps
from optiq.market.schema import AnyArray, FloatArray
from optiq.run.backtest import DayResult, Settings
from optiq.run.choices import ASIDE
from optiq.trade.book import PAISE, Records, Status
from optiq.trade.charges import LINES, line_totals, order_premiums
from optiq.trade.exits import Reason

NOT_REFUSED = {Status.NOT_REACHED, Status.PENDING, Status.FILLED, Status.EXPIRED}


@dataclass(slots=True)
class Tally:
    """Counts and exact sums over the days of a run; money in paise until it is reported."""

    days: int = 0
    rows: int = 0
    quotes: int = 0
    net_paise: list[int] = field(default_factory=list)
    net_paise_by_moment: list[int] = field(default_factory=list)
    gross_paise: list[int] = field(default_factory=list)
    charges_paise: int = 0
    lines: dict[str, float] = field(default_factory=lambda: dict.fromkeys(LINES, 0.0))
    reasons: dict[str, int] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    stale_exits: int = 0
    equal_price_quoted: int = 0
    equal_price_stale: int = 0
    reverting_jumps: int = 0
    net_if_instant_paise: int = 0
    choices: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)

    def add(self, day: DayResult) -> None:
        """Count one finished day."""
        self.days += 1
        self.rows += day.panel.n_rows
        self.quotes += int(day.panel.observed.sum())
        self.net_if_instant_paise += day.net_if_instant_paise
        for note in (*day.notes, *day.schedule.low_confidence):
            self.notes[note] = self.notes.get(note, 0) + 1
        if day.chosen is not None:
            places = np.array([made.choice.index for made in day.chosen.decisions], np.int64)
            _count(self.choices, [*day.strategies, ASIDE], places % (len(day.strategies) + 1))
        _count(self.statuses, [Status(s).name.lower() for s in range(len(Status))], day.book.status)
        self._add_positions(day)
        traded = np.unique(day.orders["legs"][closed_positions(day)["order"]])
        self.reverting_jumps += one_row_jumps(day.panel.ltp[:, traded[traded >= 0]])

    def _add_positions(self, day: DayResult) -> None:
        closed = closed_positions(day)
        orders = day.orders[closed["order"]]
        quantity = leg_quantities(day)
        gross = orders["side"] * (closed["exit_paise"] - closed["entry_paise"]) * quantity
        charges = closed["charges_paise"].sum(axis=1)
        self.gross_paise += gross.sum(axis=1).tolist()
        net = gross.sum(axis=1) - charges
        self.net_paise += net.tolist()
        _, moment = np.unique(closed["exit_row"], return_inverse=True)
        self.net_paise_by_moment += np.bincount(moment, net).astype(np.int64).tolist()
        self.charges_paise += int(charges.sum())
        freeze = day.rules.freeze[orders["legs"]]
        paid = _orders_paid(closed, orders, quantity, freeze)
        for name, value in line_totals(paid, day.schedule).items():
            self.lines[name] += value
        _count(self.reasons, [Reason(r).name for r in range(len(Reason))], closed["reason"])
        equal = ((closed["exit_paise"] == closed["entry_paise"]) | (orders["legs"] < 0)).all(axis=1)
        self.stale_exits += int(closed["stale"].sum())
        self.equal_price_stale += int((equal & closed["stale"]).sum())
        self.equal_price_quoted += int((equal & ~closed["stale"]).sum())

    def summary(self, settings: Settings) -> dict[str, Any]:
        """Return the figures by name; rupees are exact to the paisa, ratios NaN where undefined."""
        net, gross = np.array(self.net_paise, np.int64), np.array(self.gross_paise, np.int64)
        expired = self.statuses.get("expired", 0)
        refused = {s: n for s, n in self.statuses.items() if Status[s.upper()] not in NOT_REFUSED}
        return {
            "days": self.days,
            "rows": self.rows,
            "quotes": self.quotes,
            "trades": len(net),
            "gross_pnl": int(gross.sum()) / PAISE,
            "charges": self.charges_paise / PAISE,
            "net_pnl": int(net.sum()) / PAISE,
            "win_rate": float((net > 0).mean()) if len(net) else np.nan,
            "max_drawdown": max_drawdown(np.array(self.net_paise_by_moment, np.int64)) / PAISE,
            "profit_factor": profit_factor(net),
            "exits": self.reasons,
            "charge_lines": {name: round(value, 2) for name, value in self.lines.items()},
            "orders": sum(self.statuses.values()),
            "expired": expired,
            "refused": sum(refused.values()),
            "refused_by": refused,
            "choices": self.choices,
            "stale_exits": self.stale_exits,
            "equal_price_trades": self.equal_price_quoted + self.equal_price_stale,
            "equal_price_quoted_again": self.equal_price_quoted,
            "equal_price_without_quote": self.equal_price_stale,
            "reverting_jumps": self.reverting_jumps,
            "latency_s": settings.walk.latency_s,
            "filled_on_deciding_quote": settings.walk.latency_s == 0,
            "net_pnl_if_latency_0": self.net_if_instant_paise / PAISE,
            "notes": [_counted(note, count, self.days) for note, count in self.notes.items()],
        }


def max_drawdown(net: AnyArray) -> int:
    """Return the deepest fall of the running total below its earlier maximum or 0.

    ``net`` has one amount a moment, in order of time.

    >>> max_drawdown(np.array([100, -150, 20, -50]))
    180
    """
    if len(net) == 0:
        return 0
    equity = np.cumsum(net)
    return int((np.maximum.accumulate(np.maximum(equity, 0)) - equity).max())


def profit_factor(net: AnyArray) -> float:
    """Return what the winners made over what the losers lost; NaN without losers."""
    lost = -net[net < 0].sum()
    return float(net[net > 0].sum() / lost) if lost > 0 else float("nan")


def closed_positions(day: DayResult) -> Records:
    """Return the day's closed positions, in order of exit."""
    closed: Records = day.book.closed[: int(day.book.day["n_closed"][0])]
    return closed


def leg_quantities(day: DayResult) -> AnyArray:
    """Return (n_closed, 4) units traded per leg, 0 where there is none."""
    closed = closed_positions(day)
    orders = day.orders[closed["order"]]
    lot = day.panel.lot[orders["legs"]]
    return np.where(orders["legs"] >= 0, closed["lots"][:, None] * orders["ratio"] * lot, 0)


def _orders_paid(
    closed: Records, orders: Records, quantity: AnyArray, freeze: AnyArray
) -> tuple[AnyArray, AnyArray]:
    """Return the premium in paise and the side of every order that was charged."""
    price = np.stack([closed["entry_paise"], closed["exit_paise"]])
    side = np.stack([orders["side"], -orders["side"]])
    traded = price * quantity > 0
    per_leg = (np.broadcast_to(part, price.shape)[traded] for part in (quantity, freeze))
    premium, leg = order_premiums(price[traded], *per_leg)
    return premium, side[traded][leg]


def _count(totals: dict[str, int], names: list[str], codes: AnyArray) -> None:
    for code, count in zip(*np.unique(codes, return_counts=True), strict=True):
        totals[names[code]] = totals.get(names[code], 0) + int(count)


def _counted(note: str, count: int, days: int) -> str:
    return note if count == days == 1 else f"{note} ({count} of {days} days)"


def equity_curve(exit_ts: AnyArray, net_pnl: AnyArray) -> tuple[AnyArray, FloatArray]:
    """Return the moments of exits, ascending, and the realised net after each, in rupees.

    What leaves at one moment counts together: there is no order among its exits.
    """
    moments, index = np.unique(exit_ts, return_inverse=True)
    paise = np.rint(np.bincount(index, np.asarray(net_pnl) * PAISE, len(moments)))
    return moments, np.cumsum(paise) / PAISE
