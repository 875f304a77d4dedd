"""The simulated index: how one session's level moves, minute by minute, and why.

Variance is counted in sessions: 1.0 is an average session with the night before it. A row's share
follows the U of the trading day. The log of volatility wanders, remembers and rises when the
index falls; it reaches the index only ``lag`` rows later, which makes the law of the next ``lag``
rows known at every row, and the best possible forecast a formula (`simulated_truth`).
Within a session the index is a martingale unless something is planted; trend regimes work
overnight, where a strategy that is flat by the close cannot reach them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from optiq.market.plant_effect import BlockDrift, HiddenSignal, long_run_variance
from optiq.market.schema import FloatArray

SESSIONS_PER_YEAR = 252.0
REGULAR_MINUTES = 375.0


@dataclass(frozen=True, slots=True)
class SpotLaw:
    """How an index moves.

    Attributes
    ----------
    annual_volatility
        Root mean square over the long run, nights included; a fraction per year of 252 sessions.
    overnight_share
        Of a session's variance.
    memory
        How much of the log of volatility is left after a session.
    volatility_of_volatility
        Standard deviation of its news per session.
    leverage
        Correlation of that news with the index's return.
    jumps, jump_share
        Expected number in a session, and their share of the variance within it.
    jump_lean
        Mean jump in standard deviations of one.
    regime_drift, regime_stay
        Return per night in a trend (up, none or down), and the chance that it lasts another day.
    """

    annual_volatility: float = 0.13
    overnight_share: float = 0.30
    memory: float = 0.96
    volatility_of_volatility: float = 0.07
    leverage: float = -0.75
    jumps: float = 0.5
    jump_share: float = 0.10
    jump_lean: float = -0.3
    regime_drift: float = 0.0008
    regime_stay: float = 0.93

    @property
    def spread_of_log_volatility(self) -> float:
        """Standard deviation of the log of volatility over the long run."""
        return self.volatility_of_volatility / math.sqrt(1.0 - self.memory**2)

    @property
    def session_deviation(self) -> float:
        """Standard deviation of a session's return when the log of volatility is 0."""
        mean_square = math.exp(2.0 * self.spread_of_log_volatility**2)
        return self.annual_volatility / math.sqrt(SESSIONS_PER_YEAR * mean_square)

    @property
    def jump_size(self) -> tuple[float, float]:
        """Mean and standard deviation of a jump, in session deviations."""
        variance = self.jump_share / (self.jumps * (1.0 + self.jump_lean**2))
        return self.jump_lean * math.sqrt(variance), math.sqrt(variance)


@dataclass(frozen=True, slots=True)
class Weather:
    """What one session hands to the next: the index, log of volatility, and regime (-1, 0, +1)."""

    level: float
    log_volatility: float
    regime: int


@dataclass(frozen=True)
class SpotPath:
    """One session of the index; arrays are (n_rows,), each value as it stands at the row's end.

    Attributes
    ----------
    opening
        Level before the first row.
    level
        The index, unrounded.
    log_volatility
        What the options are priced on; it reaches the index ``lag`` rows later.
    share
        Of a session's variance that falls into the row.
    scale
        Volatility factor at work in the row: known ``lag`` rows before.
    deviation
        Standard deviation of the row's shock, jumps aside.
    toll
        What is taken off the row's log return, so that neither noise nor jumps add a drift.
    latent : (n_signals, n_rows)
        The hidden signals after the row.
    """

    opening: float
    level: FloatArray
    log_volatility: FloatArray
    share: FloatArray
    scale: FloatArray
    deviation: FloatArray
    toll: FloatArray
    latent: FloatArray


def variance_shares(minutes: float, row_seconds: float, law: SpotLaw) -> FloatArray:
    """Return each row's share of a session's variance: high after the open, low at noon.

    The sum is what the night leaves, less in a session shorter than usual.
    """
    height = hours_pulse(minutes, row_seconds)
    within = (1.0 - law.overnight_share) * min(1.0, minutes / REGULAR_MINUTES)
    shares: FloatArray = within * height / height.sum()
    return shares


def hours_pulse(minutes: float, row_seconds: float) -> FloatArray:
    """Return how lively each row of a session of ``minutes`` is: a U whose calm is 0.7."""
    n_rows = int(minutes * 60.0 / row_seconds)
    minute = (np.arange(n_rows) + 0.5) * (row_seconds / 60.0)
    after_open, before_close = np.exp(-minute / 22.0), np.exp((minute - minutes) / 30.0)
    pulse: FloatArray = 0.7 + 1.9 * after_open + 0.7 * before_close
    return pulse


