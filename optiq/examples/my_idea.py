"""Buy at the money when the index leaves the range it has kept so far today.

A rule to change: what decides is in ``entries``, its numbers are in ``Params``. Then ask

    optiq strategies check my_idea.py       whether it uses only what was known
    optiq backtest --strategy my_idea.py    what it came to, net of every charge
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq import Context, ExitRule, Orders, Panel
from optiq.market.schema import FloatArray
from optiq.trade.tradability import Tradable, strikes_from_the_money, tradable

NEEDS = ("ltp",)
"""The fields of a panel without which the rule stays silent for the day."""


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """Every number of the rule; ``--set my_idea.buffer=0.001`` changes one for a run.

    ``buffer`` as a fraction of the index (0.0005 is 0.05 %), ``target`` and ``stop`` as fractions
    of the premium. `Tradable` adds the band around the index, the least premium, the widest
    spread and the least life of a contract.
    """

    wait_minutes: float = 30.0
    buffer: float = 0.0005
    target: float = 0.20
    stop: float = 0.10
    max_hold_minutes: float = 30.0


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy the call above the day's range so far, the put below it.

    ``panel.spot`` has one value a row (a moment), ``panel.ltp``, ``panel.iv`` and so on one a row
    and contract; NaN where nothing was quoted. ``context`` holds closes and volatility of the days
    before.
    """
    # A running extreme looks back. panel.spot.max() would look ahead: at noon nobody knows it.
    highest = one_row_earlier(np.fmax.accumulate(panel.spot))
    lowest = one_row_earlier(np.fmin.accumulate(panel.spot))

    waited = panel.minute >= panel.open_minute + params.wait_minutes
    above = waited & (panel.spot > highest * (1.0 + params.buffer))
    below = waited & (panel.spot < lowest * (1.0 - params.buffer))

    # From rows to cells: panel.right is +1 for calls and -1 for puts.
    wanted = np.where(panel.right > 0, above[:, None], below[:, None])
    at_the_money = strikes_from_the_money(panel, params.min_life_minutes) == 0
    mask = tradable(panel, params) & at_the_money & wanted

    rule = ExitRule(params.target, params.stop, max_hold_minutes=params.max_hold_minutes)
    return Orders.single(panel, mask, rule=rule)


def one_row_earlier(values: FloatArray) -> FloatArray:
    """Return what was known before each row: NaN on the first, where nothing was."""
    earlier = np.full(len(values), np.nan)
    earlier[1:] = values[:-1]
    return earlier
