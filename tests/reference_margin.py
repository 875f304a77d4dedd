"""What a package with sold legs binds, slowly and from the text: floats in rupees."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass

from reference_settings import MarginRates
from scipy.special import ndtr

LEAST_VOLATILITY = 0.01
THIRDS = (0.0, 1 / 3, -1 / 3, 2 / 3, -2 / 3, 1.0, -1.0)


@dataclass(frozen=True)
class MarginLeg:
    """A leg at one moment; ``quantity`` in units, ``years`` to its expiry; NaN is unknown."""

    side: int
    quantity: int
    right: int
    strike: float
    expiry: dt.date
    price: float
    forward: float
    iv: float
    years: float


def margin(legs: list[MarginLeg], spot: float, today: dt.date, rates: MarginRates) -> float:
    """Return the rupees bound; NaN where a price, a forward, a volatility or the spot lacks."""
    needed = [spot, *(x for g in legs for x in (g.price, g.forward, g.iv, g.years))]
    if any(math.isnan(x) for x in needed):
        return math.nan
    risk = max(min(scan(legs, rates), width(legs)), net_premium(legs), 0.0)
    return risk + exposure(legs, spot, rates) + expiry_day(legs, spot, today, rates)


def scan(legs: list[MarginLeg], rates: MarginRates) -> float:
    """Return the largest loss of the sixteen scenarios; negative where all of them gain."""
    losses = []
    for third in THIRDS:
        for direction in (+1, -1):
            move = third * rates.price_scan
            losses.append(loss(legs, move, direction, rates))
    for direction in (+1, -1):
        move = direction * rates.extreme_multiple * rates.price_scan
        losses.append(rates.extreme_cover * loss(legs, move, 0, rates))
    return max(losses)


def loss(legs: list[MarginLeg], move: float, direction: int, rates: MarginRates) -> float:
    """Return what the package loses when the forwards and the volatilities move at once."""
    total = 0.0
    for leg in legs:
        volatility = leg.iv
        if direction:
            shift = max(leg.iv * rates.volatility_scan, rates.volatility_scan_min)
            volatility = max(leg.iv + direction * shift, LEAST_VOLATILITY)
        now = black(leg.forward, leg.strike, leg.right, leg.iv, leg.years)
        then = black(leg.forward * (1 + move), leg.strike, leg.right, volatility, leg.years)
        total -= leg.side * leg.quantity * (then - now)
    return total


def black(forward: float, strike: float, right: int, volatility: float, years: float) -> float:
    """Return Black's undiscounted value per unit."""
    deviation = volatility * math.sqrt(years)
    d1 = math.log(forward / strike) / deviation + deviation / 2
    d2 = d1 - deviation
    return right * (forward * float(ndtr(right * d1)) - strike * float(ndtr(right * d2)))


def width(legs: list[MarginLeg]) -> float:
    """Return the largest loss at expiry, premiums left out; infinite where nothing bounds it."""
    calls = sum(leg.side * leg.quantity for leg in legs if leg.right > 0)
    if calls < 0 or len({leg.expiry for leg in legs}) > 1:
        return math.inf
    worst = min(at_expiry(legs, level) for level in [0.0, *(leg.strike for leg in legs)])
    return max(-worst, 0.0)


def at_expiry(legs: list[MarginLeg], level: float) -> float:
    return sum(g.side * g.quantity * max(g.right * (level - g.strike), 0.0) for g in legs)


def net_premium(legs: list[MarginLeg]) -> float:
    return sum(leg.side * leg.quantity * leg.price for leg in legs)


def exposure(legs: list[MarginLeg], spot: float, rates: MarginRates) -> float:
    return rates.exposure * spot * sum(leg.quantity for leg in legs if leg.side < 0)


def expiry_day(legs: list[MarginLeg], spot: float, today: dt.date, rates: MarginRates) -> float:
    dying = sum(leg.quantity for leg in legs if leg.side < 0 and leg.expiry == today)
    return rates.expiry_day * spot * dying
