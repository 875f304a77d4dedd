"""Where the money is: the nearest live expiry, the strikes around its forward, their volatility.

A contract, a strike and an expiry count from the first row that quotes them: what appears later in
the day does not exist before, so a row says the same whether the panel ends there or at the close.
"""

from __future__ import annotations

import datetime as dt
import math

import numpy as np

from optiq.market.asked_once import asked_once
from optiq.market.compiling import compiled
from optiq.market.contracts import expiry_close_utc
from optiq.market.panel import Panel
from optiq.market.parity import ABSENT, StrikePairs, strike_pairs
from optiq.market.schema import BoolArray, FloatArray, IntArray, TimeArray


@asked_once
def nearest_expiry(panel: Panel, min_life_minutes: float) -> IntArray:
    """Return per row the index of the first live expiry in ``panel.expiries``, -1 without one.

    An expiry counts from the first row that quotes it, so that a chain which appears later in the
    day does not exist before.
    """
    left = expiry_close_utc(panel.expiries, panel.underlying)[None, :] - panel.ts[:, None]
    alive = left >= np.timedelta64(round(60e6 * min_life_minutes), "us")
    alive &= np.arange(panel.n_rows)[:, None] >= first_row_of_expiry(panel)
    if not alive.size:  # a morning without a quote yet
        return np.full(panel.n_rows, -1)
    return np.where(alive.any(axis=1), alive.argmax(axis=1), -1)


@asked_once
def first_row_of_expiry(panel: Panel) -> IntArray:
    """Return (n_expiries,) the first row that quotes each expiry; n_rows where none does."""
    first = np.full(len(panel.expiries), panel.n_rows)
    np.minimum.at(first, panel.expiry_index, panel.first_row)
    return first


def first_rows(panel: Panel) -> IntArray:
    """Return (n_contracts,) the first chain row that quotes each contract; n_rows if none does."""
    book = (panel.bid, panel.ask) if panel.has_book else (panel.ltp, panel.ltp)
    rows: IntArray = _first_rows(panel.ltp, *book, panel.is_chain)
    return rows


@compiled
def _first_rows(ltp: FloatArray, bid: FloatArray, ask: FloatArray, is_chain: BoolArray) -> IntArray:
    n_rows, n_contracts = ltp.shape
    first = np.full(n_contracts, n_rows)
    for c in range(n_contracts):
        for r in range(n_rows):
            unquoted = math.isnan(ltp[r, c]) and math.isnan(bid[r, c]) and math.isnan(ask[r, c])
            if is_chain[r] and not unquoted:
                first[c] = r
                break
    return first


@asked_once
def strikes_from_the_money(panel: Panel, min_life_minutes: float) -> FloatArray:
    """Return (n_rows, n_contracts): how many strikes above (+) or below (-) the money each lies.

    In the nearest live expiry only, NaN elsewhere; 0 is the strike nearest the forward (the lower
    of two). Strikes count from the first row that quotes one of their sides.
    """
    return steps_of_expiry(panel, nearest_expiry(panel, min_life_minutes))


def steps_of_expiry(panel: Panel, expiry: IntArray, from_row: int = 0) -> FloatArray:
    """Return `strikes_from_the_money` where ``expiry`` (n_rows,) says which; -1 is none.

    Rows before ``from_row`` stay NaN.
    """
    steps = np.full((panel.n_rows, panel.n_contracts), np.nan)
    for k in np.unique(expiry[from_row:]):
        if k >= 0:
            columns = np.flatnonzero(panel.expiry_index == k)
            rows = from_row + np.flatnonzero(expiry[from_row:] == k)
            strikes, of_strike = np.unique(panel.strike[columns], return_inverse=True)
            first = np.full(len(strikes), panel.n_rows)
            np.minimum.at(first, of_strike, panel.first_row[columns])
            forward = panel.forward_by_expiry[:, k]
            _count_steps(steps, rows, columns, strikes, of_strike, first, forward)
    return steps


