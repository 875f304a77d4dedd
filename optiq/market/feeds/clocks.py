"""The time of day and waiting, as values: a test hands over others."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optiq.market.schema import IST


@dataclass(frozen=True, slots=True)
class Clock:
    """``now`` gives datetime64[us] UTC; ``sleep`` waits some seconds."""

    now: Callable[[], np.datetime64]
    sleep: Callable[[float], object]

    def today(self) -> dt.date:
        """Return the day in India."""
        moment: dt.datetime = self.now().astype("datetime64[us]").item()
        return moment.replace(tzinfo=dt.UTC).astimezone(IST).date()


def system_clock() -> Clock:
    """Return the machine's own."""
    return Clock(lambda: np.datetime64(time.time_ns() // 1000, "us"), time.sleep)


def in_slices(clock: Clock, between: Callable[[], object], longest_s: float = 0.25) -> Clock:
    """Return a clock that calls ``between`` at least every ``longest_s`` while it sleeps.

    However the clock is set meanwhile, nobody sleeps longer than was asked for.
    """

    def sleep(whole: float) -> None:
        ends, slept = clock.now() + span(whole), 0.0
        while (left := min(seconds(ends - clock.now()), whole - slept)) > 0.0:
            part = min(left, longest_s)
            clock.sleep(part)
            slept += part
            between()

    return Clock(clock.now, sleep)


def seconds(span: np.timedelta64) -> float:
    """Return a span in seconds."""
    return float(span / np.timedelta64(1, "s"))


def span(of_seconds: float) -> np.timedelta64:
    """Return seconds as a span, to the microsecond."""
    return np.timedelta64(round(of_seconds * 1e6), "us")
