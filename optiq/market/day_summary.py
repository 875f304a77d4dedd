"""What a manifest says about a day's quotes."""

from __future__ import annotations

import datetime as dt

import numpy as np

from optiq.market.day_arrays import Columns, Grid, grid_of, n_quotes, take
from optiq.market.manifest import DayManifest, SpotRecord
from optiq.market.moneyness import lasting_iv_at
from optiq.market.paisa import to_paisa
from optiq.market.parity import forwards, strike_pairs
from optiq.market.schema import AnyArray


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
        has_book=_has_book(columns),
        content_id="",
        close=close,
        atm_iv=atm_iv,
        spot=spot,
    )


def utc_text(moment: AnyArray) -> str:
    """Return a moment as ISO text with its zone."""
    return f"{np.datetime_as_string(moment, unit='s')}+00:00"


def _has_book(columns: Columns) -> bool:
    sides = (columns[side] for side in ("bid", "ask") if side in columns)
    return any(bool(np.isfinite(side).any()) for side in sides)


def _last_level(
    grid: Grid, columns: Columns, date: dt.date, spot: SpotRecord
) -> tuple[float | None, float | None]:
    """Return the underlying's level and the at-the-money volatility of the last chain row."""
    last = take(columns, np.flatnonzero(grid.row == _last_chain_row(grid, columns)))
    level = _feed_level(last) if spot.trusted else None
    if level is None:
        level = _parity_level(last, has_book=_has_book(columns))
    if level is None or "iv" not in columns:
        return level, None
    return level, _atm_iv(last, level, date)


def _last_chain_row(grid: Grid, columns: Columns) -> int:
    flags = columns.get("is_chain")
    rows = grid.row if flags is None else grid.row[flags.astype(np.bool_)]
    return int(rows.max()) if len(rows) else len(grid.ts) - 1


def _feed_level(quotes: Columns) -> float | None:
    if "spot" not in quotes:
        return None
    quoted = quotes["spot"][np.isfinite(quotes["spot"])]
    return round(float(quoted[-1]), 2) if len(quoted) else None


def _parity_level(quotes: Columns, *, has_book: bool) -> float | None:
    """Return the nearest expiry's parity forward among the quotes of one moment."""
    pairs = strike_pairs(quotes["expiry"], quotes["strike"].astype(np.float64), quotes["right"])
    last = to_paisa(quotes["ltp"])[:, None]
    bid, ask = (
        to_paisa(quotes[side])[:, None] if side in quotes else np.full(last.shape, np.nan)
        for side in ("bid", "ask")
    )
    forward = forwards(last, bid, ask, has_book, pairs, len(np.unique(quotes["expiry"])))
    level = float(forward[0, 0])
    return round(level, 2) if np.isfinite(level) else None


def _atm_iv(quotes: Columns, level: float, date: dt.date) -> float | None:
    """Return the volatility at the money of the expiry that is worth remembering."""
    contracts = (
        quotes["expiry"].astype("datetime64[D]"),
        quotes["strike"].astype(np.float64),
        quotes["right"],
    )
    iv = quotes["iv"].astype(np.float64)[:, None]
    at_the_money = float(lasting_iv_at(np.array([level]), iv, *contracts, date)[0])
    return at_the_money if np.isfinite(at_the_money) else None
