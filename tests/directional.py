"""What the tests of the directional strategies share: a chain by hand, and what is bought on it."""

from __future__ import annotations

import numpy as np
import pytest
from panels import panel as small_panel

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.trade.orders import Orders
from optiq.trade.strategies import built_in, oi_buildup, pcr_reversal, vwap_deviation

NAMES = ("vwap_deviation", "oi_buildup", "pcr_reversal")
PARAMS = {
    "vwap_deviation": vwap_deviation.Params,
    "oi_buildup": oi_buildup.Params,
    "pcr_reversal": pcr_reversal.Params,
}
each = pytest.mark.parametrize("name", NAMES)
NAN = np.nan
ATM = 26_000.0
STRIKES = [ATM + 50.0 * step for step in range(-12, 13)]
"""Each has a call and a put, calls first, all worth enough to be traded."""


def orders(name: str, panel: Panel, **params: object) -> Orders:
    return built_in(name, PARAMS[name](**params)).entries(panel, Context())


def bought(panel: Panel, said: Orders) -> list[tuple[int, str, float]]:
    """Row, what was bought, and strength to a hundredth."""
    right = {1: "CE", -1: "PE"}
    return [
        (int(row), f"{panel.strike[leg]:.0f} {right[int(panel.right[leg])]}", round(strength, 2))
        for row, leg, strength in zip(
            said.row, said.legs[:, 0], said.strength.tolist(), strict=True
        )
    ]


def chain(minutes: list[float], spot: float | list[float] = ATM, **fields: object) -> Panel:
    """A chain whose forward is 26,000 on every row; fields broadcast to (rows, 50)."""
    strikes, rights = np.array(STRIKES * 2), np.repeat([1, -1], len(STRIKES))
    ltp = 100.0 + np.maximum(rights * (ATM - strikes), 0.0)
    return small_panel(minutes, strikes.tolist(), rights.tolist(), ltp, spot=spot, **fields)
