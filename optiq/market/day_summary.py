"""What a manifest says about a day's quotes."""

from __future__ import annotations

import datetime as dt

import numpy as np

from optiq.market.day_arrays import Columns, Grid, grid_of, n_quotes
from optiq.market.manifest import DayManifest, SpotRecord
from optiq.market.schema import AnyArray, FloatArray, TimeArray


def summarise(underlying: str, date: dt.date, columns: Columns, spot: SpotRecord) -> DayManifest:
    """Count a day's sorted columns; sources, notes and content id are the caller's."""
    grid = grid_of(columns)
    close, atm_iv = _last_level(grid, columns, date, spot)
    return DayManifest(
        underlying=underlying,
        date=date,
        rows=n_quotes(columns),
        snapshots=len(grid.ts),
        contracts=len(grid.strike),
        strikes=len(np.unique(grid.strike)),
        expiries=tuple(str(day) for day in np.unique(grid.expiry)),
        first=utc_text(grid.ts[0]),
        last=utc_text(grid.ts[-1]),
        has_book=any(_has_any(columns, side) for side in ("bid", "ask")),
        content_id="",
        close=close,
        atm_iv=atm_iv,
        spot=spot,
    )


def utc_text(moment: AnyArray) -> str:
    """Return a moment as ISO text with its zone."""
    return f"{np.datetime_as_string(moment, unit='s')}+00:00"


def _has_any(columns: Columns, name: str) -> bool:
    return name in columns and bool(np.isfinite(columns[name]).any())


def _last_level(
    grid: Grid, columns: Columns, date: dt.date, spot: SpotRecord
) -> tuple[float | None, float | None]:
    """Return the underlying's level and the at-the-money volatility of the last chain row."""
    last = _last_chain_row(grid, columns)
    chosen = np.flatnonzero(grid.row == last)
    expiry = columns["expiry"][chosen].astype("datetime64[D]")
    strike = columns["strike"][chosen].astype(np.float64)
    level = _feed_level(columns, chosen) if spot.trusted else None
    if level is None:
        level = _parity_level(expiry, strike, columns["right"][chosen], _mid(columns, chosen))
    if level is None or "iv" not in columns:
        return level, None
    return level, _atm_iv(expiry, strike, columns["iv"][chosen], level, date)


def _last_chain_row(grid: Grid, columns: Columns) -> int:
    flags = columns.get("is_chain")
    rows = grid.row if flags is None else grid.row[flags.astype(np.bool_)]
    return int(rows.max()) if len(rows) else len(grid.ts) - 1


def _feed_level(columns: Columns, chosen: AnyArray) -> float | None:
    if "spot" not in columns:
        return None
    quoted = columns["spot"][chosen]
    quoted = quoted[np.isfinite(quoted)]
    return round(float(quoted[-1]), 2) if len(quoted) else None


def _mid(columns: Columns, chosen: AnyArray) -> FloatArray:
    ltp = columns["ltp"][chosen].astype(np.float64)
    if not (_has_any(columns, "bid") and _has_any(columns, "ask")):
        return ltp
    mid = (columns["bid"][chosen].astype(np.float64) + columns["ask"][chosen]) / 2
    return np.where(np.isfinite(mid), mid, ltp)


def _parity_level(
    expiry: TimeArray, strike: FloatArray, right: AnyArray, price: FloatArray
) -> float | None:
    """Return the median of K + C - P over the five strikes of the nearest expiry nearest parity."""
    near = (expiry == expiry.min()) & np.isfinite(price)
    calls, puts = near & (right > 0), near & (right < 0)
    _, call, put = np.intersect1d(strike[calls], strike[puts], return_indices=True)
    if not len(call):
        return None
    gap = price[calls][call] - price[puts][put]
    nearest = np.argsort(np.abs(gap), kind="stable")[:5]
    return round(float(np.median((strike[calls][call] + gap)[nearest])), 2)


def _atm_iv(
    expiry: TimeArray, strike: FloatArray, iv: AnyArray, level: float, date: dt.date
) -> float | None:
    """Return the volatility nearest the money of the nearest expiry after today, else of today's.

    An expiry in its last minutes has no volatility worth remembering.
    """
    known = np.isfinite(iv)
    later = known & (expiry > np.datetime64(date))
    usable = later if later.any() else known
    if not usable.any():
        return None
    near = usable & (expiry == expiry[usable].min())
    distance = np.abs(strike[near] - level)
    return float(np.mean(iv[near][distance == distance.min()], dtype=np.float64))
