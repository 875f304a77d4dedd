"""Black's model for options on a forward: prices, implied volatilities and Greeks.

Everything is undiscounted. Prices are in rupees per unit, times in years of 525,600 minutes,
volatilities annualised fractions. Of two options at one strike the one out of the money is solved
for, normalised by the geometric mean of forward and strike; ``moneyness`` is |log(F/K)| and
``deviation`` volatility * sqrt(years), as in P. Jäckel, "Let's Be Rational" (Wilmott, 2015).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike

from optiq.market.black76_functions import (
    LOWEST_EXPONENT,
    erfcx_above,
    erfcx_below,
    multiply_add,
    polynomial,
    polynomial_erfcx,
    polynomial_exp,
    polynomial_log,
    polynomial_log_ratio,
)
from optiq.market.black76_slow import greeks_slowly, log_value, solve_slowly
from optiq.market.compiling import compiled
from optiq.market.schema import FloatArray

ROOT_HALF = math.sqrt(0.5)
ROOT_TWO_BY_PI = math.sqrt(2.0 / math.pi)
ROOT_HALF_PI = math.sqrt(0.5 * math.pi)
ONE_BY_ROOT_TWO_PI = 1.0 / math.sqrt(2.0 * math.pi)
THETA_SCALE = -1.0 / (2.0 * 365.0)

LANES = 256
"""Options solved in one pass; their inputs and results then stay in the first cache."""
VECTOR = 8
"""Numbers in the widest vector."""
N_VALUES = 9
"""Values of a lane: price, forward, strike, years; volatility, delta, gamma, theta, vega."""
FORWARD, STRIKE, YEARS, VOLATILITY, DELTA, GAMMA, THETA, VEGA = (
    np.uint64(value * LANES) for value in range(1, N_VALUES)
)
LAST_STEP = 1e-4
"""A last step of the fourth order relatively under this leaves an error under 1e-15."""
FAST_SHARE = 0.6
"""Prices above this share of their upper bound say more by what is missing to the bound."""
NEARLY_AT_THE_MONEY = 1e-4

# The normal model's deviation by its straddle, after J. Choi, K. Kim, M. Kwak (2009),
# "Numerical approximation of the implied volatility under arithmetic Brownian motion",
# refitted for |log(F/K)| up to 30 deviations: within 4e-4.
normal_above = polynomial(
    0.3999956822148671, 2.4834876608145056, 51.0356312109997, 121.06932318244132
)
normal_below = polynomial(1.0, 3.889322988795521, 124.93743207010733, 45.21589253562109)


class Greeks(NamedTuple):
    """Sensitivities of options, per unit.

    ``delta`` and ``gamma`` per rupee of the forward, ``theta`` in rupees per calendar day
    (negative for a bought option), ``vega`` per 1.00 of volatility.
    """

    delta: FloatArray
    gamma: FloatArray
    theta: FloatArray
    vega: FloatArray


@njit(cache=True, error_model="numpy", forceinline=True)
def normal_guess(moneyness: float, value: float) -> float:
    """Return the deviation that gives a normalised price under the normal model."""
    floor = NEARLY_AT_THE_MONEY * value
    distance = moneyness if moneyness > floor else floor
    straddle = value + value + distance
    eta = (distance + distance) / (straddle * polynomial_log(1.0 + distance / value))
    return ROOT_HALF_PI * straddle * math.sqrt(eta) * (normal_above(eta) / normal_below(eta))


@njit(cache=True, error_model="numpy", forceinline=True)
def householder_step(moneyness: float, half_by_value: float, deviation: float) -> float:
    """Return the step of fourth order that brings log(model) nearer to log(value).

    The model's price is exp(-(h**2 + t**2) / 2) / 2 * (erfcx((h - t) / sqrt 2) -
    erfcx((h + t) / sqrt 2)) with h = moneyness / deviation, t = deviation / 2: neither its
    logarithm nor the derivatives of that need an exponential.
    """
    by_deviation = 1.0 / deviation
    h = moneyness * by_deviation
    t = 0.5 * deviation
    near = multiply_add(h - t, ROOT_HALF, 1.0)
    far = multiply_add(h + t, ROOT_HALF, 1.0)
    below_near = erfcx_below(near)
    below_far = erfcx_below(far)
    above = erfcx_above(near) * below_far - erfcx_above(far) * below_near
    below = below_near * below_far
    by_both = 1.0 / (above * below)
    difference = above * above * by_both
    slope = ROOT_TWO_BY_PI * below * below * by_both
    excess = polynomial_log(difference * half_by_value) - 0.5 * (h * h + t * t)
    newton = -excess * ROOT_HALF_PI * difference
    h2 = h * h * by_deviation
    bend = h2 - 0.25 * deviation
    second = bend - slope
    third = second * (second - slope) - 3.0 * h2 * by_deviation - 0.25
    above_step = multiply_add(0.5 * newton, second, 1.0)
    below_step = multiply_add(newton, multiply_add(newton * (1.0 / 6.0), third, second), 1.0)
    step: float = newton * above_step / below_step
    return step


@compiled
def solve_lanes(work: FloatArray, n: int) -> None:
    """Fill volatility and Greeks of the first ``n`` lanes of ``work``, (N_VALUES * LANES,).

    Prices are those of the out-of-the-money side, deltas the call's. NaN for a price outside
    (0, min(F, K)) and for what is not a finite positive forward, strike or time.
    """
    padded = -(-n // VECTOR) * VECTOR  # the loop for what no vector holds costs as much as all
    work[n:padded] = np.nan
    for i in range(padded):
        lane = np.uint64(i)  # unsigned, or numba would test each index for counting from the end
        price, forward = work[lane], work[lane + FORWARD]
        strike, years = work[lane + STRIKE], work[lane + YEARS]
        by_root = 1.0 / math.sqrt(forward * strike)
        value = price * by_root
        moneyness = abs(polynomial_log_ratio(forward, strike, forward / strike))
        half_by_value = 0.5 / value
        deviation = normal_guess(moneyness, value)
        deviation += householder_step(moneyness, half_by_value, deviation)
        step = householder_step(moneyness, half_by_value, deviation)
        deviation += step

        by_deviation = 1.0 / deviation
        h = moneyness * by_deviation
        t = 0.5 * deviation
        bell = polynomial_exp(-0.5 * (h * h + t * t))
        z = h - t if strike >= forward else h + t
        out_delta = 0.5 * polynomial_erfcx(z * ROOT_HALF) * bell * strike * by_root
        in_delta = 1.0 - out_delta
        density = ONE_BY_ROOT_TWO_PI * bell * (forward * strike) * by_root
        by_root_years = 1.0 / math.sqrt(years)

        bound = FAST_SHARE * min(forward, strike)
        usable = (abs(step) <= LAST_STEP * deviation) & (price <= bound)
        usable = usable & (price > 0.0) & (years > 0.0) & (years < np.inf)
        unit = 1.0 if usable else np.nan
        work[lane + VOLATILITY] = unit * deviation * by_root_years
        work[lane + DELTA] = unit * (out_delta if strike >= forward else in_delta)
        work[lane + GAMMA] = unit * density * by_deviation / (forward * forward)
        work[lane + THETA] = (
            unit * density * deviation * (by_root_years * by_root_years) * THETA_SCALE
        )
        work[lane + VEGA] = unit * density * (years * by_root_years)
    for i in range(n):
        lane = np.uint64(i)
        if math.isnan(work[lane + VOLATILITY]) and work[lane] > 0.0:
            solved = solve_slowly(
                work[lane], work[lane + FORWARD], work[lane + STRIKE], work[lane + YEARS]
            )
            for value in range(5):
                work[4 * LANES + value * LANES + i] = solved[value]


@compiled
def solve_all(
    price: FloatArray,
    forward: FloatArray,
    strike: FloatArray,
    years: FloatArray,
    solved: FloatArray,
) -> None:
    """Fill ``solved``, (5, n), with volatility and the call's Greeks; the rest is flat, (n,).

    Prices are those of the out-of-the-money side.
    """
    n = len(price)
    work = np.empty(N_VALUES * LANES)
    for start in range(0, n, LANES):
        count = min(LANES, n - start)
        for i in range(count):
            work[i] = price[start + i]
            work[LANES + i] = forward[start + i]
            work[2 * LANES + i] = strike[start + i]
            work[3 * LANES + i] = years[start + i]
        solve_lanes(work, count)
        for value in range(5):
            for i in range(count):
                solved[value, start + i] = work[(4 + value) * LANES + i]


@compiled
def time_values(
    forward: FloatArray, strike: FloatArray, years: FloatArray, volatility: FloatArray
) -> FloatArray:
    """Return the price of the out-of-the-money side; all are flat, of one length."""
    n = len(forward)
    result = np.empty(n)
    for i in range(n):
        lane = np.uint64(i)
        level, kept = forward[lane], strike[lane]
        deviation = volatility[lane] * math.sqrt(years[lane])
        h = abs(polynomial_log_ratio(level, kept, level / kept)) / deviation
        t = 0.5 * deviation
        exponent = -0.5 * (h * h + t * t)
        near = polynomial_erfcx((h - t) * ROOT_HALF)
        far = polynomial_erfcx((h + t) * ROOT_HALF)
        value = 0.5 * math.sqrt(level * kept) * polynomial_exp(exponent) * (near - far)
        value = value if exponent > LOWEST_EXPONENT else 0.0  # also where no time is left
        value = value if (h - t) * ROOT_HALF >= -1.0 else -1.0
        value = 0.0 if deviation == 0.0 else value
        result[lane] = value if (level > 0.0) & (kept > 0.0) & (deviation >= 0.0) else np.nan
    for i in range(n):
        if result[i] < 0.0:
            deviation = volatility[i] * math.sqrt(years[i])
            moneyness = abs(math.log(forward[i] / strike[i]))
            root = math.sqrt(forward[i]) * math.sqrt(strike[i])
            result[i] = root * math.exp(log_value(moneyness, deviation))
    return result


@compiled
def call_greeks(
    forward: FloatArray, strike: FloatArray, years: FloatArray, volatility: FloatArray
) -> FloatArray:
    """Return the call's delta, gamma, theta and vega of flat arrays, (4, n)."""
    greeks = np.full((4, len(forward)), np.nan)
    for i in range(len(forward)):
        deviation = volatility[i] * math.sqrt(years[i])
        if forward[i] > 0.0 and strike[i] > 0.0 and deviation > 0.0:
            solved = greeks_slowly(forward[i], strike[i], years[i], deviation)
            for value in range(4):
                greeks[value, i] = solved[value + 1]
    return greeks


