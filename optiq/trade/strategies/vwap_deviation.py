"""Bet that the index comes back to the session's volume-weighted level.

Rules, not machine learning; and not the VWAP of an exchange: an index trades no volume, so what
its options trade from row to row weighs it. Practitioners mostly trade with a move away from VWAP
(https://bsestocks.com, "Intraday options buying strategy") or sell the straddle below its own
(https://docs.buildalgos.com/codebuilder/Examples/cmbpremVWAP); this rule bets against the move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.trade.directional import buy_at_the_money, strength_beyond
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.tradability import Tradable, strikes_from_the_money
from optiq.trade.traded_volume import volume_weighted_spot

NEEDS = ("ltp",)


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Thresholds of VWAP deviation.

    ``deviation_min`` as a fraction of the volume-weighted spot; ``minutes_min`` since the open, as
    a mean of a few prints is no level to come back to; ``target`` and ``stop`` as fractions of the
    premium.
    """

    deviation_min: float = 0.0035
    minutes_min: float = 5.0
    target: float = 0.20
    stop: float = 0.12


def lookback_minutes(params: Params) -> float:
    """Return 0: what came before is read from the session so far."""
    return 0.0


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy the put at the money while spot is far above the level, the call while far below.

    Strength is 100 * (1 - ``deviation_min`` / deviation): 50 at twice the threshold.
    """
    level = volume_weighted_spot(panel)
    deviation = (panel.spot - level) / level
    far = np.abs(deviation) > params.deviation_min
    far &= panel.minute - panel.open_minute >= params.minutes_min
    direction = np.where(far, -np.sign(deviation), 0.0)
    strength = strength_beyond(np.abs(deviation), params.deviation_min)
    steps = strikes_from_the_money(panel, params.min_life_minutes)
    rule = ExitRule(target=params.target, stop=params.stop)
    return buy_at_the_money(panel, params, steps, direction, strength, rule)
