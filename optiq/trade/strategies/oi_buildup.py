"""Follow the index where open interest near the money changes with it.

Rules, not machine learning. Price and open interest make four quadrants, and practitioners name a
story for each (https://oidata.in/blog, "OI buildup explained";
https://trade-pulse.in/learn/oi-buildup-patterns; https://rtstrade.info, August 2025). The stories
are told of a future's open interest; here it is that of the options, calls and puts together,
which says that positions were opened or closed, not by whom. All four follow the price.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import IntArray
from optiq.trade.directional import buy_at_the_money, strength_beyond
from optiq.trade.open_interest import open_interest_then_and_now
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.tradability import Tradable, strikes_from_the_money

NEEDS = ("ltp", "oi")


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Thresholds of open-interest build-up; ``price_min`` and ``oi_min`` are fractions.

    ``minutes`` back; ``strikes`` each side of the money; the quadrants ``long_build_up``,
    ``short_build_up``, ``short_covering`` and ``long_unwinding`` trade or do not; ``target`` and
    ``stop`` as fractions of the premium.
    """

    minutes: float = 15.0
    strikes: int = 5
    price_min: float = 0.0005
    oi_min: float = 0.005
    long_build_up: bool = True
    short_build_up: bool = True
    short_covering: bool = True
    long_unwinding: bool = True
    target: float = 0.25
    stop: float = 0.15


def lookback_minutes(params: Params) -> float:
    """Return how old the row may be that a row is compared with."""
    return 2.0 * params.minutes


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy the option at the money in the direction of the quadrant.

    Strength is 100 * (1 - threshold / size), of price or open interest whichever is less.
    """
    earlier = rows_before(panel, params.minutes)
    steps = strikes_from_the_money(panel, params.min_life_minutes)
    then, now = open_interest_then_and_now(panel, steps, params.strikes, earlier)
    with np.errstate(divide="ignore", invalid="ignore"):
        change = np.where(then > 0, (now - then) / then, np.nan)
    before = np.where(earlier >= 0, panel.spot[earlier], np.nan)
    move = (panel.spot - before) / before
    enough = (np.abs(move) > params.price_min) & (np.abs(change) > params.oi_min)
    direction = np.zeros(panel.n_rows)
    for price, interest, trades in (
        (+1, +1, params.long_build_up),
        (-1, +1, params.short_build_up),
        (+1, -1, params.short_covering),
        (-1, -1, params.long_unwinding),
    ):
        quadrant = enough & (np.sign(move) == price) & (np.sign(change) == interest)
        direction[quadrant] = price if trades else 0
    strength = np.minimum(
        strength_beyond(np.abs(move), params.price_min),
        strength_beyond(np.abs(change), params.oi_min),
    )
    rule = ExitRule(target=params.target, stop=params.stop)
    return buy_at_the_money(panel, params, steps, direction, strength, rule)


def rows_before(panel: Panel, minutes: float) -> IntArray:
    """Return per row the last chain row at least ``minutes`` before it; -1 if older than twice."""
    span = np.timedelta64(round(60e6 * minutes), "us")
    chain = np.flatnonzero(panel.is_chain)
    place = np.searchsorted(panel.ts[chain], panel.ts - span, side="right") - 1
    row: IntArray = np.append(chain, -1)[place]  # place -1 is the appended one: none
    return np.where(panel.ts[row] < panel.ts - 2 * span, -1, row)
