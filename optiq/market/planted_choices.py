"""Plants in which one strategy is the best, and what the market shows says which one.

`pcr_reversal` buys calls where puts abound, `institutional_oi` buys puts where their open interest
grows: the same crowd of positions near the money, read in opposite ways. These plants build that
crowd up and let the index follow the one reading or the other.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from optiq.market.plant_effect import (
    BlockDrift,
    Effect,
    Hours,
    Seeds,
    approach,
    block_drift,
    blocks,
)
from optiq.market.schema import FloatArray

CROWD, FLOW, TREND = "pcr_reversal", "institutional_oi", "oi_buildup"
"""The strategies that a regime may suit; a regime goes by the name of its strategy."""

MARKS: Mapping[str, tuple[float, float]] = {
    CROWD: (-1.0, -0.5),
    FLOW: (1.0, -0.5),
    TREND: (0.0, 1.0),
}
"""Where a regime moves the skew and the puts' share of volume: corners of a triangle, so that any
values of three strategies in three regimes are linear in the two."""


@dataclass(frozen=True, slots=True)
class Traces:
    """How plain a plant is to see.

    Attributes
    ----------
    crowd
        Log of the puts' open interest over the calls', when built up: 0.95 makes 1 into 2.6.
    skew_middle, skew
        Slope of the smile added in the middle between two marks, and from there to either.
    activity
        Log of the puts' volume over the calls' at a mark of 1.
    minutes
        In which a change shows by all but 1/e.
    unwind_minutes
        Before the close, in which the crowd goes home.
    """

    crowd: float = 0.95
    skew_middle: float = 0.10
    skew: float = 0.15
    activity: float = 0.50
    minutes: float = 4.0
    unwind_minutes: float = 20.0

    def crowd_of(self, side: FloatArray, hours: Hours) -> FloatArray:
        """Return `Effect.interest` of a crowd on ``side`` (+1 puts, -1 calls)."""
        built = approach(side, hours.row_minutes, self.minutes)
        leaning: FloatArray = self.crowd * built * self.leaves(hours)
        return leaning

    def leaves(self, hours: Hours) -> FloatArray:
        """Return how much of what the day gathered is still there: 1, and 0 at the last row."""
        still: FloatArray = np.minimum(hours.minutes_left / self.unwind_minutes, 1.0)
        return still

    def skew_of(self, mark: FloatArray, hours: Hours) -> FloatArray:
        """Return `Effect.skew` of a mark."""
        first = float(mark[0])
        shown = first + approach(mark - first, hours.row_minutes, self.minutes)
        return self.skew_middle + self.skew * shown


@dataclass(frozen=True, slots=True)
class Regimes:
    """Each session has a regime, drawn evenly, in which one known strategy is the best.

    A crowd of puts or of calls builds up, on a side drawn anew every ``block_minutes``. In the
    regime ``pcr_reversal`` the index drifts the way that contrarians bet, in ``institutional_oi``
    the way that followers of growing open interest bet. In ``oi_buildup`` it drifts, ``trend``
    times as fast, for ``trend_minutes`` to a side that only its own past shows, while all open
    interest swells by ``swell`` in one block and shrinks in the next.

    The regime shows, linearly, in skew_25d and volume_put_call_ratio (`MARKS`); the crowd in the
    features of open interest, alike in all regimes.

    Strength 1 is a drift of ``gain_per_minute`` standard deviations of a minute, every minute.
    Below it the regime is as plain to see, and pays less.
    """

    strength: float
    regimes: tuple[str, ...] = (CROWD, FLOW, TREND)
    block_minutes: float = 75.0
    gain_per_minute: float = 0.10
    trend: float = 1.3
    trend_minutes: float = 187.5
    swell: float = 0.15
    traces: Traces = Traces()
    name: str = "regimes"

    def effect(self, hours: Hours, seeds: Seeds) -> Effect:
        """Return the session's regime, its drift and its marks."""
        if self.strength == 0.0:
            return Effect()
        rng = seeds(f"plant {self.name} plan")
        regime = self.regimes[int(rng.random() * len(self.regimes))]
        gain = self.strength * self.gain_per_minute
        crowd = block_drift(hours, self.block_minutes, gain, rng)
        own = block_drift(hours, self.trend_minutes, self.trend * gain, seeds("plant trend plan"))
        drift = {
            CROWD: crowd,
            FLOW: replace(crowd, direction=-crowd.direction),
            TREND: own,
        }[regime]
        skew, activity = (np.full(hours.n_rows, mark) for mark in MARKS[regime])
        return Effect(
            drift=drift,
            interest=self.traces.crowd_of(crowd.direction, hours),
            gathering=self._swells(hours) if regime == TREND else None,
            skew=self.traces.skew_of(skew, hours),
            activity=self.traces.activity * activity,
            truth={
                "crowd": crowd.direction,
                "best_strategy": np.full(hours.n_rows, regime),
            },
        )

    def _swells(self, hours: Hours) -> FloatArray:
        """Return what rises in one block and falls in the next, and is 0 at the close."""
        phase = (hours.minute + hours.row_minutes) / self.block_minutes % 2.0
        wave: FloatArray = self.swell * np.minimum(phase, 2.0 - phase) * self.traces.leaves(hours)
        return wave


@dataclass(frozen=True, slots=True)
class Nonlinear:
    """The index drifts by the product of two marks, and no line through either says which way.

    Puts abound all day, so `pcr_reversal` always buys the call and `institutional_oi` the put. One
    mark is the skew: low, middling or high (1 : 2 : 1), drawn anew every ``block_minutes``. The
    other is the puts' share of volume, of the session: high mostly (``high``), or low. Where it is
    high, the index rises at either extreme of the skew and falls in its middle; where low, the
    other way round. So neither the mean nor the slope over either mark tells anything, nor the
    slope over both; a tree sees most of it at its first two cuts, on the skew, and all with the
    third. Within a block the index's own past tells some of it too, and any model may read that.

    Strength 1 is a drift of ``gain_per_minute`` standard deviations of a minute, every minute.
    """

    strength: float
    block_minutes: float = 75.0
    gain_per_minute: float = 0.10
    high: float = 0.85
    traces: Traces = Traces()
    name: str = "nonlinear"

    def effect(self, hours: Hours, seeds: Seeds) -> Effect:
        """Return the session's marks and the drift that is their product."""
        if self.strength == 0.0:
            return Effect()
        block = blocks(hours, self.block_minutes)
        rng = seeds(f"plant {self.name} plan")
        activity = np.full(hours.n_rows, 1.0 if rng.random() < self.high else -1.0)
        drawn = rng.random(int(block[-1]) + 1)[block]
        skew = np.select([drawn < 0.25, drawn < 0.75], [-1.0, 0.0], 1.0)
        rises = np.where(skew == 0.0, -activity, activity)
        gain = self.strength * self.gain_per_minute * math.sqrt(hours.row_minutes)
        return Effect(
            drift=BlockDrift(gain, block, rises),
            interest=self.traces.crowd_of(np.ones(hours.n_rows), hours),
            skew=self.traces.skew_of(skew, hours),
            activity=self.traces.activity * activity,
            truth={
                "mark_skew": skew,
                "mark_activity": activity,
                "best_strategy": np.where(rises > 0, CROWD, FLOW),
            },
        )
