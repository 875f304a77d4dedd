"""Features of the underlying through the session: returns, realised volatility, its levels.

The underlying is the parity forward of the nearest live expiry. Where that expiry changes within
the day, a row compares its own expiry's forwards, so that no carry is taken for a move.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np

from optiq.market.context import Context
from optiq.market.feature_day import FeatureDay, Values, value_at
from optiq.market.schema import BoolArray, FloatArray, IntArray

OPENING_MINUTES = 15.0
TRADING_MINUTES_PER_YEAR = 252.0 * 375.0
"""Of realised volatility: nights pass without a trade and are not in it."""
FEWEST_RETURNS = 2
OLDEST_CLOSE_DAYS = 7
"""A close from before the longest run of holidays says nothing of last night."""


@dataclass(frozen=True, slots=True)
class Underlying:
    """One expiry's forward over the session's chain rows, all (n_rows,).

    ``minute`` is the IST minute of the day, ``traded`` the units that changed hands since the row
    before.
    """

    minute: FloatArray
    forward: FloatArray
    traded: IntArray
    opening: BoolArray

    @property
    def known(self) -> BoolArray:
        """Where there is a forward."""
        return np.isfinite(self.forward)


def session_features(day: FeatureDay) -> Values:
    """Return the features of the underlying's path, (n_rows,) each."""
    names = (
        *("return_5m", "return_15m", "return_60m", "overnight_gap", "realised_vol_session"),
        *("realised_vol_30m", "vwap_distance", "opening_range_position"),
    )
    values = {name: np.full(day.panel.n_rows, np.nan) for name in names}
    traded = day.panel.units_traded
    opening = day.panel.minute <= day.panel.open_minute + OPENING_MINUTES
    for expiry in np.unique(day.near[day.start :]):
        if expiry >= 0:
            forward = day.forward[:, expiry]
            path = Underlying(day.panel.minute, forward, traded, opening)
            rows = day.near == expiry
            for name, found in _path_features(day, path).items():
                values[name][rows] = found[rows]
    return values


def _path_features(day: FeatureDay, path: Underlying) -> Values:
    every = np.arange(len(path.forward))
    return {
        **{f"return_{w}m": change(path.forward, every, day.back(w)) for w in (5, 15, 60)},
        "overnight_gap": overnight_gap(path, day.context, day.panel.date),
        "realised_vol_session": realised_volatility(path, None),
        "realised_vol_30m": realised_volatility(path, day.back(30)),
        "vwap_distance": path.forward / volume_weighted(path) - 1.0,
        "opening_range_position": opening_range_position(path, day.panel.open_minute),
    }


def change(values: FloatArray, row: IntArray, before: IntArray) -> FloatArray:
    """Return ``values[row] / values[before] - 1``; NaN where there is no row before."""
    return values[row] / _at(values, before) - 1.0


def _at(values: FloatArray, row: IntArray) -> FloatArray:
    return value_at(values[:, None], row, np.zeros(len(row), np.int64))


def overnight_gap(path: Underlying, context: Context, date: dt.date) -> FloatArray:
    """Return the first forward over the last session's close, less 1, from that row on."""
    gap = np.full(len(path.forward), np.nan)
    first = np.flatnonzero(path.known & path.opening)[:1]
    if len(first) and len(context.closes):
        age = np.datetime64(date) - context.sessions[-1]
        if age <= np.timedelta64(OLDEST_CLOSE_DAYS, "D"):
            gap[first[0] :] = path.forward[first[0]] / context.closes[-1] - 1.0
    return gap


def realised_volatility(path: Underlying, since: IntArray | None) -> FloatArray:
    """Return the root of summed squared returns over the time they took, annualised.

    From the first forward of the session, or from row ``since`` (n_rows,). NaN on fewer than
    `FEWEST_RETURNS` and where either end has no forward.
    """
    rows = np.flatnonzero(path.known)
    moved = path.forward[rows[1:]] / path.forward[rows[:-1]] - 1.0
    squares = np.concatenate([[0.0], np.cumsum(moved**2)])  # one after the other: order is time
    place = np.full(len(path.forward), -1)
    place[rows] = np.arange(len(rows))
    start = np.where(path.known, 0, -1) if since is None else np.where(since >= 0, place[since], -1)
    enough = (start >= 0) & (place - start >= FEWEST_RETURNS)
    here, there = place[enough], start[enough]
    took = path.minute[rows[here]] - path.minute[rows[there]]
    volatility = np.full(len(path.forward), np.nan)
    variance = (squares[here] - squares[there]) / took
    volatility[enough] = np.sqrt(variance * TRADING_MINUTES_PER_YEAR)
    return volatility


def volume_weighted(path: Underlying) -> FloatArray:
    """Return the session's mean forward so far, weighed by what was traded; NaN before a trade."""
    weight = np.where(path.known, path.traded, 0)
    total = np.cumsum(weight)
    value = np.cumsum(np.where(path.known, path.forward, 0.0) * weight)
    return np.where(total > 0, value / np.maximum(total, 1), np.nan)


def opening_range_position(path: Underlying, open_minute: float) -> FloatArray:
    """Return where the forward lies in the range of the first minutes, once that is complete."""
    opening = path.forward[path.known & path.opening]
    complete = path.minute >= open_minute + OPENING_MINUTES
    if not len(opening) or opening.max() <= opening.min():
        return np.full(len(path.forward), np.nan)
    position = (path.forward - opening.min()) / (opening.max() - opening.min())
    return np.where(complete, position, np.nan)
