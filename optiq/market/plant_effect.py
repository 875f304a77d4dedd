"""What a planted edge does to one session: to the index's drift, and to what can be seen of it.

Two kinds of drift, both with an exact law. A `HiddenSignal` is a stationary process of mean 0 and
variance 1 at every row: ``z' = persistence * z + sqrt(1 - persistence**2) * (echo * e + sqrt(1 -
echo**2) * n)``, where e is the shock that moved the index in that row and n is noise of its own;
the next row's return drifts by ``gain * z`` standard deviations. With ``echo`` near 1 the signal
can be read from past returns; with 0 it is invisible in prices. `BlockDrift` keeps one direction
for a block of the session and draws the next one by a fair coin.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from optiq.market.schema import AnyArray, FloatArray, IntArray

Seeds = Callable[[str], np.random.Generator]
"""One independent stream for each named part of a session."""


@dataclass(frozen=True, slots=True)
class HiddenSignal:
    """How a signal lives and what it does, for rows of one length.

    Attributes
    ----------
    gain
        Drift of the next row per unit of the signal, in standard deviations of that row.
    persistence
        Autocorrelation from row to row, in [0, 1).
    echo
        Correlation of the signal's news with the shock that moved the index, in [-1, 1].
    """

    gain: float
    persistence: float
    echo: float

    @property
    def news(self) -> float:
        """Standard deviation of what is new in the signal at each row."""
        return math.sqrt(1.0 - self.persistence**2)


@dataclass(frozen=True)
class BlockDrift:
    """A drift that keeps its direction for a block of rows.

    Attributes
    ----------
    gain
        Drift of each row in its standard deviations.
    block : (n_rows,) int
        Which block a row belongs to, from 0.
    direction : (n_rows,)
        +1 or -1, a fair coin for each block, independent of all else.
    """

    gain: float
    block: IntArray
    direction: FloatArray

    @property
    def longest(self) -> int:
        """Rows in the longest block."""
        return int(np.bincount(self.block).max(initial=0))


@dataclass(frozen=True)
class Residual:
    """What implied volatilities have of their own: a stationary process of mean 0.

    Attributes
    ----------
    value : (n_rows,)
        Added to the log of every implied volatility.
    deviation, persistence
        Of the process, the latter from row to row.
    """

    value: FloatArray
    deviation: float
    persistence: float

    def futures(self, row: int, n: int, rng: np.random.Generator) -> FloatArray:
        """Return ``n`` ways for it to go on after ``row``, (n, n_rows) with the past it had."""
        noise = rng.standard_normal((n, len(self.value) - row))
        noise[:, 0] = self.value[row] / self.deviation if self.deviation else 0.0
        ahead = self.deviation * autoregression(noise, self.persistence)
        past = np.broadcast_to(self.value[:row], (n, row))
        return np.concatenate([past, ahead], axis=1)


def autoregression(noise: FloatArray, persistence: float) -> FloatArray:
    """Return processes (..., n_rows) of mean 0 and variance 1 that start at their first noise."""
    from scipy.signal import lfilter

    news = math.sqrt(1.0 - persistence**2) * noise
    news[..., 0] = noise[..., 0]
    process: FloatArray = lfilter([1.0], [1.0, -persistence], news)
    return process


@dataclass(frozen=True)
class Effect:
    """What one plant does in one session; arrays are (n_rows,), None where it does nothing.

    Attributes
    ----------
    interest, gathering
        Added to the log of the puts' open interest over the calls', half to either, and to the log
        of all open interest. What is left of them at the last row stays in the book.
    interest_of
        The former, from the values of the signal.
    skew
        Added to the slope of the smile.
    volatility
        What implied volatilities have of their own.
    activity
        Added to the log of the puts' volume over the calls', half to either.
    truth
        What to write down of it, by column.
    """

    signal: HiddenSignal | None = None
    drift: BlockDrift | None = None
    interest: FloatArray | None = None
    interest_of: Callable[[FloatArray], FloatArray] | None = None
    gathering: FloatArray | None = None
    skew: FloatArray | None = None
    volatility: Residual | None = None
    activity: FloatArray | None = None
    truth: Mapping[str, AnyArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Hours:
    """The rows of a session: how many, and how long each is."""

    n_rows: int
    row_seconds: float

    @property
    def row_minutes(self) -> float:
        """Minutes from row to row."""
        return self.row_seconds / 60.0

    @property
    def minute(self) -> FloatArray:
        """Minutes from the open to the beginning of each row, (n_rows,)."""
        return np.arange(self.n_rows, dtype=np.float64) * self.row_minutes

    @property
    def minutes_left(self) -> FloatArray:
        """Minutes from the end of each row to the end of the last one, (n_rows,)."""
        return np.arange(self.n_rows, dtype=np.float64)[::-1] * self.row_minutes


def blocks(hours: Hours, minutes: float) -> IntArray:
    """Return which block of so many minutes each row begins in, (n_rows,) from 0."""
    block: IntArray = np.floor(hours.minute / minutes + 1e-9).astype(np.int64)
    return block


def block_drift(
    hours: Hours, block_minutes: float, gain_per_minute: float, rng: np.random.Generator
) -> BlockDrift:
    """Return a drift of a fair coin a block; the first rows do not depend on how many there are.

    A drift grows with time, a deviation with its square root.
    """
    block = blocks(hours, block_minutes)
    coins = np.where(rng.random(int(block[-1]) + 1) < 0.5, -1.0, 1.0)
    gain = gain_per_minute * math.sqrt(hours.row_minutes)
    return BlockDrift(gain=gain, block=block, direction=coins[block])


def approach(target: FloatArray, row_minutes: float, minutes: float) -> FloatArray:
    """Return what starts at 0 and closes all but 1/e of the gap to ``target`` in ``minutes``."""
    from scipy.signal import lfilter

    kept = math.exp(-row_minutes / minutes)
    reached: FloatArray = lfilter([1.0 - kept], [1.0, -kept], target)
    return reached


def long_run_variance(signals: Sequence[HiddenSignal], drifts: Sequence[BlockDrift] = ()) -> float:
    """Return the variance per row of a long sum of returns whose shocks have variance 1.

    Persistent drifts widen a day's range far beyond that of its minutes. The simulator divides its
    shocks by the root of this, so that a plant changes the order of a day's moves, not their size,
    and a straddle held for a day is worth no more than without it.
    """
    echoed = 1.0 + sum(s.gain * s.news * s.echo / (1.0 - s.persistence) for s in signals)
    own = sum((s.gain * s.news / (1.0 - s.persistence)) ** 2 * (1.0 - s.echo**2) for s in signals)
    return echoed**2 + own + sum(drift.gain**2 * drift.longest for drift in drifts)
