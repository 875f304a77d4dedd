"""Simulated markets that several tests look at, made once."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd

from optiq.market.plants import Momentum
from optiq.market.simulate import SimulatedDay, simulate_days
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_spot import (
    SpotLaw,
    SpotPath,
    Weather,
    overnight,
    session_path,
    variance_shares,
)

QUIET = Simulation(days=40, seed=7)
"""Forty sessions from 2025-01-01 with nothing planted."""
LAG = 15


@cache
def days_of(simulation: Simulation) -> tuple[SimulatedDay, ...]:
    return tuple(simulate_days(simulation))


@cache
def quotes() -> pd.DataFrame:
    """All quotes of the quiet market, with the middle of two-sided books and the day."""
    frame = pd.concat(
        [pd.DataFrame(day.columns).assign(date=day.date) for day in days_of(QUIET)],
        ignore_index=True,
    )
    frame["middle"] = (frame.bid + frame.ask) / 2
    frame["spread"] = frame.ask - frame.bid
    frame["sessions"] = (frame.expiry - pd.to_datetime(frame.date)).dt.days
    frame["is_nearest"] = frame.expiry == frame.groupby("date").expiry.transform("min")
    # strikes out of the money, negative in it
    frame["out"] = ((frame.strike - frame.spot) * frame.right / 50).round()
    return frame


@cache
def spot_sessions(n: int, plants: tuple[Momentum, ...] = ()) -> tuple[list[SpotPath], list[float]]:
    """Sessions of the index alone, and the level before each one's night."""
    law, rng = SpotLaw(), np.random.default_rng(20250101)
    signals = [plant.signal(60.0) for plant in plants]
    share = variance_shares(375.0, 60.0, law)
    weather, paths, before = Weather(24_000.0, 0.0, 0), [], []
    for _ in range(n):
        before.append(weather.level)
        weather = overnight(weather, law, rng)
        own = rng.standard_normal((len(signals), len(share)))
        path = session_path(weather, share, law, signals, LAG, rng, own)
        weather = Weather(float(path.level[-1]), float(path.log_volatility[-1]), weather.regime)
        paths.append(path)
    return paths, before
