"""What a package with sold legs binds: SPAN's scan, exposure and the line of expiry day.

An approximation. The exchanges publish the method and its ranges, in margin.csv by date; their
risk files carry prices and volatilities of their own, and brokers add to them as they like.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from optiq.market import tables
from optiq.market.black76 import time_values
from optiq.market.compiling import compiled
from optiq.market.schema import BoolArray, FloatArray, IntArray
from optiq.trade.charges import is_about

THIRDS = np.array([0, 0, 0, 1, 1, -1, -1, 2, 2, -2, -2, 3, 3, -3, -3, 0, 0]) / 3.0
"""How far the price moves in each scenario, in price scan ranges; the first is now."""
EXTREMES = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, -1])
"""The last two move by ``extreme_multiple`` ranges instead, and only a share of them counts."""
UP_OR_DOWN = np.array([0, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 0, 0])
"""Where the volatility goes meanwhile."""
LEAST_VOLATILITY = 0.01


class MarginRates(NamedTuple):
    """The ranges in force on one day, all of them fractions.

    Attributes
    ----------
    price_scan
        Of the forward: the largest ordinary move, up and down.
    volatility_scan, volatility_scan_min
        Of the volatility, and the least of it in volatility itself (0.04 is 4 points).
    extreme_multiple, extreme_cover
        Price scan ranges of an extreme move, and the share of its loss that counts.
    exposure, expiry_day
        Of the spot for each unit sold; the second for units that expire that very day.
    """

    price_scan: float
    volatility_scan: float
    volatility_scan_min: float
    extreme_multiple: float
    extreme_cover: float
    exposure: float
    expiry_day: float


class Margin(NamedTuple):
    """What a package binds and why, in rupees.

    Attributes
    ----------
    scan
        The largest loss of the sixteen scenarios, at least 0.
    width
        The largest loss at expiry, premiums left out; infinite where nothing bounds it.
    net_premium
        What the legs cost together; negative where they bring money.
    exposure, expiry_day
        Shares of the notional of the sold legs.
    total
        max(min(scan, width), net_premium, 0) + exposure + expiry_day.
    """

    scan: float
    width: float
    net_premium: float
    exposure: float
    expiry_day: float
    total: float


@cache
def margin_rates(underlying: str, on: dt.date) -> MarginRates:
    """Return the ranges in force; `RuleError` where one has no row for that day."""
    rows = margin_rows(underlying, on)
    return MarginRates(*(float(rows[name]["value"]) for name in MarginRates._fields))


def margin_rows(underlying: str, on: dt.date) -> dict[str, tables.Row]:
    """Return the row of margin.csv in force for each range, by its name."""
    known = _rows_of(underlying)
    return {
        name: tables.in_force(known[name], on, "margin", f"{name} of {underlying}")
        for name in MarginRates._fields
    }


@cache
def _rows_of(underlying: str) -> Mapping[str, tuple[tables.Row, ...]]:
    ours = [row for row in tables.rows("margin", "optiq.trade") if is_about(row, underlying)]
    return {
        name: tuple(row for row in ours if row["parameter"] == name) for name in MarginRates._fields
    }


@compiled
def package_margin(
    side: IntArray,
    quantity: IntArray,
    strike: FloatArray,
    right: IntArray,
    years: FloatArray,
    forward: FloatArray,
    volatility: FloatArray,
    price: FloatArray,
    same_expiry: bool,
    expires_today: BoolArray,
    spot: float,
    rates: MarginRates,
) -> Margin:
    """Return what a package binds; the arrays have one value a leg, (k,).

    ``side`` is +1 bought or -1 sold, ``quantity`` in units, ``right`` +1 call or -1 put, ``years``
    as in `pricing.years_to_expiry`, ``price`` in rupees a unit. With a sold leg everything is NaN
    where any of these or the spot is, or is negative. Bought legs alone bind the premium:
    ``total`` says it, the other parts are 0 (the width infinite), and only prices are needed.
    """
    cost, sold, expiring = 0.0, 0.0, 0.0
    known = spot > 0.0
    for k in range(len(side)):
        cost += side[k] * quantity[k] * price[k]
        known = known and strike[k] > 0.0 and forward[k] > 0.0
        known = known and volatility[k] >= 0.0 and years[k] >= 0.0
        if side[k] < 0:
            sold += quantity[k]
            expiring += quantity[k] if expires_today[k] else 0.0
    if sold == 0.0:
        return Margin(0.0, math.inf, 0.0, 0.0, 0.0, cost)
    if not known or math.isnan(cost):
        return Margin(math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)
    scan = scan_loss(side, quantity, strike, right, years, forward, volatility, rates)
    width = width_loss(side, quantity, strike, right, same_expiry)
    exposure = rates.exposure * spot * sold
    expiry_day = rates.expiry_day * spot * expiring
    total = max(min(scan, width), cost, 0.0) + exposure + expiry_day
    return Margin(scan, width, cost, exposure, expiry_day, total)


@compiled
def scan_loss(
    side: IntArray,
    quantity: IntArray,
    strike: FloatArray,
    right: IntArray,
    years: FloatArray,
    forward: FloatArray,
    volatility: FloatArray,
    rates: MarginRates,
) -> float:
    """Return the largest loss of the sixteen scenarios, in rupees, at least 0.

    Today's value is the model's as well, and no time passes: only prices and volatilities move.
    """
    levels, volatilities = scenarios(forward, volatility, rates)
    n, legs = levels.shape
    strikes, times = np.empty((n, legs)), np.empty((n, legs))
    for scenario in range(n):  # spelt out: broadcasting takes 3 s longer to compile
        for k in range(legs):
            strikes[scenario, k], times[scenario, k] = strike[k], years[k]
    values = time_values(levels.ravel(), strikes.ravel(), times.ravel(), volatilities.ravel())
    now, worst = 0.0, 0.0
    for scenario in range(n):
        worth = 0.0
        for k in range(legs):
            intrinsic = max(right[k] * (levels[scenario, k] - strike[k]), 0.0)
            worth += side[k] * quantity[k] * (values[scenario * legs + k] + intrinsic)
        if scenario == 0:
            now = worth
        cover = 1.0 if EXTREMES[scenario] == 0 else rates.extreme_cover
        worst = max(worst, cover * (now - worth))
    return worst


@compiled
def scenarios(
    forward: FloatArray, volatility: FloatArray, rates: MarginRates
) -> tuple[FloatArray, FloatArray]:
    """Return forwards and volatilities as (17, k): now, and in the sixteen scenarios."""
    levels = np.empty((len(THIRDS), len(forward)))
    volatilities = np.empty_like(levels)
    for scenario in range(len(THIRDS)):
        ranges = THIRDS[scenario] + EXTREMES[scenario] * rates.extreme_multiple
        for k in range(len(forward)):
            levels[scenario, k] = forward[k] * (1.0 + ranges * rates.price_scan)
            moved = volatility[k]
            if UP_OR_DOWN[scenario] != 0:
                step = max(rates.volatility_scan * volatility[k], rates.volatility_scan_min)
                moved = max(volatility[k] + UP_OR_DOWN[scenario] * step, LEAST_VOLATILITY)
            volatilities[scenario, k] = moved
    return levels, volatilities


@compiled
def width_loss(
    side: IntArray, quantity: IntArray, strike: FloatArray, right: IntArray, same_expiry: bool
) -> float:
    """Return the largest loss at expiry of the intrinsic values alone, in rupees, at least 0.

    It lies at a level of 0 or at a strike; infinite where more calls are sold than bought, or
    where the legs do not expire together.
    """
    calls = 0
    for k in range(len(side)):
        calls += side[k] * quantity[k] if right[k] > 0 else 0
    if calls < 0 or not same_expiry:
        return math.inf
    worst = 0.0
    for corner in range(-1, len(strike)):
        level = 0.0 if corner < 0 else strike[corner]
        worth = 0.0
        for k in range(len(side)):
            worth += side[k] * quantity[k] * max(right[k] * (level - strike[k]), 0.0)
        worst = max(worst, -worth)
    return worst
