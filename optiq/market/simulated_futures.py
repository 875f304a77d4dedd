"""What could have come next: the index drawn on from a row, by the law that made it.

Everything that was so at the end of the row stays so, hidden or not; everything after it is drawn
anew. Chances counted over such futures are those of somebody who sees the whole hidden state, which
no forecast can beat: `best_forecast` says what they are worth.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optiq.errors import InputError
from optiq.market.plant_effect import BlockDrift
from optiq.market.schema import FloatArray, IntArray
from optiq.market.simulate import index_days
from optiq.market.simulated_index import IndexDay
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_spot import SpotLaw, SpotPath, hidden_signals, row_jumps, walk_rows

SELL, HOLD, BUY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class Futures:
    """Ways the index could have gone on, (n_futures, n_rows_ahead) each: level, log of volatility.

    ``deviation`` is the standard deviation of each row's shock, jumps aside.
    """

    level: FloatArray
    log_volatility: FloatArray
    deviation: FloatArray


def futures(
    day: IndexDay, law: SpotLaw, lag: int, row: int, ahead: int, n: int, rng: np.random.Generator
) -> Futures:
    """Return ``n`` futures of up to ``ahead`` rows after ``row``; the session's end cuts them.

    ``lag`` is the simulation's ``horizon_rows``: how late volatility's news reaches the index.
    """
    path, signals = day.path, day.plan.signals
    rows = slice(row + 1, min(row + 1 + ahead, len(path.level)))
    share, calm = path.share[rows], (path.deviation / path.scale)[rows]
    size = (n, len(share))
    shock, fresh = rng.standard_normal(size), rng.standard_normal(size)
    jump = law.session_deviation * row_jumps(np.broadcast_to(share, size), law, rng)
    own = rng.standard_normal((n, len(signals), size[1]))
    leaning = shock + sum(_directions(drift, row, rows, n, rng) for drift in day.plan.drifts)
    gains = np.array([signal.gain for signal in signals])
    history = _awaited(path, lag, row)
    drawn = []
    for k in range(n):
        before, _ = hidden_signals(signals, shock[k], own[k], path.latent[:, row])
        steps = (leaning[k] + gains @ before, calm, jump[k], fresh[k] * np.sqrt(share), share)
        drawn.append(walk_rows(list(history), law, tuple(step.tolist() for step in steps)))
    returns, log_volatility, scale, _ = (np.array(part) for part in zip(*drawn, strict=True))
    return Futures(
        level=path.level[row] * np.exp(np.cumsum(returns, axis=1)),
        log_volatility=log_volatility,
        deviation=calm * scale,
    )


def _awaited(path: SpotPath, lag: int, row: int) -> list[float]:
    """Return the log of volatility after the last ``lag`` rows; before the open its value there."""
    opening = float(np.log(path.scale[0]))
    known: list[float] = path.log_volatility[: row + 1].tolist()
    return ([opening] * lag + known)[-lag:]


def _directions(
    drift: BlockDrift, row: int, rows: slice, n: int, rng: np.random.Generator
) -> FloatArray:
    """Return drifts of the rows ahead, (n, n_ahead): the block's own, then those of fair coins."""
    later = drift.block[rows] - drift.block[row]
    coins = np.where(rng.random((n, int(later.max(initial=0)) + 1)) < 0.5, -1.0, 1.0)
    coins[:, 0] = drift.direction[row]
    return drift.gain * coins[:, later]


@dataclass(frozen=True, slots=True)
class Barrier:
    """A question of direction, asked on the snapshot of ``date`` at ``ts`` (UTC).

    From the next snapshot on: will the index first be a fraction ``width`` above its level there,
    as much below, or neither within ``minutes``?
    """

    date: dt.date
    ts: np.datetime64
    width: float
    minutes: float


def barrier_chances(
    simulation: Simulation, asked: Sequence[Barrier], n: int = 400, seed: int = 0
) -> FloatArray:
    """Return P(sell, hold, buy | everything hidden) counted over ``n`` futures, (2, n_asked, 3).

    In two independent halves of ``n / 2``: see `best_forecast.best_scores` for why. A chance p has
    a standard error of ``sqrt(p * (1 - p) / n)``. The level is the index; a forward of the same
    session moves with it but for its quotes' rounding. NaN where the session ends first.
    """
    chances = np.full((2, len(asked), 3), np.nan)
    by_date: dict[dt.date, list[int]] = {}
    for number, question in enumerate(asked):
        by_date.setdefault(question.date, []).append(number)
    for day in index_days(simulation):
        for number in by_date.pop(day.session.date, ()):
            rng = np.random.default_rng([seed, number])
            for half in (0, 1):
                chances[half, number] = _touches(simulation, day, asked[number], n // 2, rng)
    if by_date:
        raise InputError(f"{min(by_date)} is not simulated", "ask about sessions of the simulation")
    return chances


def _touches(
    simulation: Simulation, day: IndexDay, question: Barrier, n: int, rng: np.random.Generator
) -> FloatArray:
    row = row_at(day, question.ts)
    ahead = 1 + round(question.minutes * 60.0 / simulation.row_seconds)
    if row + ahead >= len(day.ts):
        return np.full(3, np.nan)
    law, lag = simulation.laws.spot, simulation.horizon_rows
    level = futures(day, law, lag, row, ahead, n, rng).level
    first = first_touch(level[:, 1:] / level[:, :1] - 1.0, question.width)
    return np.bincount(first, minlength=3) / n


def first_touch(gain: FloatArray, width: float) -> IntArray:
    """Return sell, hold or buy of each path (n_paths, n_rows) of gains: what it touches first."""
    touched = np.abs(gain) >= width
    at = touched.argmax(axis=1)
    side = np.where(gain[np.arange(len(gain)), at] > 0, BUY, SELL)
    return np.where(touched.any(axis=1), side, HOLD)


def row_at(day: IndexDay, ts: np.datetime64) -> int:
    """Return the row of a moment of the session; `InputError` where there was no snapshot."""
    row = int(np.searchsorted(day.ts, ts))
    if row == len(day.ts) or day.ts[row] != ts:
        raise InputError(f"no snapshot at {ts} UTC", "ask about a moment in the truth's ts")
    return row
