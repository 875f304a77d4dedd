"""Follow large changes of open interest near the money.

Once sold as "Quantum Edge V2 ML": it is rules, not machine learning. Practitioners describe
open-interest build-up at https://oidata.in/blog and https://trade-pulse.in/learn/oi-buildup-patterns.
Whether growing open interest means that buyers or writers came is a reading, not a fact: the
default takes them for buyers, so open interest growing on a put is bearish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from optiq.market.context import Context
from optiq.market.counts import relative_change
from optiq.market.panel import Panel
from optiq.market.schema import CE, PE, FloatArray
from optiq.trade.directional import buy_at_the_money
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.tradability import Tradable, strikes_from_the_money

NEEDS = ("ltp", "oi", "oi_change", "volume")


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Thresholds of institutional open interest.

    ``strikes`` each side of the money; ``oi_change_min`` as a fraction of the previous session's
    open interest; ``volume_min_lots`` traded today; ``reading`` says who is behind growing open
    interest; ``target`` and ``stop`` as fractions of the premium.
    """

    strikes: int = 2
    oi_change_min: float = 0.15
    volume_min_lots: float = 1000.0
    reading: Literal["buyers", "writers"] = "buyers"
    target: float = 0.30
    stop: float = 0.12


def lookback_minutes(params: Params) -> float:
    """Return 0: a row is judged by itself."""
    return 0.0


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy the at-the-money call where a signal is bullish, the put where one is bearish.

    Strength grows with the largest relative change behind the signal: 13 at 15 %, 50 at 100 %.
    """
    steps = strikes_from_the_money(panel, params.min_life_minutes)
    bullish, bearish = convictions(panel, steps, params)
    rule = ExitRule(target=params.target, stop=params.stop)
    both = []
    for right, conviction in ((CE, bullish), (PE, bearish)):
        direction = np.where(conviction > 0, float(right), 0.0)
        strength = 100.0 * conviction / (1.0 + conviction)
        both.append(buy_at_the_money(panel, params, steps, direction, strength, rule))
    return Orders.joined(*both)


def convictions(panel: Panel, steps: FloatArray, params: Params) -> tuple[FloatArray, FloatArray]:
    """Return (n_rows,) the largest change behind a bullish signal, and behind a bearish one.

    0 where there is none.
    """
    # the day's few contracts that ever come that near: the others are most of the work
    near = np.flatnonzero((np.abs(steps) <= params.strikes).any(axis=0))
    change = relative_change(panel.oi[:, near], panel.oi_change[:, near])
    signal = (np.abs(steps[:, near]) <= params.strikes) & (np.abs(change) > params.oi_change_min)
    signal &= panel.volume[:, near] > params.volume_min_lots * panel.lot[near]
    reading = 1 if params.reading == "buyers" else -1
    direction = panel.right[near] * np.sign(change) * reading
    size = np.where(signal, np.abs(change), 0.0)
    bullish = np.where(direction > 0, size, 0.0).max(axis=1, initial=0.0)
    bearish = np.where(direction < 0, size, 0.0).max(axis=1, initial=0.0)
    return bullish, bearish
