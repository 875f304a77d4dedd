"""The best possible forecast of a simulated index, from the simulator's own law."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from optiq.market.plant_effect import BlockDrift, HiddenSignal
from optiq.market.schema import FloatArray
from optiq.market.simulated_spot import SpotLaw, SpotPath, jump_rate

MOST_JUMPS = 4
"""Within one horizon; more have a chance below one in a million."""


def probability_up(
    path: SpotPath,
    law: SpotLaw,
    signals: Sequence[HiddenSignal],
    lag: int,
    drifts: Sequence[BlockDrift] = (),
) -> FloatArray:
    """Return P(level ``lag`` rows later > level now | everything hidden), (n_rows,).

    Given the hidden state, the shocks of the next ``lag`` rows are jointly normal with known
    deviations, and the number of jumps among them is Poisson: the sum is a mixture of normals. The
    only approximation is that jumps in one horizon share one size; it is worth under 0.0001.
    Drifts by blocks add a fair coin for each block that begins within the horizon.
    NaN where the session ends first.
    """
    n_rows = len(path.level)
    chances = np.full(n_rows, np.nan)
    n_known = n_rows - lag
    if n_known <= 0:
        return chances
    mean, variance = _normal_part(path, signals, lag)
    expected_jumps = _ahead(jump_rate(path.share, law), lag).sum(axis=1)
    scale = np.sqrt(
        (_ahead(path.share * path.scale**2, lag).sum(axis=1)) / _ahead(path.share, lag).sum(axis=1)
    )
    size, spread = (law.session_deviation * scale * part for part in law.jump_size)
    total = np.zeros(n_known)
    moves = _block_drifts(path, drifts, lag)
    for count in range(MOST_JUMPS + 1):
        weight = np.exp(-expected_jumps) * expected_jumps**count / math.factorial(count)
        around, spreading = mean + count * size, variance + count * spread**2
        for drift in moves:
            total += weight / len(moves) * _normal_above_zero(around + drift, spreading)
    chances[:n_known] = total
    return chances


def _block_drifts(path: SpotPath, drifts: Sequence[BlockDrift], lag: int) -> list[FloatArray]:
    """Return what drifts by blocks may add to the next ``lag`` rows, each as likely as the other.

    (n_known_rows,) each: the present block's direction is known, those of later blocks are coins.
    """
    n_known = len(path.level) - lag
    moves = [np.zeros(n_known)]
    for drift in drifts:
        pull = drift.gain * _ahead(path.deviation, lag)
        later = _ahead(drift.block.astype(np.float64), lag) - drift.block[:n_known, None]
        known = (pull * (later == 0)).sum(axis=1) * drift.direction[:n_known]
        moves = [move + known for move in moves]
        for block in range(1, int(later.max(initial=0)) + 1):
            step = (pull * (later == block)).sum(axis=1)
            moves = [move + side * step for move in moves for side in (1.0, -1.0)]
    return moves


def _normal_above_zero(mean: FloatArray, variance: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    above: FloatArray = ndtr(mean / np.sqrt(variance))
    return above


def _ahead(values: FloatArray, lag: int) -> FloatArray:
    """Return, for each row that has them, the values of the next ``lag`` rows."""
    windows: FloatArray = np.lib.stride_tricks.sliding_window_view(values[1:], lag)
    return windows


def _normal_part(
    path: SpotPath, signals: Sequence[HiddenSignal], lag: int
) -> tuple[FloatArray, FloatArray]:
    """Return mean and variance of the log return over the next ``lag`` rows, jumps aside.

    A shock counts once where it falls and again in every later row that the signal carries it to.
    """
    deviation = _ahead(path.deviation, lag)
    mean = -_ahead(path.toll, lag).sum(axis=1)
    shared = deviation.copy()
    own = np.zeros(len(deviation))
    steps = np.arange(lag)
    for index, signal in enumerate(signals):
        decay = signal.persistence**steps
        mean += signal.gain * path.latent[index, : len(deviation)] * (deviation * decay).sum(axis=1)
        carried = signal.gain * signal.news * _carried(deviation, signal.persistence)
        shared += signal.echo * carried
        own += (1.0 - signal.echo**2) * (carried**2).sum(axis=1)
    return mean, (shared**2).sum(axis=1) + own


def _carried(deviation: FloatArray, persistence: float) -> FloatArray:
    """Return what a unit of news in each row adds to the drifts of the later rows."""
    carried = np.zeros_like(deviation)
    for row in range(deviation.shape[1] - 2, -1, -1):
        carried[:, row] = deviation[:, row + 1] + persistence * carried[:, row + 1]
    return carried
