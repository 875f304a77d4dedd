"""How likely a purchase in a simulated market was to pay, given all that was hidden in it.

The scorer's question, answered by the market's own law and the walk's own rules: futures are drawn
on from the deciding row, the order is walked alone in each, and those that pay are counted.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from optiq.errors import InputError
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.market.simulate import index_days
from optiq.market.simulated_continuation import Continuation, continuation
from optiq.market.simulated_futures import row_at
from optiq.market.simulated_index import IndexDay
from optiq.market.simulated_settings import Simulation
from optiq.run.backtest import Settings
from optiq.trade.book import Status, queue
from optiq.trade.charges import schedule
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.outcomes import outcomes


@dataclass(frozen=True, slots=True)
class Purchase:
    """One lot of a contract, decided on the snapshot of ``date`` at ``ts`` (UTC)."""

    date: dt.date
    ts: np.datetime64
    expiry: dt.date
    strike: float
    right: int


def profit_chances(
    simulation: Simulation,
    asked: Sequence[Purchase],
    rule: ExitRule,
    settings: Settings,
    n: int = 200,
    seed: int = 0,
) -> FloatArray:
    """Return P(no profit, profit | everything hidden) after charges, (2, n_asked, 2).

    Counted over two independent halves of ``n`` futures, as `market.best_forecast.best_scores`
    wants them; a chance p has a standard error of ``sqrt(p * (1 - p) / n)``. Purchases that are not
    filled, or still open at the last row, do not count, as they have no label. NaN where none does.
    """
    chances = np.full((2, len(asked), 2), np.nan)
    by_date: dict[dt.date, list[int]] = {}
    for number, purchase in enumerate(asked):
        by_date.setdefault(purchase.date, []).append(number)
    for day in index_days(simulation):
        for number in by_date.pop(day.session.date, ()):
            rng = np.random.default_rng([seed, number])
            for half in (0, 1):
                gain = _gains(simulation, day, asked[number], rule, settings, n // 2, rng)
                if len(gain):
                    chances[half, number] = np.mean([gain <= 0, gain > 0], axis=1)
    if by_date:
        raise InputError(f"{min(by_date)} is not simulated", "ask about sessions of the simulation")
    return chances


def _gains(
    simulation: Simulation,
    day: IndexDay,
    purchase: Purchase,
    rule: ExitRule,
    settings: Settings,
    n: int,
    rng: np.random.Generator,
) -> FloatArray:
    """Return the net result of the purchase in each future that gives it one, in paise."""
    contract = (purchase.expiry, purchase.strike, purchase.right)
    ahead = continuation(simulation, day, contract, row_at(day, purchase.ts), n, rng)
    panel = _panel(simulation, ahead, purchase)
    at_once = np.zeros((panel.n_rows, panel.n_contracts), np.bool_)
    at_once[0] = True
    orders = queue([Orders.single(panel, at_once, rule=rule)])
    rates = schedule(panel.underlying, panel.date, settings.broker).rates
    results = outcomes(panel, orders, rates, replace(settings.walk, lots=1))
    has_label = (results["status"] == Status.FILLED) & ~results["position"]["stale"]
    gains: FloatArray = results["net_paise"][has_label].astype(np.float64)
    return gains


def _panel(simulation: Simulation, ahead: Continuation, purchase: Purchase) -> Panel:
    """Return a panel whose columns are the futures of the one contract."""
    n_rows, n = ahead.bid.shape
    ts = ahead.day.ts[ahead.row :]
    return Panel(
        underlying=simulation.underlying,
        date=purchase.date,
        ts=ts,
        known=ts,
        is_chain=np.ones(n_rows, np.bool_),
        spot=np.full(n_rows, ahead.day.path.level[ahead.row]),
        expiry=np.full(n, np.datetime64(purchase.expiry, "D")),
        strike=np.arange(n, dtype=np.float64),
        right=np.full(n, purchase.right),
        lot=np.full(n, ahead.lot),
        open_minute=ahead.day.session.open_minute,
        close_minute=ahead.day.session.close_minute,
        has_book=True,
        fields={"ltp": ahead.ltp, "bid": ahead.bid, "ask": ahead.ask},
    )
