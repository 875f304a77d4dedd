"""The simulated options' worth: forwards, variance yet to come, the smile, and prices.

Options are priced on the variance that the index's own law still expects before their expiry, a
little raised: `SurfaceLaw.variance_premium` is what a buyer loses on average. Time that has no
variance in it costs nothing, so there is nothing to earn by holding options through the lively
hour or over a weekend.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from optiq.market.black76 import black76_price
from optiq.market.schema import CE, MINUTES_PER_YEAR, FloatArray, IntArray
from optiq.market.simulated_spot import SpotLaw, SpotPath


@dataclass(frozen=True, slots=True)
class SurfaceLaw:
    """What the options add to the index's law.

    Attributes
    ----------
    variance_premium
        Implied over expected variance at the money.
    smile_near, smile_far, skew_near, skew_far
        Curvature and slope of the smile for an expiry at hand and one far off, in the units of
        `smile`; between them the change fades with ``fade_sessions``.
    carry, carry_spread
        Mean and day-to-day spread of the forward's premium over the index, per year.
    """

    variance_premium: float = 1.18
    smile_near: float = 1.20
    smile_far: float = 0.35
    skew_near: float = -0.08
    skew_far: float = -0.21
    fade_sessions: float = 5.0
    carry: float = 0.03
    carry_spread: float = 0.004


@dataclass(frozen=True, slots=True)
class Mood:
    """What one session's surface hands to the next.

    ``tilt`` multiplies the skew, ``carry`` is the forward's premium per year.
    """

    tilt: float
    carry: float


@dataclass(frozen=True)
class Surface:
    """The options' law through a session, (n_expiries, n_rows) each.

    Attributes
    ----------
    forward
        Rupees.
    variance
        Implied at the money, of the log of the index from the row to the expiry; 0 at its end.
    smile, skew
        Curvature and slope.
    """

    forward: FloatArray
    variance: FloatArray
    smile: FloatArray
    skew: FloatArray


@dataclass(frozen=True)
class Strain:
    """What plants do to a session's surface, (n_rows,) each or None where nothing.

    Added to the slope of the smile, and to the log of every implied volatility.
    """

    skew: FloatArray | None = None
    volatility: FloatArray | None = None


NO_STRAIN = Strain()


def next_mood(mood: Mood, law: SurfaceLaw, rng: np.random.Generator) -> Mood:
    """Return the next session's skew and carry."""
    tilt, carry = rng.standard_normal(2)
    return Mood(
        tilt=float(np.exp(0.9 * np.log(mood.tilt) + 0.06 * tilt)),
        carry=law.carry + 0.8 * (mood.carry - law.carry) + 0.6 * law.carry_spread * float(carry),
    )


def session_surface(
    path: SpotPath,
    mood: Mood,
    sessions_left: IntArray,
    minutes_left: FloatArray,
    spot_law: SpotLaw,
    law: SurfaceLaw,
    strain: Strain = NO_STRAIN,
) -> Surface:
    """Return the surface of a session.

    ``sessions_left`` (n_expiries,) counts the sessions after this one up to the expiry;
    ``minutes_left`` (n_expiries, n_rows) are calendar minutes to its close.
    """
    today = path.share.sum() - np.cumsum(path.share)
    today = np.maximum(today, 0.0)
    units = expected_variance(path.log_volatility, today, sessions_left, spot_law)
    nearness = np.exp(-(today + sessions_left[:, None]) / law.fade_sessions)
    carry = mood.carry * minutes_left / MINUTES_PER_YEAR
    skew = mood.tilt * (law.skew_far + (law.skew_near - law.skew_far) * nearness)
    variance = law.variance_premium * spot_law.session_deviation**2 * units
    if strain.volatility is not None:
        variance = variance * np.exp(2.0 * strain.volatility)
    return Surface(
        forward=path.level * np.exp(carry),
        variance=variance,
        smile=law.smile_far + (law.smile_near - law.smile_far) * nearness,
        skew=skew if strain.skew is None else skew + strain.skew,
    )


def expected_variance(
    log_volatility: FloatArray, today: FloatArray, sessions_left: IntArray, law: SpotLaw
) -> FloatArray:
    """Return the variance expected before each expiry, (n_expiries, n_rows), in sessions.

    ``today`` is what the session itself still holds. The log of volatility returns to its mean at
    ``law.memory`` a session, and the mean of its exponential grows with what is not known yet.
    """
    most = int(sessions_left.max(initial=0))
    ahead = np.arange(most + 1)[:, None]
    kept = np.where(ahead > 0, law.memory ** (ahead - 0.5), 1.0)
    unknown = law.spread_of_log_volatility**2 * (1.0 - kept**2)
    per_session = np.exp(2.0 * kept * log_volatility + 2.0 * unknown)
    later = np.vstack([np.zeros_like(log_volatility), np.cumsum(per_session[1:], axis=0)])
    expected: FloatArray = per_session[0] * today + later[sessions_left]
    return expected


def smile(distance: FloatArray, curvature: FloatArray, slope: FloatArray) -> FloatArray:
    """Return implied variance over that at the money, ``distance`` deviations from the forward.

    A hyperbola (SVI): 1 at the money, ``slope`` there, parabolic near it, straight in the wings.

    >>> smile(np.array([-2.0, 0.0, 2.0]), np.array(0.6), np.array(-0.15)).round(3)
    array([1.663, 1.   , 1.063])
    """
    width = 3.0
    bend = np.sqrt(distance**2 + width**2) - width
    return np.maximum(1.0 + curvature * bend + slope * distance, 0.2)


def distances(
    surface: Surface, expiry_index: IntArray, strike: FloatArray, *, least: float = 1e-4
) -> FloatArray:
    """Return how far each strike lies above its forward, in deviations: (n_strikes, n_rows).

    The deviation never counts as less than ``least``, so that an expiry's last minutes stay finite.
    """
    deviation = np.maximum(np.sqrt(surface.variance), least)
    away: FloatArray = (
        np.log(strike)[:, None] - np.log(surface.forward)[expiry_index]
    ) / deviation[expiry_index]
    return away


def fair_prices(
    surface: Surface, expiry_index: IntArray, strike: FloatArray, distance: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the worth of the call and the put at each (expiry, strike), (n_strikes, n_rows)."""
    shape = smile(distance, surface.smile[expiry_index], surface.skew[expiry_index])
    deviation = np.sqrt(surface.variance[expiry_index] * shape)
    forward, strikes = surface.forward[expiry_index], strike[:, None]
    call = black76_price(forward, strikes, np.array(1.0), deviation, np.array(CE))
    return call, np.maximum(call - (forward - strikes), 0.0)
