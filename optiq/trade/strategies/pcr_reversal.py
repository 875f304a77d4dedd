"""Bet on a turn where puts and calls near the money are held in extreme proportion.

Rules, not machine learning, and not the ratio of volumes: open interest of puts over that of
calls (https://indiainfoline.com, "Put call ratio"). The sources disagree about the sign:
https://market.stockan.in takes many puts for fear, a reason to buy; https://fvbb.com/ns/267465
(after Mint) tells of a bounce at 0.69 and a fall after 1.5, so it takes them for written. The
default buys where puts abound; ``sign`` turns it round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.trade.directional import buy_at_the_money, strength_beyond
from optiq.trade.open_interest import open_interest_by_side
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.tradability import Tradable, strikes_from_the_money

NEEDS = ("ltp", "oi")


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Thresholds of put-call ratio reversal.

    ``strikes`` each side of the money; ``strikes_min`` calls and as many puts must have open
    interest; ``high`` and ``low`` are ratios; ``sign`` says whether to bet against the crowd or
    with it; ``target`` and ``stop`` as fractions of the premium.
    """

    strikes: int = 10
    strikes_min: int = 5
    high: float = 1.70
    low: float = 0.70
    sign: Literal["contrarian", "follow"] = "contrarian"
    target: float = 0.25
    stop: float = 0.15


def lookback_minutes(params: Params) -> float:
    """Return 0: a row is judged by itself."""
    return 0.0


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy the call at the money while the ratio is above ``high``, the put while below ``low``.

    Strength is 100 * (1 - ``high`` / ratio) above, 100 * (1 - ratio / ``low``) below: 50 at twice
    the one and at half the other.
    """
    steps = strikes_from_the_money(panel, params.min_life_minutes)
    held = open_interest_by_side(panel, steps, params.strikes)
    enough = np.minimum(held.call_strikes, held.put_strikes) >= params.strikes_min
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(enough & (held.call > 0), held.put / held.call, np.nan)
    sign = 1.0 if params.sign == "contrarian" else -1.0
    direction = sign * np.where(ratio > params.high, 1.0, np.where(ratio < params.low, -1.0, 0.0))
    above, below = strength_beyond(ratio, params.high), strength_beyond(params.low, ratio)
    strength = np.where(ratio > params.high, above, below)
    rule = ExitRule(target=params.target, stop=params.stop)
    return buy_at_the_money(panel, params, steps, direction, strength, rule)
