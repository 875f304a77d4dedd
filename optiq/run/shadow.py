"""What each strategy would have come to from a decision on: one order, one lot, alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optiq.market.panel import Panel
from optiq.market.schema import IntArray
from optiq.run.choosing import DECISION_MINUTES, Decision
from optiq.trade.book import PAISE, Records, Status, quotes_of
from optiq.trade.charges import Rates
from optiq.trade.exits import Reason
from optiq.trade.fills import WalkSettings
from optiq.trade.outcomes import outcomes
from optiq.trade.ranking import heapify

NEVER = np.datetime64("NaT", "us")
FILLED, NOTHING, EXPIRED, MASKED = "filled", "none", "expired", "masked"


@dataclass(frozen=True, slots=True)
class Shadow:
    """The shadow result of one strategy at one decision.

    ``net_pnl`` and ``risk`` are rupees, ``r`` their ratio; 0 where nothing was traded, and then
    ``entry_ts`` and ``exit_ts`` are NaT and ``exit_reason`` empty.
    """

    status: str
    entry_ts: np.datetime64 = NEVER
    exit_ts: np.datetime64 = NEVER
    net_pnl: float = 0.0
    risk: float = 0.0
    r: float = 0.0
    exit_reason: str = ""


def shadows(
    panel: Panel,
    orders: Records,
    decisions: Sequence[Decision],
    n_strategies: int,
    rates: Rates,
    settings: WalkSettings,
) -> list[list[Shadow]]:
    """Return the shadow result of each strategy at each decision.

    ``orders`` are those of all strategies, chosen or not. It is the outcome of the first order a
    strategy gives in the five minutes from the decision, the best of its row.
    """
    chosen = first_orders(panel, orders, decisions, n_strategies)
    picked = np.unique(chosen[chosen >= 0])
    alone = replace(settings, lots=1)
    results = outcomes(panel, orders[picked], rates, alone)
    place = {int(number): k for k, number in enumerate(picked)}
    return [
        [
            _shadow(panel, orders, results, place, int(number), bool(possible))
            for number, possible in zip(numbers, decision.mask, strict=True)
        ]
        for numbers, decision in zip(chosen, decisions, strict=True)
    ]


def first_orders(
    panel: Panel, orders: Records, decisions: Sequence[Decision], n_strategies: int
) -> IntArray:
    """Return (n_decisions, n_strategies) the number of each one's first order, -1 without one."""
    best = _best_of_rows(panel, orders)
    row, strategy = orders["row"][best], orders["strategy"][best]
    window = np.timedelta64(round(DECISION_MINUTES * 60e6), "us")
    numbers = np.full((len(decisions), n_strategies), -1)
    for place in range(n_strategies):
        own, own_rows = best[strategy == place], row[strategy == place]
        for k, decision in enumerate(decisions):
            at = int(np.searchsorted(own_rows, decision.row))
            if at < len(own) and panel.ts[own_rows[at]] < decision.ts + window:
                numbers[k, place] = own[at]
    return numbers


def _best_of_rows(panel: Panel, orders: Records) -> IntArray:
    """Return the number of each strategy's best order of each row, by row."""
    if not len(orders):
        return np.empty(0, np.int64)
    quotes, best = quotes_of(panel), []
    spot = _last_known(panel)
    key = orders["row"].astype(np.int64) * 64 + orders["strategy"]
    order = np.argsort(key, kind="stable")
    starts = np.flatnonzero(np.append(True, np.diff(key[order]) != 0)[: len(order)])
    for start, stop in zip(starts, [*starts[1:], len(order)], strict=True):
        heap = order[start:stop].astype(np.int64)
        heapify(heap, len(heap), orders, quotes, spot[orders["row"][heap[0]]])
        best.append(int(heap[0]))
    return np.array(best, np.int64)


def _last_known(panel: Panel) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return the last spot known on each row, NaN before the first."""
    known = np.where(np.isnan(panel.spot), -1, np.arange(panel.n_rows))
    latest = np.maximum.accumulate(known)
    return np.where(latest >= 0, panel.spot[latest], np.nan)


def _shadow(
    panel: Panel,
    orders: Records,
    results: Records,
    place: dict[int, int],
    number: int,
    possible: bool,
) -> Shadow:
    if not possible:
        return Shadow(MASKED)
    if number < 0:
        return Shadow(NOTHING)
    result = results[place[number]]
    if result["status"] != Status.FILLED:
        return Shadow(EXPIRED)
    position, order = result["position"], orders[number]
    units = order["ratio"] * np.where(order["legs"] >= 0, panel.lot[order["legs"]], 0)
    basis = abs(float((order["side"] * units * position["entry_paise"]).sum())) / PAISE
    stop = 1.0 if np.isnan(order["stop"]) else float(order["stop"])
    net, risk = int(result["net_paise"]) / PAISE, stop * basis
    return Shadow(
        status=FILLED,
        entry_ts=panel.ts[position["entry_row"]],
        exit_ts=panel.ts[position["exit_row"]],
        net_pnl=net,
        risk=risk,
        r=net / risk,
        exit_reason=Reason(int(position["reason"])).name,
    )
