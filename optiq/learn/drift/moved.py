"""What drift says of one feature."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PARTS = ("level", "distribution", "missing")
"""What of a day may be out of the ordinary."""


@dataclass(frozen=True, slots=True)
class Moved:
    """What one feature of a day says.

    ``score`` above ``threshold`` is an alarm of the day and ``part`` names which of `PARTS` it
    comes from; ``trend`` beyond ``trend_threshold`` in either direction is one of the last
    sessions together, NaN where they are too few, and so is ``adjusted_trend``, given the other
    features, 0 where it is too little to tell and NaN for one that is not compared with others.
    ``now`` and ``usual`` are the day's median and that of training days.
    """

    feature: str
    score: float
    threshold: float
    part: str
    now: float
    usual: float
    trend: float
    trend_threshold: float
    adjusted_trend: float
    adjusted_threshold: float

    @property
    def is_alarm(self) -> bool:
        """Whether the day itself is out of the ordinary."""
        return self.score > self.threshold

    @property
    def is_trend(self) -> bool:
        """Whether the last sessions together lie elsewhere than the training sessions.

        Or than the other features make likely.
        """
        return bool(self.lately)

    @property
    def lately(self) -> str:
        """Where the last sessions together lie, in words; empty where they always did."""
        if abs(self.trend) > self.trend_threshold:
            return "higher" if self.trend > 0 else "lower"
        if abs(self.adjusted_trend) > self.adjusted_threshold:
            return f"{'higher' if self.adjusted_trend > 0 else 'lower'} given the others"
        return ""

    @property
    def excess(self) -> float:
        """How far beyond its threshold, as a multiple of it; the day's or a trend's."""
        trend = abs(self.trend) / self.trend_threshold
        adjusted = abs(self.adjusted_trend) / self.adjusted_threshold
        return float(np.fmax.reduce([self.score / self.threshold, trend, adjusted]))
