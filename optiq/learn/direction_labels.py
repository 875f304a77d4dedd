"""Did the underlying rise, fall or stay? A triple barrier, seen as the walk would have seen it.

A decision on a chain row starts at the first chain row that an order of it could fill on: the
first with ``ts >= known + latency``. From there the forward of the expiry that was nearest at the
decision is watched on later chain rows only: the first to be ``width`` above the start is a Buy,
``width`` below a Sell; the first at or after the horizon's end without either is a Hold. The rule
is `trade.exits.exit_reason` with target and stop at ``width``, so its tolerance and the order of
its tests are those of every exit.

``width`` is ``barrier`` standard deviations of the horizon's move, by the volatility known on the
deciding row. Rows whose label is never known are dropped and counted, by reason: `Unlabelled`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numba import njit

from optiq.errors import InputError
from optiq.market.context import Context
from optiq.market.feature_day import FeatureDay
from optiq.market.features_session import session_features
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, FloatArray, IntArray, TimeArray
from optiq.trade.exits import Reason, exit_reason

SELL, HOLD, BUY = 0, 1, 2
CLASS_NAMES = ("sell", "hold", "buy")
UNKNOWN = -1

TRADED_MINUTES_PER_YEAR = 252.0 * 375.0
NIGHT_SHARE = 0.3
"""Of a year's variance: options pay for nights too, minutes of the session do not move by them."""
RULE = np.dtype(
    [(name, "f8") for name in ("stop", "target", "trail_after", "trail")]
    + [("max_hold_minutes", "f8")]
)


class Unlabelled(IntEnum):
    """Why a chain row has no label."""

    LABELLED = 0
    NO_LEVEL = 1
    """No forward at the decision or at the start."""
    NO_VOLATILITY = 2
    """Too early in the day to know how far the forward moves."""
    NO_START = 3
    """No later row to start on, or it comes more than a horizon later."""
    CLOSED = 4
    """Positions are squared off, or the rows end, before the horizon does."""
    GAP = 5
    """No row for a whole horizon after the horizon's end."""


@dataclass(frozen=True, slots=True)
class LabelRule:
    """The question: minutes ahead, how far in standard deviations, and the walk's latency."""

    horizon_minutes: float = 30.0
    barrier: float = 0.65
    latency_s: float = 1.0
    square_off_minutes: float = 10.0

    def __post_init__(self) -> None:
        if not self.horizon_minutes > 0 or not self.barrier > 0 or not self.latency_s >= 0:
            raise InputError(
                f"a horizon of {self.horizon_minutes:g} minutes, {self.barrier:g} deviations wide",
                "both must be above 0",
            )

    @property
    def words(self) -> str:
        """Return the question in words, for a card."""
        return (
            f"triple barrier on the nearest expiry's forward: {self.barrier:g} standard deviations "
            f"of {self.horizon_minutes:g} minutes, {self.latency_s:g} s after the decision"
        )


@dataclass(frozen=True, slots=True)
class Labels:
    """Per chain row of a day, (n_rows,) each.

    ``label`` 0 sell, 1 hold, 2 buy, -1 unknown; ``end`` when it was known, NaT where unknown;
    ``width`` the barrier as a fraction of the start; ``why`` an `Unlabelled`.
    """

    label: IntArray
    end: TimeArray
    width: FloatArray
    why: IntArray

    def counts(self) -> dict[str, int]:
        """Return how many rows have no label, by reason."""
        return {
            reason.name.lower(): int((self.why == reason).sum())
            for reason in Unlabelled
            if reason != Unlabelled.LABELLED
        }


