"""Buy the option at the money in the direction the index has moved over the last minutes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq import Context, ExitRule, Orders, Panel
from optiq.trade.tradability import Tradable, strikes_from_the_money, tradable


@dataclass(frozen=True, slots=True)
class Params(Tradable):
    """``lookback_rows`` back, a move of at least ``move`` (0.001 is 0.1 %); exits as fractions."""

    lookback_rows: int = 15
    move: float = 0.0015
    target: float = 0.20
    stop: float = 0.15
    max_hold_minutes: float = 20.0


def entries(panel: Panel, context: Context, params: Params) -> Orders:
    """Buy the call after a rise, the put after a fall."""
    moved = np.full(panel.n_rows, np.nan)
    back = params.lookback_rows
    moved[back:] = panel.spot[back:] / panel.spot[:-back] - 1.0
    at_the_money = strikes_from_the_money(panel, params.min_life_minutes) == 0
    with_the_move = moved[:, None] * panel.right >= params.move
    rule = ExitRule(params.target, params.stop, max_hold_minutes=params.max_hold_minutes)
    return Orders.single(panel, tradable(panel, params) & at_the_money & with_the_move, rule=rule)
