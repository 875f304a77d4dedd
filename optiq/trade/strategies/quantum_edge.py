"""Buy at the money what a direction model expects: the call on Buy, the put on Sell.

The rule is only a threshold: all judgement is the model's, a small temporal fusion transformer
trained on earlier sessions (the architecture: https://arxiv.org/abs/1912.09363, Lim et al.). It is
not quantum, and its name promises no edge. Without a model it stays silent.

Confidence is the model's probability of buy or of sell, whichever is larger; that one must be the
largest of sell, hold and buy, alone. Strength is 0 at the threshold, 100 at a probability of 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.trade.directional import buy_at_the_money
from optiq.trade.exits import TOLERANCE
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.strength import strength
from optiq.trade.tradability import Tradable, strikes_from_the_money

NEEDS = ("ltp",)
UNSAID = 0.5
"""The threshold where neither settings nor model name one."""


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Thresholds of quantum edge.

    ``threshold`` is the least confidence, a probability; NaN means the one that the model chose on
    its calibration sessions, or `UNSAID` where it does not say. ``target`` and ``stop`` are
    fractions of the premium; ``max_hold_minutes`` counts from the fill.
    """

    threshold: float = math.nan
    target: float = 0.30
    stop: float = 0.15
    max_hold_minutes: float = 60.0


def lookback_minutes(params: Params) -> float:
    """Return 0: a row is judged by itself."""
    return 0.0


def silent_because(panel: Panel, context: Context, params: Params) -> str | None:
    """Name the model that is not there."""
    return "no direction model" if context.direction is None else None


def least_confidence(context: Context, params: Params) -> float:
    """Return the confidence from which a call is acted on."""
    for threshold in (params.threshold, context.direction_threshold):
        if not math.isnan(threshold):
            return threshold
    return UNSAID


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy the at-the-money call or put on every row where the model is confident."""
    if context.direction is None:
        return Orders.empty()
    sell, hold, buy = context.direction.T
    confidence = np.maximum(sell, buy)
    threshold = least_confidence(context, params)
    confident = (confidence > hold) & (confidence >= threshold - TOLERANCE)
    direction = np.where(confident, np.sign(buy - sell), 0.0)
    sure = strength(confidence, min(threshold, 1.0), 1.0)
    steps = strikes_from_the_money(panel, params.min_life_minutes)
    rule = ExitRule(params.target, params.stop, max_hold_minutes=params.max_hold_minutes)
    return buy_at_the_money(panel, params, steps, direction, sure, rule)
