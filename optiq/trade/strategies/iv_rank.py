"""Sell an iron condor where volatility is dear against the past days, buy a straddle where cheap.

The rank is where the volatility at the money now lies between the lowest (0) and the highest (100)
at the close of the past sessions; beyond them it is below 0 or above 100. Both are those of the
nearest expiry after today (`Context.atm_iv`), while what is traded is the nearest expiry.

Practitioners sell condors from a rank of 30, at deltas of 0.16 to 0.20, for days or weeks, at
https://optioninsights.in/monthly-iron-condor-strategy and
https://trade-pulse.in/learn/iron-condor-guide; here it is a position of hours that leaves by the
close. Rules, not machine learning; no forecast of volatility and no calendar of events is asked.

Strength is 0 at a threshold of the rank, 100 where the rank is 100 (sold) or 0 (bought).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from optiq.market.context import Context
from optiq.market.moneyness import lasting_iv
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.trade.exits import TOLERANCE
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.packages import iron_condor, straddle
from optiq.trade.strength import strength
from optiq.trade.tradability import Tradable, nearest_expiry, tradable

NEEDS = ("ltp", "iv")


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Thresholds of the rank of volatility.

    ``lookback_days`` past sessions of which ``min_days`` have a volatility; ``sell_from`` and
    ``buy_to`` are ranks. The condor: ``short_delta`` of what is sold, wings ``wing_steps`` strikes
    further out, each leg worth over ``condor_min_premium`` rupees (its wings are cheap by design),
    ``condor_target`` and ``condor_stop`` as fractions of the credit. ``target`` and ``stop`` are
    the straddle's, fractions of its premium.
    """

    lookback_days: int = 60
    min_days: int = 20
    sell_from: float = 75.0
    buy_to: float = 25.0
    short_delta: float = 0.20
    wing_steps: int = 4
    condor_min_premium: float = 5.0
    condor_target: float = 0.50
    condor_stop: float = 1.00
    target: float = 0.25
    stop: float = 0.15


def lookback_minutes(params: Params) -> float:
    """Return 0: a row is judged by itself."""
    return 0.0


def silent_because(panel: Panel, context: Context, params: Params) -> str | None:
    """Say how short the history is, or that it never moved."""
    past = past_volatilities(context, params)
    if len(past) < max(params.min_days, 1):
        return f"under {params.min_days} days of history"
    return "one volatility on all past days" if past.max() == past.min() else None


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Sell the condor on every row of a high rank, buy the straddle on every row of a low one."""
    if silent_because(panel, context, params):
        return Orders.empty()
    past = past_volatilities(context, params)
    rank = 100.0 * (lasting_iv(panel) - past.min()) / (past.max() - past.min())
    nearest = nearest_expiry(panel, params.min_life_minutes)
    sold = iron_condor(
        panel,
        rank >= params.sell_from - TOLERANCE,
        nearest,
        params.short_delta,
        params.wing_steps,
        side=-1,
        rule=ExitRule(params.condor_target, params.condor_stop),
        strength=strength(rank, params.sell_from, 100.0),
        among=tradable(panel, replace(params, min_premium=params.condor_min_premium)),
    )
    bought = straddle(
        panel,
        rank <= params.buy_to + TOLERANCE,
        nearest,
        side=+1,
        rule=ExitRule(params.target, params.stop),
        strength=strength(rank, params.buy_to, 0.0),
        among=tradable(panel, params),
    )
    return Orders.joined(sold, bought)


def past_volatilities(context: Context, params: Params) -> FloatArray:
    """Return what is known of the last ``lookback_days`` stored sessions, a volatility each."""
    recent = context.atm_iv[max(0, len(context.atm_iv) - params.lookback_days) :]
    known: FloatArray = recent[np.isfinite(recent)]
    return known