def overnight(weather: Weather, law: SpotLaw, rng: np.random.Generator) -> Weather:
    """Return the market at the open: a gap with fat tails, the trend's step, volatility's news."""
    regime = _next_regime(weather.regime, law, rng)
    unit = rng.standard_t(5) * math.sqrt(3.0 / 5.0) * math.sqrt(law.overnight_share)
    gap = unit * law.session_deviation * math.exp(weather.log_volatility)
    fresh = rng.standard_normal() * math.sqrt(law.overnight_share * (1.0 - law.leverage**2))
    news = law.volatility_of_volatility * (law.leverage * unit + fresh)
    kept = weather.log_volatility * law.memory**law.overnight_share
    level = weather.level * math.exp(gap + regime * law.regime_drift)
    return Weather(level, kept + news, regime)


def _next_regime(regime: int, law: SpotLaw, rng: np.random.Generator) -> int:
    stays, other = rng.random(2)
    if stays < law.regime_stay:
        return regime
    choices = [r for r in (-1, 0, 1) if r != regime]
    return choices[int(other * 2)]


def session_path(
    opening: Weather,
    share: FloatArray,
    law: SpotLaw,
    signals: Sequence[HiddenSignal],
    lag: int,
    rng: np.random.Generator,
    own_noise: FloatArray,
    drifts: Sequence[BlockDrift] = (),
) -> SpotPath:
    """Walk the index through a session; ``own_noise`` (n_signals, n_rows) feeds the signals."""
    shock = rng.standard_normal(len(share))
    fresh = rng.standard_normal(len(share))
    jump = row_jumps(share, law, rng)
    before, latent = hidden_signals(signals, shock, own_noise, np.zeros(len(signals)))
    calm = law.session_deviation * np.sqrt(
        share * (1.0 - law.jump_share) / long_run_variance(signals, drifts)
    )
    gains = np.array([signal.gain for signal in signals])
    leaning = shock + gains @ before
    for drift in drifts:
        leaning += drift.gain * drift.direction
    moves = (
        leaning.tolist(),
        calm.tolist(),
        (law.session_deviation * jump).tolist(),
        (fresh * np.sqrt(share)).tolist(),
        share.tolist(),
    )
    returns, log_volatility, scale, toll = walk_rows([opening.log_volatility] * lag, law, moves)
    return SpotPath(
        opening=opening.level,
        level=opening.level * np.exp(np.cumsum(returns)),
        log_volatility=log_volatility,
        share=share,
        scale=scale,
        deviation=calm * scale,
        toll=toll,
        latent=latent,
    )


def row_jumps(share: FloatArray, law: SpotLaw, rng: np.random.Generator) -> FloatArray:
    """Return the sum of each row's jumps in session deviations, mostly 0."""
    mean, deviation = law.jump_size
    count = rng.poisson(jump_rate(share, law))
    unit = rng.standard_normal(share.shape)
    jumps: FloatArray = count * mean + np.sqrt(count) * deviation * unit
    return jumps


def jump_rate(share: FloatArray, law: SpotLaw) -> FloatArray:
    """Return the expected number of jumps in each row."""
    return law.jumps * share


def hidden_signals(
    signals: Sequence[HiddenSignal], shock: FloatArray, own_noise: FloatArray, first: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the signals before and after each row, (n_signals, n_rows) both, from ``first``."""
    after = np.zeros((len(signals), len(shock)))
    for index, signal in enumerate(signals):
        own = math.sqrt(1.0 - signal.echo**2) * own_noise[index]
        state = float(first[index])
        for row, news in enumerate((signal.news * (signal.echo * shock + own)).tolist()):
            state = signal.persistence * state + news
            after[index, row] = state
    before = np.hstack([first[:, None], after[:, :-1]])
    return before, after


def walk_rows(
    history: list[float], law: SpotLaw, moves: tuple[list[float], ...]
) -> tuple[FloatArray, ...]:
    """Return each row's log return, the log of volatility after it, its factor and its toll.

    ``history`` is the log of volatility after each row whose turn is still to come, now the last.

    Plain floats: each row needs the row before, and a loop of floats beats one of array elements.
    """
    unit_volatility = law.volatility_of_volatility * law.leverage / law.session_deviation
    own = law.volatility_of_volatility * math.sqrt(1.0 - law.leverage**2)
    forget = math.log(law.memory)
    mean, deviation = (law.session_deviation * part for part in law.jump_size)
    lag, log_volatility = len(history), history[-1]
    returns, scales, tolls = [], [], []
    for row, (shock, calm, jump, fresh, share) in enumerate(zip(*moves, strict=True)):
        scale = math.exp(history[row])
        sigma = calm * scale
        jumping = law.jumps * share * math.expm1(scale * mean + 0.5 * (scale * deviation) ** 2)
        toll = 0.5 * sigma * sigma + jumping
        noise = sigma * shock + jump * scale
        returns.append(noise - toll)
        scales.append(scale)
        tolls.append(toll)
        log_volatility += forget * share * log_volatility
        surprise = noise / scale - law.jumps * share * mean
        log_volatility += unit_volatility * surprise + own * fresh
        history.append(log_volatility)
    return np.array(returns), np.array(history[lag:]), np.array(scales), np.array(tolls)
