"""Black's model one option at a time: for the prices that the vectorised loop cannot settle.

These lie in the far wings and near the upper bound. ``moneyness`` is |log(F/K)|, ``deviation``
volatility * sqrt(years); prices are normalised by sqrt(F * K).
"""

from __future__ import annotations

import math

from optiq.market.black76_functions import polynomial_erfcx
from optiq.market.compiling import compiled

ROOT_HALF = math.sqrt(0.5)
ONE_BY_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)
DAYS_PER_YEAR = 365.0
MAX_STEPS = 200
RELATIVE_END = 4e-16
IMPOSSIBLE = (math.nan, math.nan, math.nan, math.nan, math.nan)

Five = tuple[float, float, float, float, float]


@compiled
def log_value(moneyness: float, deviation: float) -> float:
    """Return the logarithm of the normalised out-of-the-money price."""
    h, t = moneyness / deviation, 0.5 * deviation
    near, far = (h - t) * ROOT_HALF, (h + t) * ROOT_HALF
    if near >= -1.0:
        difference = polynomial_erfcx(near) - polynomial_erfcx(far)
        return math.log(0.5 * difference) - 0.5 * (h * h + t * t)
    half = math.exp(0.5 * moneyness)
    return math.log(0.5 * (math.erfc(near) / half - math.erfc(far) * half))


@compiled
def log_gap(moneyness: float, deviation: float) -> float:
    """Return the logarithm of what the normalised price lacks to its upper bound."""
    h, t = moneyness / deviation, 0.5 * deviation
    half = math.exp(0.5 * moneyness)
    gap = math.erfc((t - h) * ROOT_HALF) / half + math.erfc((t + h) * ROOT_HALF) * half
    return math.log(0.5 * gap)


@compiled
def deviation_slowly(moneyness: float, value: float, gap: float) -> float:
    """Return the deviation of a normalised price by Newton's steps within a bracket.

    ``gap`` is what the price lacks to its bound; the smaller of the two is fitted. Both are
    concave in log(deviation), so the steps need the bracket only at first.
    """
    by_gap = gap < value
    target = math.log(gap if by_gap else value)
    sign = -1.0 if by_gap else 1.0
    low, high = 0.0, math.inf
    deviation = math.sqrt(2.0 * moneyness) + 0.1
    for _ in range(MAX_STEPS):
        model = log_gap(moneyness, deviation) if by_gap else log_value(moneyness, deviation)
        error = sign * (model - target)
        if error > 0.0:
            high = deviation
        else:  # also where the price underflows
            low = deviation
        h, t = moneyness / deviation, 0.5 * deviation
        slope = deviation * ONE_BY_ROOT_TWO_PI * math.exp(-0.5 * (h * h + t * t) - model)
        following = deviation * math.exp(-error / slope)
        if not low < following < high:
            following = 2.0 * deviation if high == math.inf else 0.5 * (low + high)
        if abs(following - deviation) <= RELATIVE_END * deviation:
            return following
        deviation = following
    return deviation


@compiled
def greeks_slowly(forward: float, strike: float, years: float, deviation: float) -> Five:
    """Return volatility, the call's delta, gamma, theta and vega."""
    d1 = math.log(forward / strike) / deviation + 0.5 * deviation
    density = forward * ONE_BY_ROOT_TWO_PI * math.exp(-0.5 * d1 * d1)
    return (
        deviation / math.sqrt(years),
        0.5 * math.erfc(-d1 * ROOT_HALF),
        density / (forward * forward * deviation),
        -density * deviation / (2.0 * DAYS_PER_YEAR * years),
        density * math.sqrt(years),
    )


@compiled
def solve_slowly(price: float, forward: float, strike: float, years: float) -> Five:
    """Return volatility and Greeks of the out-of-the-money price; NaN for the impossible."""
    lower = min(forward, strike)
    finite = max(forward, strike) < math.inf and years < math.inf
    if not (finite and years > 0.0 and 0.0 < price < lower):
        return IMPOSSIBLE
    root = math.sqrt(forward) * math.sqrt(strike)
    moneyness = abs(math.log(forward / strike))
    deviation = deviation_slowly(moneyness, price / root, (lower - price) / root)
    return greeks_slowly(forward, strike, years, deviation)
