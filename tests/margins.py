"""Packages for tests of the margin: legs in words, priced by the model."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st

from optiq.market.black76 import black76_price
from optiq.trade.margin import Margin, MarginRates, margin_rates, package_margin

RATES = margin_rates("NIFTY", dt.date(2025, 7, 9))
LOT = 75
NAN = float("nan")


class Leg(NamedTuple):
    """A leg; ``right`` +1 or -1, ``days`` to its expiry; without a price it has the model's."""

    side: int
    strike: float
    right: int
    quantity: int = LOT
    days: float = 7.0
    forward: float = 24_000.0
    iv: float = 0.12
    price: float | None = None
    dies_today: bool = False


def model_price(leg: Leg) -> float:
    return float(black76_price(leg.forward, leg.strike, leg.days / 365, leg.iv, leg.right))


def margin(*legs: Leg, spot: float = 24_000.0, rates: MarginRates = RATES) -> Margin:
    """What the legs bind."""
    prices = [model_price(leg) if leg.price is None else leg.price for leg in legs]
    return package_margin(
        np.array([leg.side for leg in legs]),
        np.array([leg.quantity for leg in legs]),
        np.array([leg.strike for leg in legs], float),
        np.array([leg.right for leg in legs]),
        np.array([leg.days / 365 for leg in legs], float),
        np.array([leg.forward for leg in legs], float),
        np.array([leg.iv for leg in legs], float),
        np.array(prices, float),
        len({leg.days for leg in legs}) == 1,
        np.array([leg.dies_today for leg in legs]),
        spot,
        rates,
    )


@st.composite
def verticals(draw: st.DrawFn) -> tuple[Leg, Leg]:
    """A sold option and one of its right bought further out, within what strategies trade."""
    right = draw(st.sampled_from((1, -1)))
    strike = 50.0 * draw(st.integers(456, 504))  # 5 % around 24,000
    steps = draw(st.integers(1, 20))
    quantity = LOT * draw(st.integers(1, 40))
    days = draw(st.floats(0.05, 35.0))
    iv = draw(st.floats(0.08, 0.40))
    sold = Leg(-1, strike, right, quantity, days, iv=iv)
    return sold, sold._replace(side=1, strike=strike + right * 50.0 * steps)


@st.composite
def packages(draw: st.DrawFn) -> list[Leg]:
    """One to four legs of any kind, of one expiry or two."""
    days = draw(st.floats(0.05, 35.0))
    legs = []
    for _ in range(draw(st.integers(1, 4))):
        legs.append(
            Leg(
                side=draw(st.sampled_from((1, -1))),
                strike=50.0 * draw(st.integers(432, 528)),
                right=draw(st.sampled_from((1, -1))),
                quantity=LOT * draw(st.integers(1, 40)),
                days=days + draw(st.sampled_from((0.0, 0.0, 7.0))),
                iv=draw(st.floats(0.06, 0.60)),
                dies_today=days < 0.26,
            )
        )
    return legs
