"""Features of the nearest expiry's chain in a row: its smile, its open interest, its gamma.

Sums of quantities are whole numbers; sums of floats go up the strikes that are quoted in the row.
Either way they are the same bits whatever contracts appear later, and wherever their columns lie.
"""

from __future__ import annotations

import math

import numpy as np

from optiq.market.compiling import compiled
from optiq.market.context import Context
from optiq.market.counts import NOT_A_COUNT, growth_near, units, units_near
from optiq.market.feature_day import FeatureDay, Values, value_at
from optiq.market.moneyness import first_row_of_expiry, lasting_expiry
from optiq.market.parity import ABSENT, StrikePairs
from optiq.market.schema import CE, FloatArray, IntArray

WING_DELTA = 0.25
RATIO_REACH = 10
"""Strikes either side of the money in the put-call ratios."""
FLOW_REACH = 5
"""Strikes either side of the money in the flows of open interest."""
RANK_DAYS = 365
FEWEST_SESSIONS = 20
"""A rank among fewer sessions says little."""


def chain_features(day: FeatureDay) -> Values:
    """Return the features of the chain on the tail, (n_tail,) each."""
    return {**_volatility(day), **_activity(day), **_positions(day)}


def _volatility(day: FeatureDay) -> Values:
    near = day.near[day.tail :]
    chosen = lasting_expiry(np.isfinite(day.atm_iv), day.panel.expiries, day.panel.date)
    chosen = np.where(near >= 0, chosen, -1)
    atm_iv = day.per_tail_row(day.atm_iv, chosen)
    near_iv = day.per_tail_row(day.atm_iv, near)
    put, call = _wings(day)
    return {
        "atm_iv": atm_iv,
        "atm_iv_change_15m": atm_iv - value_at(day.atm_iv, day.back_in_tail(15), chosen),
        "iv_rank": iv_rank(atm_iv, day.context, np.datetime64(day.panel.date)),
        "skew_25d": put - call,
        "smile_curvature": 0.5 * (put + call) - near_iv,
        "term_slope": day.per_tail_row(day.atm_iv, _next_expiry(day)) - near_iv,
    }


def iv_rank(atm_iv: FloatArray, context: Context, date: np.datetime64) -> FloatArray:
    """Return where ``atm_iv`` lies between the past sessions' lowest (0) and highest (1)."""
    recent = context.sessions >= date - np.timedelta64(RANK_DAYS, "D")
    past = context.atm_iv[recent & np.isfinite(context.atm_iv)]
    if len(past) < FEWEST_SESSIONS or past.max() <= past.min():
        return np.full(len(atm_iv), np.nan)
    rank: FloatArray = (atm_iv - past.min()) / (past.max() - past.min())
    return rank


def _next_expiry(day: FeatureDay) -> IntArray:
    """Return (n_tail,) the first expiry after the nearest that has been quoted; -1 without."""
    near = day.near[day.tail :]
    expiries = np.arange(len(day.panel.expiries))
    quoted = np.arange(day.tail, day.panel.n_rows)[:, None] >= first_row_of_expiry(day.panel)
    later = quoted & (expiries > near[:, None]) & (near >= 0)[:, None]
    if not later.size:
        return np.full(len(near), -1)
    return np.where(later.any(axis=1), later.argmax(axis=1), -1)


def _wings(day: FeatureDay) -> tuple[FloatArray, FloatArray]:
    """Return the volatility of the put and of the call at `WING_DELTA`, (n_tail,) each."""
    pairs, near = day.pairs, day.near[day.tail :]
    iv, delta = day.cells("iv"), day.cells("delta")
    outside_in = (pairs.put, pairs.expiry), (pairs.call[::-1].copy(), pairs.expiry[::-1].copy())
    put, call = (
        wing_iv(iv, delta, columns, expiry, day.first_in_tail, near)
        for columns, expiry in outside_in
    )
    return put, call


@compiled
def wing_iv(
    iv: FloatArray,
    delta: FloatArray,
    columns: IntArray,
    expiry: IntArray,
    first: IntArray,
    near: IntArray,
) -> FloatArray:
    """Return (n_rows,) the volatility at `WING_DELTA` on one side of the money.

    ``columns`` go from the outermost strike inwards, ``expiry`` is that of each. Along the last
    step in which the delta passes `WING_DELTA`, linearly; NaN where none does.
    """
    wing = np.full(len(near), math.nan)
    last_delta, last_iv = wing.copy(), wing.copy()
    for place in range(len(columns)):
        column = columns[place]
        if column != ABSENT:
            for row in range(first[column], len(near)):
                inwards, level = abs(delta[column, row]), iv[column, row]
                known = math.isfinite(inwards) and math.isfinite(level)
                if known and near[row] == expiry[place]:
                    if last_delta[row] <= WING_DELTA < inwards:
                        share = (WING_DELTA - last_delta[row]) / (inwards - last_delta[row])
                        wing[row] = last_iv[row] + share * (level - last_iv[row])
                    last_delta[row], last_iv[row] = inwards, level
    return wing


