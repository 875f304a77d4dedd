"""Buy options whose delta moves fast: high gamma, a delta between the wings and the money.

Rules, not machine learning; and despite the name no delta hedge: the position is the bare option,
out at a small target or a smaller stop. Gamma scalping proper holds a hedged straddle
(https://equicurious.com, "Gamma scalping").

``gamma > 0.001`` is a hidden filter on days to expiry and on the index level: at 12 % volatility
and 26,000 points it holds at the money only within about six days. ``gamma_s2_min`` is the
scale-free form: ``S**2 * gamma / 100`` is the change of rupee delta per 1 % move of the index.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.tradability import Tradable, tradable

NEEDS = ("ltp", "gamma", "delta")


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Thresholds of gamma scalping.

    ``gamma_min`` per rupee of the index; ``gamma_s2_min`` NaN is off; ``delta_min`` and
    ``delta_max`` without sign; ``target`` and ``stop`` as fractions of the premium.
    """

    gamma_min: float = 0.001
    gamma_s2_min: float = np.nan
    delta_min: float = 0.3
    delta_max: float = 0.7
    target: float = 0.15
    stop: float = 0.10


def lookback_minutes(params: Params) -> float:
    """Return 0: a row is judged by itself."""
    return 0.0


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy every tradable call and put with enough gamma and a middling delta."""
    delta = np.abs(panel.delta)
    mask = tradable(panel, params)
    mask &= panel.gamma > params.gamma_min
    mask &= (delta > params.delta_min) & (delta < params.delta_max)
    if not np.isnan(params.gamma_s2_min):
        mask &= panel.spot[:, None] ** 2 * panel.gamma / 100.0 > params.gamma_s2_min
    return Orders.single(panel, mask, rule=ExitRule(target=params.target, stop=params.stop))
