"""A chain around 26,000 whose prices and deltas follow from the strike, for hands to compute.

Strikes 25,500 to 26,500, 50 apart, calls first. Time value 60 less a tenth of the distance to
26,000; deltas fall by 0.05 a strike from 0.5 and -0.5 at the money, so that the call of 26,300
and the put of 25,700 have 0.20.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from panels import DATE, panel

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.trade.orders import Orders

STRIKES = np.arange(25_500.0, 26_501.0, 50.0)
STRIKE = np.tile(STRIKES, 2)
RIGHT = np.repeat([1, -1], len(STRIKES))
AWAY = STRIKE - 26_000.0
LTP = np.maximum(-RIGHT * AWAY, 0.0) + 60.0 - 0.1 * np.abs(AWAY)
DELTA = 0.5 * RIGHT - AWAY / 1000.0


def chain(minutes: list[float], **changes: object) -> Panel:
    """The same quotes in every row, a percent either side; fields may be exchanged."""
    ltp = np.asarray(changes.pop("ltp", LTP))
    quotes = {"bid": 0.99 * ltp, "ask": 1.01 * ltp, "delta": DELTA, **changes}
    return panel(minutes, STRIKE.tolist(), RIGHT.tolist(), ltp, **quotes)


def column(name: str) -> int:
    """The column of a contract such as ``26300CE``."""
    strike, right = float(name[:-2]), {"CE": 1, "PE": -1}[name[-2:]]
    return int(np.flatnonzero((strike == STRIKE) & (right == RIGHT))[0])


def unquoted(day: Panel, *cells: tuple[int, str]) -> Panel:
    """The day without any quote in some cells."""
    fields = {name: values.copy() for name, values in day.fields.items()}
    for row, name in cells:
        for values in fields.values():
            values[row, column(name)] = np.nan
    return replace(day, fields=fields)


def spoken(day: Panel, orders: Orders) -> list[tuple[int, str]]:
    """Orders as people say them: (row, "+26000CE +26000PE")."""

    def leg(side: int, c: int) -> str:
        return f"{side:+d}"[0] + f"{day.strike[c]:g}{'CE' if day.right[c] > 0 else 'PE'}"

    return [
        (int(row), " ".join(leg(s, c) for s, c in zip(side, legs, strict=True) if c >= 0))
        for row, side, legs in zip(orders.row, orders.side, orders.legs, strict=True)
    ]


def remembering(*atm_iv: float) -> Context:
    """A context of past sessions with these volatilities at the money, oldest first."""
    sessions = np.datetime64(DATE) - np.arange(len(atm_iv), 0, -1)
    return Context(sessions, np.full(len(atm_iv), 26_000.0), np.array(atm_iv))
