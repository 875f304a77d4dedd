"""Sessions of the index alone under a plant, which cost milliseconds."""

from __future__ import annotations

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from simulated import LAG

from optiq.market.plant_effect import Hours
from optiq.market.plants import Plant
from optiq.market.schema import AnyArray, FloatArray
from optiq.market.simulated_plants import Planted, planted
from optiq.market.simulated_spot import (
    SpotLaw,
    SpotPath,
    Weather,
    overnight,
    session_path,
    variance_shares,
)
from optiq.market.simulated_truth import probability_up

LAW = SpotLaw()


class IndexSession(NamedTuple):
    path: SpotPath
    plan: Planted

    @property
    def truth(self) -> dict[str, AnyArray]:
        return self.plan.truth(self.path.latent)

    @property
    def drift(self) -> FloatArray:
        """What the truth says of each row's drift, in its standard deviations."""
        drift = np.zeros(len(self.path.level))
        for signal, value in zip(self.plan.signals, self.path.latent, strict=True):
            drift[1:] += signal.gain * value[:-1]
        for block in self.plan.drifts:
            drift += block.gain * block.direction
        return drift

    @property
    def returns(self) -> FloatArray:
        """Returns in their standard deviations, jumps cut down: they are another matter."""
        moved = np.diff(np.log(self.path.level), prepend=math.log(self.path.opening))
        return np.clip((moved + self.path.toll) / self.path.deviation, -6.0, 6.0)

    @property
    def chance_up(self) -> FloatArray:
        return probability_up(self.path, LAW, self.plan.signals, LAG, self.plan.drifts)


@cache
def index_sessions(n: int, plant: Plant) -> list[IndexSession]:
    rng = np.random.default_rng(20250101)
    share, hours = variance_shares(375.0, 60.0, LAW), Hours(375, 60.0)
    weather, found = Weather(24_000.0, 0.0, 0), []
    for number in range(n):
        plan = planted((plant,), hours, lambda part, n=number: stream(n, part))
        weather = overnight(weather, LAW, rng)
        path = session_path(
            weather, share, LAW, plan.signals, LAG, rng, plan.own_noise, plan.drifts
        )
        weather = Weather(float(path.level[-1]), float(path.log_volatility[-1]), weather.regime)
        found.append(IndexSession(path, plan))
    return found


def stream(session: int, part: str) -> np.random.Generator:
    return np.random.default_rng([session, *part.encode()])
