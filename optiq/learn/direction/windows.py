"""What a direction model sees: the 34 features of the last 30 chain rows, and when those were.

Rows need not be evenly spaced. Each is seen with the minutes since the row before it and until the
decision, so a hole in the day is a hole and not two rows glued together; rows before the open are
absent, not zeros. Everything is computed in blocks of one size counted from the open, so that what
is said of a row is the same bit for bit whether the panel ends there or at the close.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.learn.direction.labels import (
    UNKNOWN,
    LabelRule,
    Labels,
    Watched,
    labels_of,
    watched,
)
from optiq.market.context import Context
from optiq.market.features import (
    CONTRACT_FEATURES,
    MARKET_FEATURES,
    atm_call_features,
    market_features,
)
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, BoolArray, FloatArray, IntArray, TimeArray

LENGTH = 30
"""Rows a forecast looks back to, its own among them."""
NAMES = (*(f.name for f in MARKET_FEATURES), *(f"atm_call_{f.name}" for f in CONTRACT_FEATURES))
KNOWN = ("minutes_to_close", "days_to_expiry")
CLOCKS = ("minutes_since_row_before", "minutes_until_decision")
WIDEST = 5.0
"""Scaled features are cut at so many standard deviations."""
_KNOWN_AT = tuple(NAMES.index(name) for name in KNOWN)
_SESSION_MINUTES, _DAY_MINUTES = 375.0, 1440.0


@dataclass(frozen=True, slots=True)
class Seen:
    """The chain rows of a day as models see them, before scaling.

    ``minute`` (n,) minutes since the epoch; ``features`` (n, 34), NaN where unknown and on rows
    that were not asked for.
    """

    minute: FloatArray
    features: FloatArray

    @property
    def can_say(self) -> BoolArray:
        """Whether a row has an expiry to speak of at all, (n,)."""
        return np.asarray(np.isfinite(self.features[:, list(_KNOWN_AT)]).all(axis=1))


@dataclass(frozen=True, slots=True)
class LabelledDay:
    """A session to learn from: what is seen of it, its labels and the rows that are used."""

    session: dt.date
    ts: TimeArray
    seen: Seen
    labels: Labels
    rows: IntArray


def seen_of(chain: Panel, context: Context, first_row: int = 0) -> Seen:
    """Return what models see of a day's chain rows, from ``first_row`` on."""
    both = [ask(chain, context, first_row) for ask in (market_features, atm_call_features)]
    return Seen(chain.ts.astype("datetime64[us]").astype(np.int64) / 6e7, np.hstack(both))


@dataclass(frozen=True, slots=True)
class SeenDay:
    """A session before it is labelled: what models see, and what labels are made of."""

    session: dt.date
    ts: TimeArray
    seen: Seen
    watched: Watched

    def labelled(self, rule: LabelRule, minutes_apart: float) -> LabelledDay:
        """Return it with its labels; rows that are used lie ``minutes_apart`` at least."""
        labels = labels_of(self.watched, rule)
        usable = np.flatnonzero((labels.label != UNKNOWN) & self.seen.can_say)
        rows = usable[apart(self.seen.minute[usable], minutes_apart)]
        return LabelledDay(self.session, self.ts, self.seen, labels, rows)


def seen_day(panel: Panel, context: Context) -> SeenDay:
    """Return a session, to be labelled under any rule."""
    chain = panel.chain_only
    return SeenDay(panel.date, chain.ts, seen_of(chain, context), watched(panel, context))


def apart(minute: FloatArray, least: float) -> BoolArray:
    """Return which of ascending minutes to keep so that neighbours lie ``least`` apart.

    >>> apart(np.array([0.0, 4.0, 10.0, 11.0, 19.0, 20.0]), 10.0).tolist()
    [True, False, True, False, False, True]
    """
    kept = np.zeros(len(minute), np.bool_)
    latest = -np.inf
    for place, now in enumerate(minute.tolist()):
        if now - latest >= least - 1e-9:
            kept[place], latest = True, now
    return kept


