"""Plants that let one thing be foretold from another: price from open interest, IV from itself."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optiq.market.plant_effect import (
    Effect,
    HiddenSignal,
    Hours,
    Residual,
    Seeds,
    autoregression,
)
from optiq.market.schema import FloatArray


@dataclass(frozen=True, slots=True)
class InterestLead:
    """Open interest leads the price: calls gather it before the index rises, puts before it falls.

    A hidden signal that no return shows drives both: each minute moves the log of the puts' open
    interest over the calls' by ``-flow_per_minute`` times the signal, of which half is given back
    in ``fade_minutes``, and the index drifts by ``gain_per_minute`` times the strength times the
    signal. So call_oi_flow_15m less put_oi_flow_15m nearly reveals it. Strength 1 is a drift of
    0.10 standard deviations of a minute for a signal of 1; the flows are as plain at any strength.
    """

    strength: float
    half_life_minutes: float = 30.0
    gain_per_minute: float = 0.10
    flow_per_minute: float = 0.004
    fade_minutes: float = 240.0
    name: str = "oi_lead"

    def signal(self, row_seconds: float) -> HiddenSignal:
        """Return the hidden signal; a drift grows with time, a deviation with its square root."""
        minutes = row_seconds / 60.0
        return HiddenSignal(
            gain=self.strength * self.gain_per_minute * math.sqrt(minutes),
            persistence=0.5 ** (minutes / self.half_life_minutes),
            echo=0.0,
        )

    def effect(self, hours: Hours, seeds: Seeds) -> Effect:
        """Return the signal, and how open interest follows it."""
        if self.strength == 0.0:
            return Effect()
        minutes = hours.row_minutes
        kept = 0.5 ** (minutes / self.fade_minutes)

        def gathered(signal: FloatArray) -> FloatArray:
            from scipy.signal import lfilter

            leaning: FloatArray = lfilter([-self.flow_per_minute * minutes], [1.0, -kept], signal)
            return leaning

        return Effect(signal=self.signal(hours.row_seconds), interest_of=gathered)


@dataclass(frozen=True, slots=True)
class VolatilityReversion:
    """Implied volatility strays from what the index's law expects, and comes back.

    The log of all implied volatilities has a residual of its own: normal, of mean 0 and standard
    deviation ``deviation`` times the strength, stationary from the open on, half of it gone every
    ``half_life_minutes``. Nothing else depends on it, least of all the index. So
    atm_iv_change_15m tells the sign of the next change. Strength 1 is a residual of 4 %.
    """

    strength: float
    half_life_minutes: float = 20.0
    deviation: float = 0.04
    name: str = "iv_reversion"

    def persistence(self, minutes: float) -> float:
        """Return how much of the residual is expected to be left after so many minutes."""
        return math.pow(0.5, minutes / self.half_life_minutes)

    def effect(self, hours: Hours, seeds: Seeds) -> Effect:
        """Return the residual through the session."""
        if self.strength == 0.0:
            return Effect()
        noise = seeds(f"plant {self.name} plan").standard_normal(hours.n_rows)
        kept, deviation = self.persistence(hours.row_minutes), self.strength * self.deviation
        value = deviation * autoregression(noise, kept)
        return Effect(
            volatility=Residual(value, deviation, kept), truth={f"latent_{self.name}": value}
        )

    def expected_change(self, residual: FloatArray, minutes: float) -> FloatArray:
        """Return the best forecast of the residual's change over so many minutes.

        Its correlation with what comes is ``sqrt((1 - persistence) / 2)`` of those minutes: no
        forecast has a higher one.
        """
        change: FloatArray = (self.persistence(minutes) - 1.0) * residual
        return change

    def probability_up(self, residual: FloatArray, minutes: float) -> FloatArray:
        """Return P(residual is higher after so many minutes), exactly."""
        from scipy.special import ndtr

        spread = math.sqrt(1.0 - self.persistence(minutes) ** 2) * self.strength * self.deviation
        chance: FloatArray = ndtr(self.expected_change(residual, minutes) / spread)
        return chance
