"""The simulated open interest: carried from session to session, gathered at round strikes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from optiq.market.schema import BoolArray, FloatArray, IntArray

ContractKey = tuple[dt.date, float, int]
"""Expiry, strike in rupees, right (+1/-1)."""


@dataclass(frozen=True, slots=True)
class InterestLaw:
    """How positions build up.

    Attributes
    ----------
    peak_lots
        Of a round strike at the money of the nearest expiry in its last days.
    later_expiry
        The next expiry's against the nearest one's.
    builds
        How much of the way to its level a contract goes in a session.
    unrest
        Spread of a session's net change, of that level.
    closing
        What is left on expiry day of the interest before it.
    """

    peak_lots: float = 250_000.0
    later_expiry: float = 0.12
    builds: float = 0.30
    unrest: float = 0.12
    closing: float = 0.55


def usual_lots(
    depth: FloatArray,
    strike: FloatArray,
    step: float,
    is_nearest: BoolArray,
    sessions_left: IntArray,
    law: InterestLaw,
) -> FloatArray:
    """Return the level each contract tends to, (n_contracts,): out of the money and round."""
    fade = np.exp(np.where(depth > 0, -depth / 0.7, depth / 1.8))
    rounds = np.select(
        [strike % (20 * step) == 0, strike % (10 * step) == 0, strike % (2 * step) == 0],
        [2.5, 1.8, 1.2],
        1.0,
    )
    maturity = 0.25 + 0.75 * np.exp(-sessions_left / 3.0)
    expiry = np.where(is_nearest, 1.0, law.later_expiry)
    lots: FloatArray = 0.4 * law.peak_lots * fade * rounds * maturity * expiry + 20.0
    return lots


def before_the_open(
    keys: list[ContractKey],
    carried: Mapping[ContractKey, float],
    usual: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Return each contract's lots at the last close; one not quoted before gets its own."""
    fresh = np.floor(usual * rng.uniform(0.4, 0.9, len(usual)))
    return np.array(
        [carried.get(key, own) for key, own in zip(keys, fresh.tolist(), strict=True)], np.float64
    )


def session_interest(
    previous: FloatArray,
    usual: FloatArray,
    expires_today: BoolArray,
    traded_share: FloatArray,
    law: InterestLaw,
    rng: np.random.Generator,
) -> FloatArray:
    """Return open interest in whole lots, (n_contracts, n_rows), never negative.

    It moves as volume comes in (``traded_share`` (n_rows,) rises to 1) towards the day's end, with
    a wander of its own.
    """
    n_contracts, n_rows = len(previous), len(traded_share)
    toward = law.builds * (usual - previous)
    net = toward + law.unrest * usual * rng.standard_t(4, n_contracts)
    net = np.where(expires_today, (law.closing - 1.0) * previous, net)
    steps = rng.standard_normal((n_contracts, n_rows), np.float32)
    wander = np.cumsum(steps * (0.015 / np.sqrt(n_rows)), axis=1)
    lots = previous[:, None] + net[:, None] * traded_share + usual[:, None] * wander
    whole: FloatArray = np.maximum(np.round(lots), 0.0)
    return whole