def _activity(day: FeatureDay) -> Values:
    """Return what calls and puts near the money hold and trade."""
    side = np.where(day.panel.right == CE, 0, 1)
    oi, volume = day.cells("oi"), day.cells("volume")
    back = day.back_in_tail(15)
    held = units_near(oi, side, day.first_in_tail, day.steps, RATIO_REACH)
    traded = units_near(volume, side, day.first_in_tail, day.steps, RATIO_REACH)
    grown, base = growth_near(oi, side, day.first_in_tail, day.steps, back, FLOW_REACH)
    return {
        "oi_put_call_ratio": _ratio(held[1], held[0]),
        "volume_put_call_ratio": _ratio(traded[1], traded[0]),
        "call_oi_flow_15m": np.where(base[0] > 0, grown[0] / np.maximum(base[0], 1), np.nan),
        "put_oi_flow_15m": np.where(base[1] > 0, grown[1] / np.maximum(base[1], 1), np.nan),
    }


def _ratio(puts: IntArray, calls: IntArray) -> FloatArray:
    known = (puts != NOT_A_COUNT) & (calls > 0)
    return np.where(known, puts / np.maximum(calls, 1), np.nan)


def _positions(day: FeatureDay) -> Values:
    """Return what the open interest of the whole nearest expiry pulls towards."""
    near, first = day.near[day.tail :], day.first_in_tail
    forward = day.per_tail_row(day.forward[day.tail :], near)
    pain = max_pain(day.cells("oi"), day.pairs, first, near)
    net, held = net_gamma(day.cells("gamma"), day.cells("oi"), day.pairs, first, near)
    return {
        "max_pain_distance": pain / forward - 1.0,
        "gamma_exposure": np.where(held > 0, forward / 100.0 * net / np.maximum(held, 1), np.nan),
    }


@compiled
def max_pain(oi: FloatArray, pairs: StrikePairs, first: IntArray, near: IntArray) -> FloatArray:
    """Return (n_rows,) the strike at which all options together pay out least; NaN without oi.

    From one strike to the next the payout of the calls below grows by their units and that of the
    puts above shrinks by theirs; so it is least at the first strike from which it shrinks no more.
    """
    n_rows = oi.shape[1]
    calls, puts = np.zeros(n_rows, np.int64), np.zeros(n_rows, np.int64)
    for pair in range(len(pairs.strike)):
        for column, total in ((pairs.call[pair], calls), (pairs.put[pair], puts)):
            if column != ABSENT:
                for row in range(first[column], n_rows):
                    if near[row] == pairs.expiry[pair]:
                        total[row] += max(units(oi[column, row]), 0)
    strike = np.full(n_rows, math.nan)
    below, above = np.zeros(n_rows, np.int64), puts.copy()
    for pair in range(len(pairs.strike)):
        for column, total, sign in ((pairs.call[pair], below, 1), (pairs.put[pair], above, -1)):
            if column != ABSENT:
                for row in range(first[column], n_rows):
                    if near[row] == pairs.expiry[pair]:
                        total[row] += sign * max(units(oi[column, row]), 0)
        for row in range(n_rows):
            is_known = near[row] == pairs.expiry[pair] and calls[row] > 0 and puts[row] > 0
            if is_known and math.isnan(strike[row]) and below[row] >= above[row]:
                strike[row] = pairs.strike[pair]
    return strike


@compiled
def net_gamma(
    gamma: FloatArray, oi: FloatArray, pairs: StrikePairs, first: IntArray, near: IntArray
) -> tuple[FloatArray, IntArray]:
    """Return gamma times units, calls less puts, and the units with a gamma, (n_rows,) each."""
    n_rows = oi.shape[1]
    net, held = np.zeros(n_rows), np.zeros(n_rows, np.int64)
    for pair in range(len(pairs.strike)):
        for column, sign in ((pairs.call[pair], 1.0), (pairs.put[pair], -1.0)):
            if column != ABSENT:
                for row in range(first[column], n_rows):
                    count = units(oi[column, row])
                    known = math.isfinite(gamma[column, row]) and count != NOT_A_COUNT
                    if known and near[row] == pairs.expiry[pair]:
                        net[row] += sign * (gamma[column, row] * count)
                        held[row] += count
    return net, held
