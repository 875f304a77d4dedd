"""When to leave a position: one rule for backtest, paper, labels and rewards."""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from optiq.market.compiling import compiled

TOLERANCE = 1e-9
"""Slack of every comparison with a threshold, so that 0.15 is reached at 0.15."""


class Reason(IntEnum):
    """Why a position left."""

    NONE = 0
    STOP = 1
    TARGET = 2
    TRAIL = 3
    TIME = 4
    EOD = 5
    RISK = 6


@compiled
def exit_reason(
    gain: float,
    peak: float,
    held_minutes: float,
    rule: Any,
    askable: bool,
    closing: bool,
    day_over: bool,
) -> int:
    """Return the first :class:`Reason` that holds at this row, ``NONE`` where none does.

    Parameters
    ----------
    gain, peak
        Profit of the package now, and its maximum since entry, as fractions of the basis.
    held_minutes
        Since the entry filled.
    rule
        The order: ``stop target trail_after trail max_hold_minutes``; NaN is off, as every
        comparison with NaN is false.
    askable
        Whether prices may close it: a leg observed at this row, marks fresh and alike in age.
    closing, day_over
        The session's last minutes; the daily loss limit was hit.
    """
    if askable:
        if gain <= -rule.stop + TOLERANCE:
            return Reason.STOP
        if gain >= rule.target - TOLERANCE:
            return Reason.TARGET
        if peak >= rule.trail_after - TOLERANCE and gain <= peak - rule.trail + TOLERANCE:
            return Reason.TRAIL
    if held_minutes >= rule.max_hold_minutes - TOLERANCE:
        return Reason.TIME
    if closing:
        return Reason.EOD
    if day_over:
        return Reason.RISK
    return Reason.NONE
