"""What earlier sessions say, and what a model said about this one."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass, field, replace

import numpy as np

from optiq.market.read_only import freeze
from optiq.market.schema import FloatArray, TimeArray


def _no_days() -> TimeArray:
    return np.empty(0, "datetime64[D]")


def _no_values() -> FloatArray:
    return np.empty(0, np.float64)


@dataclass(frozen=True, slots=True)
class Context:
    """The days before this one, oldest first, and the direction model's view of this one.

    Attributes
    ----------
    sessions : (n_days,) datetime64[D]
        Stored sessions strictly before the panel's date.
    closes : (n_days,) float
        Underlying level at each session's last chain row, rupees; NaN where unknown.
    atm_iv : (n_days,) float
        At-the-money implied volatility there, annualised fraction; NaN where unknown.
    direction : (n_rows, 3) float or None
        Probabilities of sell, hold, buy on each chain row of the panel; None without a model.
    direction_threshold : float
        The confidence from which that model's calls are worth acting on, a probability; infinity
        where none is, NaN where the model does not say.
    """

    sessions: TimeArray = field(default_factory=_no_days)
    closes: FloatArray = field(default_factory=_no_values)
    atm_iv: FloatArray = field(default_factory=_no_values)
    direction: FloatArray | None = None
    direction_threshold: float = math.nan

    def __post_init__(self) -> None:
        freeze(self, ("sessions", "closes", "atm_iv", "direction"))

    def before(self, date: dt.date) -> Context:
        """Return what the sessions before a date say, for a panel of that date."""
        known = slice(int(np.searchsorted(self.sessions, np.datetime64(date))))
        return Context(self.sessions[known], self.closes[known], self.atm_iv[known])

    def until(self, n_rows: int) -> Context:
        """Return what was known after ``n_rows`` rows of the panel."""
        if self.direction is None:
            return self
        return replace(self, direction=self.direction[:n_rows])

    def tail(self, start: int) -> Context:
        """Return what belongs to the panel's rows from ``start`` on."""
        if self.direction is None or start == 0:
            return self
        return replace(self, direction=self.direction[start:])
