"""Which contracts are worth looking at on which row: shared by every strategy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
    alive &= seen_by_expiry(panel)
    return np.where(alive.any(axis=1), alive.argmax(axis=1), -1)


def seen_by_expiry(panel: Panel) -> BoolArray:
    """Return (n_rows, n_expiries): whether the expiry was quoted at or before the row."""
    quoted = np.zeros((panel.n_rows, len(panel.expiries)), bool)
    for k in range(len(panel.expiries)):
        quoted[:, k] = panel.observed[:, panel.expiry_index == k].any(axis=1)
    return np.logical_or.accumulate(quoted, axis=0)


def in_band(panel: Panel, band: float) -> BoolArray:
    """Return (n_rows, n_contracts): strike within ``band`` of spot, as a fraction of it."""
    spot = panel.spot[:, None]
    near: BoolArray = np.abs(panel.strike[None, :] - spot) <= band * spot
    return near


def tradable(panel: Panel, params: Tradable) -> BoolArray:
    """Return (n_rows, n_contracts): a live, near, dear enough contract with a fair book."""
    nearest = nearest_expiry(panel, params.min_life_minutes)
    mask: BoolArray = panel.expiry_index[None, :] == nearest[:, None]
    mask &= in_band(panel, params.band)
    mask &= panel.ltp > params.min_premium
    if panel.has_book:
        spread, middle = panel.ask - panel.bid, 0.5 * (panel.ask + panel.bid)
        mask &= (spread >= 0) & (spread <= params.max_spread * middle)
    mask &= panel.is_chain[:, None]
    return mask


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
    quoted = np.zeros((panel.n_rows, len(strikes)), bool)
    for k in range(len(strikes)):
        quoted[:, k] = panel.observed[:, columns[of_strike == k]].any(axis=1)
    seen = np.logical_or.accumulate(quoted, axis=0)
    forward = panel.forward_by_expiry[:, expiry]
    known = ~np.isnan(forward) & seen.any(axis=1)
    distance = np.where(seen, np.abs(strikes - forward[:, None]), np.inf)
    rank = np.cumsum(seen, axis=1).astype(np.float64)
    money = rank[np.arange(panel.n_rows), distance.argmin(axis=1)]
    steps = np.where(seen & known[:, None], rank - money[:, None], np.nan)
    return steps[:, of_strike]