@dataclass(frozen=True, slots=True)
class Scaler:
    """Mean and standard deviation of each feature over training rows, (34,) each."""

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def fitted(cls, features: FloatArray) -> Scaler:
        """Return the scaler of (n, 34) training rows; a feature that never moves stays as it is.

        Values beyond the percentiles 0.5 and 99.5 count as these: one bad quote must not set the
        scale.
        """
        known = ~np.isnan(features)
        filled = np.where(known, features, 0.0)
        with_values = np.where(known.any(axis=0), features, 0.0)
        low, high = np.nanpercentile(with_values, [0.5, 99.5], axis=0)
        cut = np.where(known, np.clip(filled, low, high), 0.0)
        count = np.maximum(known.sum(axis=0), 1)
        mean = cut.sum(axis=0) / count
        variance = np.where(known, (cut - mean) ** 2, 0.0).sum(axis=0) / count
        deviation = np.sqrt(variance)
        return cls(mean, np.where(deviation > 1e-12 * np.abs(mean), deviation, 1.0))

    def scaled(self, features: FloatArray) -> FloatArray:
        """Return features in standard deviations from the mean, cut at `WIDEST`; NaN stays."""
        values: FloatArray = np.clip((features - self.mean) / self.deviation, -WIDEST, WIDEST)
        return values

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Scaler:
        """Read what ``to_json`` wrote."""
        return cls(np.array(value["mean"]), np.array(value["deviation"]))


@dataclass(frozen=True, slots=True)
class Inputs:
    """R rows and k windows over them, as `tft.Rows` and `tft.Windows` want them.

    ``features`` (R, 34) float32 scaled, 0 where ``missing`` (R, 34); ``row_known`` (R, 2);
    ``rows`` (k, 30) int, 0 where not ``there`` (k, 30); ``clocks`` (k, 30, 2); ``known`` (k, 4).
    """

    features: AnyArray
    missing: BoolArray
    row_known: AnyArray
    rows: IntArray
    there: BoolArray
    clocks: AnyArray
    known: AnyArray

    @property
    def flat(self) -> AnyArray:
        """The windows as one vector each, (k, 30 * 34 + 30): features, NaN where missing, and age.

        What a model without a sense of time is given.
        """
        values = np.where(self.missing, np.float32(np.nan), self.features)[self.rows]
        values[~self.there] = np.nan
        age = np.where(self.there, self.clocks[:, :, 1], np.float32(np.nan))
        return np.concatenate([values.reshape(len(values), -1), age], axis=1)

    @property
    def last(self) -> AnyArray:
        """The decision's own row, (k, 68): features, 0 where missing, and which are missing."""
        own = self.rows[:, -1]
        return np.concatenate([self.features[own], self.missing[own]], axis=1, dtype=np.float32)


def inputs_of(seen: Seen, scaler: Scaler, rows: IntArray, horizon_minutes: float) -> Inputs:
    """Return the windows that end on ``rows`` (k,) of a day."""
    scaled = scaler.scaled(seen.features)
    missing = np.isnan(scaled)
    place = rows[:, None] + np.arange(1 - LENGTH, 1)
    there = place >= 0
    place = np.where(there, place, 0)
    minute = seen.minute[place]
    gap = np.diff(seen.minute, prepend=seen.minute[:1])[place]
    age = seen.minute[rows][:, None] - minute
    clocks = np.where(there[:, :, None], np.log1p(np.stack([gap, age], axis=-1)), 0.0)
    now = _known(seen.features, 0.0)
    return Inputs(
        np.where(missing, 0.0, scaled).astype(np.float32),
        missing,
        now.astype(np.float32),
        place,
        there,
        clocks.astype(np.float32),
        np.hstack([now, _known(seen.features, horizon_minutes)])[rows].astype(np.float32),
    )


def _known(features: FloatArray, ahead_minutes: float) -> FloatArray:
    """Return (n, 2) what is known ahead of time, in sessions and as the log of days; 0 if not."""
    minutes, days = (features[:, at] for at in _KNOWN_AT)
    close = (minutes - ahead_minutes) / _SESSION_MINUTES
    expiry = np.log1p(np.maximum(days - ahead_minutes / _DAY_MINUTES, 0.0))
    known: FloatArray = np.nan_to_num(np.column_stack([close, expiry]))
    return known


def joined(parts: list[Inputs]) -> Inputs:
    """Return the inputs of several days as one; windows still point to their own rows."""
    starts = np.cumsum([0, *(len(part.features) for part in parts[:-1])])
    return Inputs(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.missing for part in parts]),
        np.concatenate([part.row_known for part in parts]),
        np.concatenate([part.rows + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.there for part in parts]),
        np.concatenate([part.clocks for part in parts]),
        np.concatenate([part.known for part in parts]),
    )
