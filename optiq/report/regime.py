"""The market a trade was entered in: how much the index moved in the hour before, and which way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optiq.market.schema import FloatArray, IntArray, TimeArray
from optiq.report.grouping import Group, grouped
from optiq.report.positions import Positions
from optiq.report.spot_paths import SpotPath

HOUR = np.timedelta64(60, "m")
SHORTEST = np.timedelta64(15, "m")
"""With less of the session to look back on, a regime is not told."""
MOVES = ("quiet", "medium", "wild")
WAYS = ("falling", "rising", "unchanged")
UNKNOWN = "not known"
LABELS = (*(f"{move}, {way}" for move in MOVES for way in WAYS), UNKNOWN)


@dataclass(frozen=True, slots=True)
class Regimes:
    """Trades by regime; ``low`` and ``high`` are the terciles of an hour's volatility.

    Fractions of the spot (0.002 is 0.2 %), NaN where no trade has a known regime.
    """

    groups: list[Group]
    low: float
    high: float
    known: int


def by_regime(positions: Positions, paths: Mapping[dt.date, SpotPath]) -> Regimes:
    """Group trades by tercile of realised volatility and sign of the last hour's return.

    Both look back only from a trade's entry. The terciles are those of the trades themselves.
    """
    volatility, rise = np.full((2, len(positions)), np.nan)
    for date, path in paths.items():
        of_day = positions.day == np.datetime64(date)
        volatility[of_day], rise[of_day] = hour_before(path, positions.entry[of_day])
    known = ~np.isnan(volatility)
    low, high = np.quantile(volatility[known], [1 / 3, 2 / 3]) if known.any() else (np.nan, np.nan)
    return Regimes(
        groups=grouped(positions, LABELS, _codes(volatility, rise, low, high)),
        low=float(low),
        high=float(high),
        known=int(known.sum()),
    )


def hour_before(path: SpotPath, moments: TimeArray) -> tuple[FloatArray, FloatArray]:
    """Return the realised volatility of the hour before each moment, and its log return, (n,) each.

    Volatility is the root of the sum of squared log returns, scaled to a full hour; where the
    session is younger than an hour both look back to its first snapshot, and are NaN where that
    is under `SHORTEST` ago.
    """
    if not len(path.ts):
        return np.full(len(moments), np.nan), np.full(len(moments), np.nan)
    level = np.log(path.level)
    squares = np.cumsum(np.append(0.0, np.diff(level) ** 2))
    last = np.searchsorted(path.ts, moments, side="right") - 1
    first = np.maximum(np.searchsorted(path.ts, moments - HOUR, side="right") - 1, 0)
    enough = (last >= 0) & (path.ts[last] - path.ts[first] >= SHORTEST)
    last, first = np.where(enough, last, 0), np.where(enough, first, 0)
    hours = np.where(enough, (path.ts[last] - path.ts[first]) / HOUR, np.nan)
    volatility = np.sqrt((squares[last] - squares[first]) / hours)
    return volatility, np.where(enough, level[last] - level[first], np.nan)


def _codes(volatility: FloatArray, rise: FloatArray, low: float, high: float) -> IntArray:
    """Return the place of each trade's regime in `LABELS`."""
    move = np.searchsorted([low, high], volatility, side="left")
    way = np.select([rise < 0, rise > 0], [0, 1], default=2)
    codes: IntArray = np.where(
        np.isnan(volatility), LABELS.index(UNKNOWN), move * len(WAYS) + way
    ).astype(np.int64)
    return codes
