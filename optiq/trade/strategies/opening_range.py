"""Buy at the money in the direction in which the index first leaves its opening range.

The range is what the index covered in the first minutes. The first chain row beyond it, by a
buffer, decides the one order of the day: a call above, a put below. If the contract at the money
cannot be traded on that very row, there is none that day; nothing is made up for later.

Opening-range breakouts are described at https://orbtrader.in/what-is-opening-range-breakout and
https://marketcalls.in/nifty-technicals/15-minute-opening-range-breakout; there a completed bar must
close outside, here one snapshot does. Rules, not machine learning; no volume and no trend is asked.

Strength is 0 just beyond the buffer, 100 from a whole width of the range further.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.schema import FloatArray
from optiq.trade.directional import buy_at_the_money
from optiq.trade.exits import TOLERANCE
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.strength import strength
from optiq.trade.tradability import Tradable, strikes_from_the_money

NEEDS = ("ltp",)


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Thresholds of the opening range.

    The range is that of the first ``range_minutes`` of the session, with at least ``min_rows``
    levels in it; ``until_minutes`` after the open the day's chance is gone. ``buffer`` is a
    fraction of the range's edge; ``target``, ``stop``, ``trail_after`` and ``trail`` are fractions
    of the premium.
    """

    range_minutes: float = 15.0
    min_rows: int = 2
    until_minutes: float = 135.0
    buffer: float = 0.0002
    target: float = 0.40
    stop: float = 0.25
    trail_after: float = 0.20
    trail: float = 0.15


def lookback_minutes(params: Params) -> float:
    """Return 0: what came before is read from the session so far."""
    return 0.0


def silent_because(panel: Panel, context: Context, params: Params) -> str | None:
    """Say that the first minutes, once they are over, had too few levels for a range."""
    day = panel.so_far
    over = day.is_chain & (day.minute > day.open_minute + params.range_minutes)
    if len(opening_levels(day, params)) >= max(params.min_rows, 1) or not over.any():
        return None
    first = f"the first {params.range_minutes:g} minutes"
    return f"under {params.min_rows} rows with a spot in {first}"


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy the at-the-money option on the first row beyond the opening range."""
    day = panel.so_far
    levels = opening_levels(day, params)
    if len(levels) < max(params.min_rows, 1):
        return Orders.empty()
    high, low = levels.max(), levels.min()
    top, bottom = high * (1.0 + params.buffer), low * (1.0 - params.buffer)
    above = (day.spot > high) & (day.spot >= top - TOLERANCE)
    below = (day.spot < low) & (day.spot <= bottom + TOLERANCE)

    minutes = day.minute - day.open_minute
    asked = day.is_chain & (minutes > params.range_minutes) & (minutes <= params.until_minutes)
    beyond = asked & (above | below)
    first = beyond & (np.cumsum(beyond) == 1)

    direction = np.where(first, np.where(above, 1.0, -1.0), 0.0)
    far = strength(np.maximum(day.spot - top, bottom - day.spot), 0.0, high - low)
    shown = slice(panel.starts_at, None)
    steps = strikes_from_the_money(panel, params.min_life_minutes)
    rule = ExitRule(params.target, params.stop, params.trail_after, params.trail)
    return buy_at_the_money(panel, params, steps, direction[shown], far[shown], rule)


def opening_levels(day: Panel, params: Params) -> FloatArray:
    """Return the known index levels on the chain rows of the first minutes, the last included."""
    opening = day.is_chain & (day.minute <= day.open_minute + params.range_minutes)
    levels: FloatArray = day.spot[opening & ~np.isnan(day.spot)]
    return levels
