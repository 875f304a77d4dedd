"""Generated packages for margins: any legs around one spot, at one moment."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import numpy as np
from market_settings import random_grid
from reference_margin import MarginLeg
from reference_settings import MarginRates

TODAY = dt.date(2025, 11, 20)
DAYS = (0, 5, 12, 33)
YEAR_MINUTES = 365 * 24 * 60


class Package(NamedTuple):
    """What a margin is asked about."""

    legs: list[MarginLeg]
    spot: float
    today: dt.date
    rates: MarginRates


def random_package(seed: int) -> Package:
    """One to four legs, mostly of one expiry, some of them sold; low volatilities at times."""
    rng = np.random.default_rng(seed)
    spot = round(float(rng.uniform(20_000.0, 28_000.0)), 2)
    one_expiry = rng.random() < 0.7
    n_legs, days = int(rng.integers(1, 5)), int(rng.choice(DAYS))
    smile = rng.random() < 0.5
    level = float(rng.uniform(0.005, 0.06) if rng.random() < 0.3 else rng.uniform(0.08, 0.4))
    minute = int(rng.integers(1, 375))
    legs = []
    for _ in range(n_legs):
        days = days if one_expiry else int(rng.choice(DAYS))
        legs.append(
            MarginLeg(
                side=int(rng.choice([1, -1])),
                quantity=75 * int(rng.choice([1, 1, 1, 2, 5])),
                right=int(rng.choice([1, -1])),
                strike=50.0 * round(spot / 50.0 + int(rng.integers(-12, 13))),
                expiry=TODAY + dt.timedelta(days=days),
                price=round(float(rng.uniform(0.05, 400.0)), 2),
                forward=round(spot * (1.0 + 0.0002 * days), 2),
                iv=level * (float(rng.uniform(0.7, 1.4)) if smile else 1.0),
                years=(days * 1440 + minute) / YEAR_MINUTES,
            )
        )
    return Package(legs, spot, TODAY, MarginRates() if rng.random() < 0.4 else random_grid(rng))
