"""Did the underlying rise, fall or stay? A triple barrier, seen as the walk would have seen it.

A decision on a chain row starts at the first chain row that an order of it could fill on: the
first with ``ts >= known + latency``. From there the forward of the expiry that was nearest at the
decision is watched on later chain rows only: the first to be ``width`` above the start is a Buy,
``width`` below a Sell; the first at or after the horizon's end without either is a Hold. The rule
is `trade.exits.exit_reason` with target and stop at ``width``, so its tolerance and the order of
its tests are those of every exit.

``width`` is ``barrier`` standard deviations of the horizon's move, by what `direction_width`
expects of it on the deciding row. Rows whose label is never known are dropped and counted, by
reason: `Unlabelled`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np

from optiq.errors import InputError
from optiq.learn.direction.width import Outlook, WidthLaw, outlook_of
from optiq.market.compiling import compiled
from optiq.market.context import Context
from optiq.market.feature_day import FeatureDay
from optiq.market.panel import Panel
from optiq.market.schema import AnyArray, FloatArray, IntArray, TimeArray
from optiq.trade.exits import Reason, exit_reason

SELL, HOLD, BUY = 0, 1, 2
CLASS_NAMES = ("sell", "hold", "buy")
UNKNOWN = -1

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
    """The question: minutes ahead, how far in standard deviations, and the walk's latency.

    ``law`` says how far a standard deviation is; it is learnt on sessions before any that is
    tested.
    """

    horizon_minutes: float = 30.0
    barrier: float = 0.9
    latency_s: float = 1.0
    square_off_minutes: float = 10.0
    law: WidthLaw = field(default_factory=WidthLaw)

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
            f"of {self.horizon_minutes:g} minutes as the options and the hour foretell them, "
            f"{self.latency_s:g} s after the decision"
        )

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> LabelRule:
        """Read what ``dataclasses.asdict`` wrote."""
        return cls(**{**value, "law": WidthLaw(**value["law"])})


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


@dataclass(frozen=True, slots=True)
class Watched:
    """What the labels of a day's chain rows are made of.

    ``forward`` (n_rows, n_expiries); ``near``, ``ts`` and ``known`` (n_rows,), times in
    microseconds; ``closes`` when the session ends.
    """

    forward: FloatArray
    near: IntArray
    ts: IntArray
    known: IntArray
    closes: int
    outlook: Outlook


def watched(panel: Panel, context: Context) -> Watched:
    """Return what the labels of a day are made of, under any rule."""
    day = FeatureDay(panel, context)
    chain = day.panel
    left = panel.close_minute - chain.minute[-1] if chain.n_rows else 0.0
    ts = _microseconds(chain.ts)
    closes = int(ts[-1]) + round(6e7 * float(left)) if chain.n_rows else 0
    forward = np.ascontiguousarray(day.forward)
    return Watched(forward, day.near, ts, _microseconds(chain.known), closes, outlook_of(day))


def day_labels(panel: Panel, context: Context, rule: LabelRule) -> Labels:
    """Return the labels of a day's chain rows; those of the last minutes are unknown."""
    return labels_of(watched(panel, context), rule)


def labels_of(seen: Watched, rule: LabelRule) -> Labels:
    """Return the labels of what was watched."""
    width = rule.barrier * np.sqrt(rule.law.variance(seen.outlook) * rule.horizon_minutes)
    rules = np.zeros(1, RULE)
    rules["trail_after"] = rules["trail"] = np.nan
    rules["max_hold_minutes"] = rule.horizon_minutes
    label, end, why = _labels(
        seen.forward,
        seen.near,
        seen.ts,
        seen.known,
        width,
        _square_off(seen, rule),
        round(1e6 * rule.latency_s),
        rules,
    )
    times = end.astype("datetime64[us]")
    times[label == UNKNOWN] = np.datetime64("NaT")
    return Labels(label, times, width, why)


def variance_after(seen: Watched, rule: LabelRule, rows: IntArray) -> FloatArray:
    """Return (k,) the variance a minute from each row's start to its horizon's end; NaN unknown."""
    latency, horizon = round(1e6 * rule.latency_s), round(6e7 * rule.horizon_minutes)
    return np.asarray(
        _variance_after(seen.forward, seen.near, seen.ts, seen.known, rows, latency, horizon)
    )


def _square_off(seen: Watched, rule: LabelRule) -> int:
    """Return the last microsecond at which a horizon may end: the rows may end before."""
    latest = int(seen.ts[-1]) if len(seen.ts) else 0
    return min(latest, seen.closes - round(6e7 * rule.square_off_minutes))


def _microseconds(times: AnyArray) -> AnyArray:
    return times.astype("datetime64[us]").astype(np.int64)


@compiled
def _start(ts: IntArray, row: int, from_us: int) -> int:
    """Return the first row that an order of ``row`` could fill on; the number of rows if none."""
    while row < len(ts) and ts[row] < from_us:
        row += 1
    return row


@compiled
def _variance_after(
    forward: FloatArray,
    near: IntArray,
    ts: IntArray,
    known: IntArray,
    rows: IntArray,
    latency_us: int,
    horizon_us: int,
) -> FloatArray:
    moved = np.full(len(rows), np.nan)
    for place, r in enumerate(rows):
        start = _start(ts, r, known[r] + latency_us)
        if near[r] < 0 or start == len(ts):
            continue
        before, last, total = forward[start, near[r]], start, 0.0
        for q in range(start + 1, len(ts)):
            now = forward[q, near[r]]
            if not np.isnan(now):
                total += np.log(now / before) ** 2
                before, last = now, q
            if ts[q] >= ts[start] + horizon_us:
                break
        if ts[last] >= ts[start] + horizon_us:
            moved[place] = total / ((ts[last] - ts[start]) / 6e7)
    return moved


@compiled
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
        start = _start(ts, r, known[r] + latency_us)
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
