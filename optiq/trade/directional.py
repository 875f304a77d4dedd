"""Bets on a direction: buy the option at the money, as strongly as the signal is beyond its bar."""

from __future__ import annotations

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.panel import Panel
from optiq.market.schema import BoolArray, FloatArray, IntArray
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.tradability import Tradable, tradable


def buy_at_the_money(
    panel: Panel,
    params: Tradable,
    steps: FloatArray,
    direction: FloatArray,
    strength: FloatArray,
    rule: ExitRule,
) -> Orders:
    """Buy the call at the money where ``direction`` is +1, the put where it is -1; 0 is neither.

    ``direction`` and ``strength`` are (n_rows,); ``steps`` is `strikes_from_the_money`. Where the
    option is not tradable there is no order: no other strike takes its place.
    """
    mask = at_the_money(tradable(panel, params), steps, panel.right, direction)
    return Orders.single(
        panel, mask, strength=np.broadcast_to(strength[:, None], mask.shape), rule=rule
    )


@compiled
def at_the_money(
    among: BoolArray, steps: FloatArray, right: IntArray, direction: FloatArray
) -> BoolArray:
    """Return (n_rows, n_contracts): which of those ``among`` is the one that a direction buys."""
    n_rows, n_contracts = steps.shape
    bought = np.zeros((n_contracts, n_rows), np.bool_)
    for contract in range(n_contracts):
        for row in range(n_rows):
            bought[contract, row] = (
                among[row, contract]
                and steps[row, contract] == 0.0
                and right[contract] == direction[row]
            )
    return bought.T


def strength_beyond(size: FloatArray | float, bar: FloatArray | float) -> FloatArray:
    """Return 100 * (1 - bar / size), within 0 to 100: 0 at the bar, 50 at twice, 75 at four times.

    NaN where either is.

    >>> strength_beyond(np.array([2.0, 4.0, 8.0, 1.0]), 2.0)
    array([ 0., 50., 75.,  0.])
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        strength: FloatArray = np.clip(100.0 * (1.0 - np.divide(bar, size)), 0.0, 100.0)
    return strength
