"""A stored day at a glance: its pace and its holes."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.market.contracts import strike_step
from optiq.market.manifest import DayManifest
from optiq.market.schema import IST, IntArray, TimeArray
from optiq.market.store import Store

_TIMES_THE_USUAL = 3.0
_LEAST_HOLE_S = 60.0


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch without a snapshot."""

    start: dt.datetime
    end: dt.datetime

    @property
    def words(self) -> str:
        """Return it as a person reads it."""
        minutes = (self.end - self.start).total_seconds() / 60
        return f"{self.start:%H:%M}-{self.end:%H:%M} ({minutes:.0f} min)"


@dataclass(frozen=True, slots=True)
class DayView:
    """One stored day; gaps in seconds, moments in IST.

    ``strike_step`` is that of the nearest expiry's chain around its level, in rupees; NaN where
    there are no two strikes or no level.
    """

    manifest: DayManifest
    median_gap_s: float
    holes: tuple[Hole, ...]
    strike_step: float

    @property
    def feeds(self) -> list[str]:
        """Return the formats the day came in."""
        return list(dict.fromkeys(source.format for source in self.manifest.sources))

    def as_result(self) -> dict[str, Any]:
        """Return what ``--json`` prints."""
        day = self.manifest
        return {
            "underlying": day.underlying,
            "date": day.date,
            "rows": day.rows,
            "snapshots": day.snapshots,
            "contracts": day.contracts,
            "strikes": day.strikes,
            "strike_step": self.strike_step,
            "expiries": day.expiries,
            "first": day.first_ist,
            "last": day.last_ist,
            "median_gap_s": self.median_gap_s,
            "holes": [{"from": hole.start, "to": hole.end} for hole in self.holes],
            "has_book": day.has_book,
            "spot": day.spot_words,
            "sources": [source.name for source in day.sources],
            "notes": day.notes,
        }


def view_day(store: Store, underlying: str, date: dt.date) -> DayView:
    """Return one stored day."""
    panel = store.read_panel(underlying, date, fields=())
    manifest = store.manifest(underlying, date)
    chain_ts = panel.ts[panel.is_chain]
    level = np.nan if manifest.close is None else manifest.close
    nearest = panel.strike[panel.expiry == panel.expiry.min()]
    step = strike_step(nearest, level) if np.isfinite(level) else np.nan
    return DayView(manifest, median_gap(chain_ts), tuple(holes(chain_ts)), step)


def median_gap(ts: TimeArray) -> float:
    """Return the median seconds between snapshots; NaN for a single one."""
    return float(np.median(np.diff(ts) / np.timedelta64(1, "s"))) if len(ts) > 1 else np.nan


def holes(ts: TimeArray) -> list[Hole]:
    """Return the gaps over three times the usual one, and over a minute."""
    return [Hole(ist(ts[index]), ist(ts[index + 1])) for index in rows_before_holes(ts)]


def rows_before_holes(ts: TimeArray) -> IntArray:
    """Return the indices of the snapshots after which a hole begins."""
    gaps = np.diff(ts) / np.timedelta64(1, "s")
    wide: IntArray = np.flatnonzero(gaps > max(_TIMES_THE_USUAL * median_gap(ts), _LEAST_HOLE_S))
    return wide


def ist(moment: np.datetime64) -> dt.datetime:
    """Return a UTC moment as Indian time."""
    seconds = moment.astype("datetime64[us]").astype(np.int64) / 1e6
    return dt.datetime.fromtimestamp(float(seconds), IST)