def volatility(day: FeatureDay) -> FloatArray:
    """Return (n_chain_rows,) volatility a year of traded minutes, as far as rows so far tell.

    The root of the mean of two variances, or of the one that is known: what was realised in the
    last half hour, and what options at the money of the nearest expiry imply, less the nights'
    share of it. Either alone predicts the next half hour's range less well, and a barrier that is
    predictably narrow or wide would let a model shine without knowing up from down.
    """
    realised = session_features(day)["realised_vol_30m"]
    implied = np.full(len(realised), np.nan)
    implied[day.tail :] = day.per_tail_row(day.atm_iv, day.near[day.tail :])
    variances = np.stack([realised**2, (1.0 - NIGHT_SHARE) * implied**2])
    known = ~np.isnan(variances)
    with np.errstate(invalid="ignore"):
        mean: FloatArray = np.where(known, variances, 0.0).sum(axis=0) / known.sum(axis=0)
    return np.sqrt(mean)


def day_labels(panel: Panel, context: Context, rule: LabelRule) -> Labels:
    """Return the labels of a day's chain rows; those of the last minutes are unknown."""
    day = FeatureDay(panel, context)
    chain, near = day.panel, day.near
    width = rule.barrier * volatility(day) * np.sqrt(rule.horizon_minutes / TRADED_MINUTES_PER_YEAR)
    ts, known = _microseconds(chain.ts), _microseconds(chain.known)
    rules = np.zeros(1, RULE)
    rules["trail_after"] = rules["trail"] = np.nan
    rules["max_hold_minutes"] = rule.horizon_minutes
    label, end, why = _labels(
        np.ascontiguousarray(day.forward),
        near,
        ts,
        known,
        width,
        _square_off(panel, chain.ts, rule),
        round(1e6 * rule.latency_s),
        rules,
    )
    times = end.astype("datetime64[us]")
    times[label == UNKNOWN] = np.datetime64("NaT")
    return Labels(label, times, width, why)


def _square_off(panel: Panel, ts: TimeArray, rule: LabelRule) -> int:
    """Return the last microsecond at which a horizon may end."""
    if not len(ts):
        return 0
    left = panel.close_minute - rule.square_off_minutes - panel.minute[panel.chain_rows[-1]]
    latest = ts[-1] + np.timedelta64(round(6e7 * min(left, 0.0)), "us")
    return int(_microseconds(latest))


def _microseconds(times: AnyArray) -> AnyArray:
    return times.astype("datetime64[us]").astype(np.int64)


@njit(cache=True, error_model="numpy")
def _labels(
    forward: FloatArray,
    near: IntArray,
    ts: IntArray,
    known: IntArray,
    width: FloatArray,
    last: int,
    latency_us: int,
    rules: Any,
) -> tuple[IntArray, IntArray, IntArray]:
    n = len(ts)
    label = np.full(n, UNKNOWN)
    end = np.zeros(n, np.int64)
    why = np.zeros(n, np.int64)
    rule = rules[0]
    horizon = np.int64(round(6e7 * rule.max_hold_minutes))
    for r in range(n):
        if near[r] < 0 or np.isnan(forward[r, near[r]]):
            why[r] = Unlabelled.NO_LEVEL
            continue
        if not width[r] > 0.0:
            why[r] = Unlabelled.NO_VOLATILITY
            continue
        start = r
        while start < n and ts[start] < known[r] + latency_us:
            start += 1
        if start == n or ts[start] > ts[r] + horizon:
            why[r] = Unlabelled.NO_START
            continue
        level = forward[start, near[r]]
        if np.isnan(level):
            why[r] = Unlabelled.NO_LEVEL
            continue
        why[r] = Unlabelled.CLOSED
        if ts[start] + horizon > last:  # even if a barrier is met before: holds never would be
            continue
        rule.stop, rule.target = width[r], width[r]
        for q in range(start + 1, n):
            held = (ts[q] - ts[start]) / 6e7
            if ts[q] > ts[start] + 2 * horizon:
                why[r] = Unlabelled.GAP
                break
            now = forward[q, near[r]]
            gain = now / level - 1.0
            reason = exit_reason(gain, gain, held, rule, not np.isnan(now), False, False)
            if reason != Reason.NONE:
                why[r] = Unlabelled.LABELLED
                label[r] = (
                    BUY if reason == Reason.TARGET else SELL if reason == Reason.STOP else HOLD
                )
                end[r] = known[q]
                break
    return label, end, why
