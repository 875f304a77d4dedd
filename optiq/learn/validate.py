"""What a model must show, and in which words: the one door to honest figures.

Whatever learns here goes through three steps, and every figure it prints comes out of them:

1. `walk_forward` says which rows train, calibrate and test; `within_session` for a single day.
2. `interval` (or `mean_interval`, or the one-sided `lower_bound`) says how sure a statistic is,
   by resampling sessions, never rows.
3. `Measured` joins the figure to its `Evidence`. In-sample evidence cannot be made, and tables
   and cards accept nothing else for accuracy, precision, win rate, Sharpe or AUC.

>>> import numpy as np
>>> daily = np.linspace(-100.0, 300.0, 25)  # rupees a session
>>> gain = mean_interval(daily, np.ones(25))
>>> gain.low < 100.0 < gain.high and gain.sessions == 25
True
"""

from __future__ import annotations

from optiq.learn.intervals import (
    ENOUGH_SESSIONS,
    Interval,
    interval,
    lower_bound,
    mean_interval,
    sessions_to_prove,
    upper_bound,
)
from optiq.learn.measured import NOT_MEASURED, Evidence, Measured, in_words, pooled
from optiq.learn.splits import Fold, final_fold, fitted_until, lockbox, walk_forward, within_session

__all__ = [
    "ENOUGH_SESSIONS",
    "NOT_MEASURED",
    "Evidence",
    "Fold",
    "Interval",
    "Measured",
    "final_fold",
    "fitted_until",
    "in_words",
    "interval",
    "lockbox",
    "lower_bound",
    "mean_interval",
    "pooled",
    "sessions_to_prove",
    "upper_bound",
    "walk_forward",
    "within_session",
]