@compiled
def _count_steps(
    steps: FloatArray,
    rows: IntArray,
    columns: IntArray,
    strikes: FloatArray,
    of_strike: IntArray,
    first: IntArray,
    forward: FloatArray,
) -> None:
    """Write one expiry's steps: a strike's rank among those seen by the row, less the money's."""
    rank = np.empty(len(strikes))
    for row in rows:
        seen, nearest, money = 0.0, math.inf, math.nan
        for strike in range(len(strikes)):
            rank[strike] = math.nan
            if first[strike] <= row:
                seen += 1.0
                rank[strike] = seen
                distance = abs(strikes[strike] - forward[row])
                if distance < nearest:
                    nearest, money = distance, seen
        for place in range(len(columns)):
            steps[row, columns[place]] = rank[of_strike[place]] - money


@compiled
def atm_iv_by_expiry(
    iv: FloatArray, pairs: StrikePairs, first: IntArray, level: FloatArray
) -> FloatArray:
    """Return the volatility at the money of each expiry, (n_rows, n_expiries); NaN where unknown.

    The mean over the contracts at the strike nearest ``level`` (n_rows, n_expiries), in rupees,
    among those whose volatility is known in the row; over both strikes where two are as near.
    ``iv`` is (n_contracts, n_rows); ``first`` (n_contracts,) the row from which each exists.
    """
    total = np.zeros(level.shape)
    count = np.zeros(level.shape)
    nearest = np.full(level.shape, math.inf)
    for pair in range(len(pairs.strike)):
        expiry = pairs.expiry[pair]
        for column in (pairs.call[pair], pairs.put[pair]):
            if column != ABSENT:
                for row in range(first[column], iv.shape[1]):
                    distance = abs(pairs.strike[pair] - level[row, expiry])
                    if math.isfinite(iv[column, row]) and distance <= nearest[row, expiry]:
                        if distance < nearest[row, expiry]:
                            total[row, expiry], count[row, expiry] = 0.0, 0.0
                            nearest[row, expiry] = distance
                        total[row, expiry] += iv[column, row]
                        count[row, expiry] += 1.0
    return total / count


def lasting_expiry(known: BoolArray, expiries: TimeArray, date: dt.date) -> IntArray:
    """Return per row the index of the expiry whose volatility is worth remembering; -1 without.

    ``known`` is (n_rows, n_expiries). The nearest after ``date`` that is known, else the nearest:
    an expiry in its last minutes has no volatility that compares with another day's.
    """
    later = known & (expiries > np.datetime64(date))
    usable = np.where(later.any(axis=1, keepdims=True), later, known)
    if not usable.size:  # a morning without a quote yet
        return np.full(len(known), -1)
    return np.where(usable.any(axis=1), usable.argmax(axis=1), -1)


def lasting_iv(panel: Panel) -> FloatArray:
    """Return (n_rows,) what `Context.atm_iv` remembers of a day's last row, of every row."""
    iv = np.ascontiguousarray(panel.iv.T, np.float64)
    return lasting_iv_at(panel.spot, iv, panel.expiry, panel.strike, panel.right, panel.date)


def lasting_iv_at(
    level: FloatArray,
    iv: FloatArray,
    expiry: TimeArray,
    strike: FloatArray,
    right: IntArray,
    date: dt.date,
) -> FloatArray:
    """Return (n_rows,) the volatility nearest ``level`` of the expiry worth remembering.

    ``level`` (n_rows,) in rupees; ``iv`` (n_contracts, n_rows) as fractions; NaN where unknown.
    """
    pairs, expiries = strike_pairs(expiry, strike, right), np.unique(expiry)
    levels = np.repeat(level[:, None], len(expiries), axis=1)
    by_expiry = atm_iv_by_expiry(iv, pairs, np.zeros(len(iv), np.int64), levels)
    chosen = lasting_expiry(np.isfinite(by_expiry), expiries, date)
    or_none = np.append(by_expiry, np.full((len(level), 1), np.nan), axis=1)  # what -1 points at
    at_the_money: FloatArray = or_none[np.arange(len(level)), chosen]
    return at_the_money
