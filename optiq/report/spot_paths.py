"""The way of the index on the days of a run, from the store the run was made on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from optiq.errors import DamagedError, MissingDataError, OptiqError
from optiq.market.panel import Panel, minute_of_day
from optiq.market.schema import FloatArray, TimeArray
from optiq.market.store import Store
from optiq.report.positions import Positions


@dataclass(frozen=True, slots=True)
class SpotPath:
    """The spot of one session at its chain snapshots.

    Attributes
    ----------
    ts : (n,) datetime64[us]
        UTC, ascending.
    level : (n,) float
        Rupees, never NaN: snapshots without a spot are left out.
    open_minute, close_minute
        IST minutes of the day.
    """

    ts: TimeArray
    level: FloatArray
    open_minute: float
    close_minute: float

    @property
    def minute(self) -> FloatArray:
        """IST minute of the day of each snapshot."""
        return minute_of_day(self.ts)

    def at(self, moments: TimeArray) -> FloatArray:
        """Return the last spot at or before each moment; NaN before the first."""
        last = np.searchsorted(self.ts, moments, side="right") - 1
        return np.where(last >= 0, self.level[np.maximum(last, 0)], np.nan)


@dataclass(frozen=True, slots=True)
class SpotPaths:
    """The days that could be read, and for the others why not."""

    by_date: dict[dt.date, SpotPath]
    missing: dict[dt.date, str]
    trouble: str = ""
    """Why there is none at all; empty where there is some."""

    @property
    def notes(self) -> list[str]:
        """What is missing and why, in a line or none."""
        if self.trouble or not self.missing:
            return [self.trouble] if self.trouble else []
        date, reason = next(iter(self.missing.items()))
        others = f" and {len(self.missing) - 1} other days" if len(self.missing) > 1 else ""
        return [f"no spot for {date}{others}: {reason}"]


def read_paths(
    root: Path | None,
    underlying: str,
    positions: Positions,
    advance: Callable[[int], None] = lambda _: None,
) -> SpotPaths:
    """Read the spot of the days with trades; a report does without what is not there any more."""
    if root is None:
        return SpotPaths({}, {}, "the run's config.toml names no store")
    if not root.is_dir():
        return SpotPaths({}, {}, f"the store {root} is not there any more")
    store, found, missing = Store(root), {}, {}
    for date in positions.dates:
        try:
            found[date] = _path_of(store.read_panel(underlying, date, ()), positions)
        except OptiqError as reason:
            missing[date] = str(reason)
        advance(1)
    nothing = f"the store {root} has none of the run's days as the run saw them"
    return SpotPaths(found, missing, nothing if missing and not found else "")


def _path_of(panel: Panel, positions: Positions) -> SpotPath:
    """Return a day's path; an error where it is not the day that the run traded."""
    path = spot_path(panel)
    if not len(path.ts):
        raise MissingDataError("its quotes carry no spot")
    entered = positions.entry[positions.day == np.datetime64(panel.date)]
    if not np.isin(entered, panel.ts).all():
        raise DamagedError("it was stored anew since: the run's entries are not among its rows")
    return path


def spot_path(panel: Panel) -> SpotPath:
    """Return a day's spot at its chain snapshots."""
    shown = panel.is_chain & ~np.isnan(panel.spot)
    return SpotPath(panel.ts[shown], panel.spot[shown], panel.open_minute, panel.close_minute)
