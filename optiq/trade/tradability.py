"""Which contracts are worth looking at on which row: shared by every strategy."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numba import njit

from optiq.market.contracts import expiry_close_utc
from optiq.market.panel import Panel
from optiq.market.schema import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class Tradable:
    """What a contract needs to be traded; every strategy's parameters start with these.

    Attributes
    ----------
    band
        Farthest strike from spot, as a fraction of spot.
    min_premium
        The last price must be above this, rupees.
    max_spread
        Widest book, as a fraction of its middle; asked where the source has a book.
    min_life_minutes
        Least time to the expiry's close.
    """

    band: float = 0.05
    min_premium: float = 50.0
    max_spread: float = 0.05
    min_life_minutes: float = 60.0


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


def first_row_of_expiry(panel: Panel) -> IntArray:
    """Return (n_expiries,) the first row that quotes each expiry; n_rows where none does."""
    first = np.full(len(panel.expiries), panel.n_rows)
    np.minimum.at(first, panel.expiry_index, first_row(panel))
    return first


def first_row(panel: Panel) -> IntArray:
    """Return (n_contracts,) the first row that quotes each contract; n_rows where none does."""
    book = (panel.bid, panel.ask) if panel.has_book else (panel.ltp, panel.ltp)
    rows: IntArray = _first_rows(panel.ltp, *book)
    return rows


@njit(cache=True)
def _first_rows(ltp: FloatArray, bid: FloatArray, ask: FloatArray) -> IntArray:
    n_rows, n_contracts = ltp.shape
    first = np.full(n_contracts, n_rows)
    for c in range(n_contracts):
        for r in range(n_rows):
            if not (math.isnan(ltp[r, c]) and math.isnan(bid[r, c]) and math.isnan(ask[r, c])):
                first[c] = r
                break
    return first


def in_band(panel: Panel, band: float) -> BoolArray:
    """Return (n_rows, n_contracts): strike within ``band`` of spot, as a fraction of it."""
    spot = panel.spot[:, None]
    near: BoolArray = np.abs(panel.strike[None, :] - spot) <= band * spot
    return near


def tradable(panel: Panel, params: Tradable) -> BoolArray:
    """Return (n_rows, n_contracts): a live, near, dear enough contract with a fair book.

    Chain rows only. One pass over the day, as every strategy starts here.
    """
    book = (panel.bid, panel.ask) if panel.has_book else (panel.ltp, panel.ltp)
    mask: BoolArray = _tradable(
        panel.ltp,
        *book,
        panel.spot,
        panel.strike,
        panel.expiry_index,
        np.where(panel.is_chain, nearest_expiry(panel, params.min_life_minutes), -1),
        (params.band, params.min_premium, params.max_spread if panel.has_book else math.inf),
    )
    return mask


@njit(cache=True, error_model="numpy")
def _tradable(
    ltp: FloatArray,
    bid: FloatArray,
    ask: FloatArray,
    spot: FloatArray,
    strike: FloatArray,
    expiry_index: IntArray,
    nearest: IntArray,
    thresholds: tuple[float, float, float],
) -> BoolArray:
    band, min_premium, max_spread = thresholds
    n_rows, n_contracts = ltp.shape
    mask = np.zeros((n_contracts, n_rows), np.bool_)
    for c in range(n_contracts):
        for r in range(n_rows):
            spread, middle = ask[r, c] - bid[r, c], 0.5 * (ask[r, c] + bid[r, c])
            mask[c, r] = (
                (nearest[r] == expiry_index[c])
                & (abs(strike[c] - spot[r]) <= band * spot[r])
                & (ltp[r, c] > min_premium)
                & (spread >= 0.0)
                & (spread <= max_spread * middle)
            )
    return mask.T


def strikes_from_the_money(panel: Panel, min_life_minutes: float) -> FloatArray:
    """Return (n_rows, n_contracts): how many strikes above (+) or below (-) the money each lies.

    In the nearest live expiry only, NaN elsewhere; 0 is the strike nearest the forward (the lower
    of two). Strikes count from the first row that quotes one of their sides.
    """
    nearest = nearest_expiry(panel, min_life_minutes)
    steps = np.full((panel.n_rows, panel.n_contracts), np.nan)
    for k in np.unique(nearest[nearest >= 0]):
        columns = np.flatnonzero(panel.expiry_index == k)
        rows = np.flatnonzero(nearest == k)
        steps[np.ix_(rows, columns)] = _steps(panel, columns, int(k))[rows]
    return steps


def _steps(panel: Panel, columns: IntArray, expiry: int) -> FloatArray:
    """Return (n_rows, len(columns)) for one expiry: rank among seen strikes less the money's."""
    strikes, of_strike = np.unique(panel.strike[columns], return_inverse=True)
    first = np.full(len(strikes), panel.n_rows)
    np.minimum.at(first, of_strike, first_row(panel)[columns])
    seen = np.arange(panel.n_rows)[:, None] >= first
    forward = panel.forward_by_expiry[:, expiry]
    known = ~np.isnan(forward) & seen.any(axis=1)
    distance = np.where(seen, np.abs(strikes - forward[:, None]), np.inf)
    rank = np.cumsum(seen, axis=1).astype(np.float64)
    money = rank[np.arange(panel.n_rows), distance.argmin(axis=1)]
    steps = np.where(seen & known[:, None], rank - money[:, None], np.nan)
    return steps[:, of_strike]