def black76_price(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike, right: ArrayLike
) -> FloatArray:
    """Return undiscounted prices in rupees; the arguments broadcast, ``right`` is +1 or -1.

    The intrinsic value without time or volatility; NaN for what is negative or missing.

    A call on a future, discounted to the 1.7011 of E. Haug, "The Complete Guide to Option Pricing
    Formulas" (1998), pages 2 to 8, and two futures options of its page 24.

    >>> call = black76_price(19.0, 19.0, 0.75, 0.28, 1)
    >>> round(float(call) * math.exp(-0.10 * 0.75), 4)
    1.7011
    >>> calls = black76_price(np.array([90.0, 110.0]), 100.0, 0.1, 0.15, 1)
    >>> (calls * math.exp(-0.10 * 0.1)).round(4)
    array([0.0205, 9.9413])
    """
    shape, flat = flattened(forward, strike, years, volatility, right)
    priced: FloatArray = time_values(*flat[:4]) + np.fmax(flat[4] * (flat[0] - flat[1]), 0.0)
    return priced.reshape(shape)


def implied_volatility(
    price: ArrayLike, forward: ArrayLike, strike: ArrayLike, years: ArrayLike, right: ArrayLike
) -> FloatArray:
    """Return the volatility at which `black76_price` gives ``price``; the arguments broadcast.

    NaN where none does: a price at or under the intrinsic value, at or over its upper bound (the
    forward for a call, the strike for a put), no time left.

    >>> implied_volatility(0.5, 100.0, np.array([101.0, 98.0]), 7 / 365, 1).round(4)
    array([0.1647,    nan])
    """
    shape, flat = flattened(price, forward, strike, years, right)
    intrinsic = np.fmax(flat[4] * (flat[1] - flat[2]), 0.0)
    solved = np.empty((5, len(intrinsic)))
    solve_all(flat[0] - intrinsic, flat[1], flat[2], flat[3], solved)
    volatility: FloatArray = solved[0].reshape(shape)
    return volatility


def black76_greeks(
    forward: ArrayLike, strike: ArrayLike, years: ArrayLike, volatility: ArrayLike, right: ArrayLike
) -> Greeks:
    """Return the Greeks at known volatilities; the arguments broadcast.

    NaN where no time or volatility is left.

    >>> greeks = black76_greeks(26000.0, 26000.0, 7 / 365, 0.12, np.array([1, -1]))
    >>> greeks.delta.round(3), greeks.theta.round(2)
    (array([ 0.503, -0.497]), array([-12.31, -12.31]))
    """
    shape, flat = flattened(forward, strike, years, volatility, right)
    delta, gamma, theta, vega = call_greeks(*flat[:4])
    delta = np.where(flat[4] > 0.0, delta, delta - 1.0)
    return Greeks(*(greek.reshape(shape) for greek in (delta, gamma, theta, vega)))


def flattened(*arrays: ArrayLike) -> tuple[tuple[int, ...], list[FloatArray]]:
    """Return the common shape of arrays and each as a flat float array of that many numbers."""
    wide = np.broadcast_arrays(*(np.asarray(array, np.float64) for array in arrays))
    return wide[0].shape, [np.array(array, order="C").ravel() for array in wide]
