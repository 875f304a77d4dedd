"""What the days of a run say about a strategy, in one honest word."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from optiq.market.schema import FloatArray

MIN_DAYS = 10
CONFIDENCE = 0.95


class Verdict(Enum):
    """What can be said, at 95 % over days."""

    NO_TRADES = "does not trade"
    TOO_FEW = "too few days to say"
    WINS = "wins net of charges"
    DIES = "has an edge, and dies of charges"
    LOSES = "loses"
    NOISE = "is noise"


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean a day in rupees with its interval; NaN bounds where there are too few days."""

    mean: float
    low: float
    high: float


def daily_interval(rupees_a_day: FloatArray) -> Interval:
    """Return the mean and its 95 % t-interval over days: days are the blocks, not trades.

    Trades of one day share that day's market; resampling them would claim certainty that is not
    there.
    """
    from scipy.stats import t

    n = len(rupees_a_day)
    mean = float(np.mean(rupees_a_day)) if n else math.nan
    if n < MIN_DAYS:
        return Interval(mean, math.nan, math.nan)
    error = float(np.std(rupees_a_day, ddof=1)) / math.sqrt(n)
    reach = float(t.ppf(0.5 + CONFIDENCE / 2, n - 1)) * error
    return Interval(mean, mean - reach, mean + reach)


def verdict(trades: int, gross: Interval, net: Interval) -> Verdict:
    """Return the word for a strategy's days, from its gross and net intervals.

    >>> verdict(40, Interval(900.0, 300.0, 1500.0), Interval(-50.0, -650.0, 550.0)).value
    'has an edge, and dies of charges'
    """
    if trades == 0:
        return Verdict.NO_TRADES
    if math.isnan(net.low):
        return Verdict.TOO_FEW
    if net.low > 0:
        return Verdict.WINS
    if gross.low > 0:
        return Verdict.DIES
    return Verdict.LOSES if net.high < 0 else Verdict.NOISE
