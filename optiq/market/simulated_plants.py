"""What all planted edges of a simulated market do together in one session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from optiq.market.plant_effect import BlockDrift, Effect, HiddenSignal, Hours, Seeds
from optiq.market.plants import Plant
from optiq.market.schema import AnyArray, FloatArray


@dataclass(frozen=True)
class Planted:
    """The plants' effects on one session, in the order of the plants.

    ``own_noise`` (n_signals, n_rows) feeds the hidden signals with what the index does not show.
    """

    hours: Hours
    names: tuple[str, ...]
    effects: tuple[Effect, ...]
    own_noise: FloatArray

    @property
    def signals(self) -> list[HiddenSignal]:
        """The hidden signals, of those plants that have one."""
        return [effect.signal for effect in self.effects if effect.signal is not None]

    @property
    def drifts(self) -> list[BlockDrift]:
        """The drifts that go by blocks, of those plants that have one."""
        return [effect.drift for effect in self.effects if effect.drift is not None]

    def interest(self, latent: FloatArray) -> tuple[FloatArray, FloatArray] | None:
        """Return what is added to the log of the calls' and of the puts' open interest, or None.

        (n_rows,) each; ``latent`` (n_signals, n_rows) are the signals' values.
        """
        gathering = self._sum(lambda effect: effect.gathering)
        leaning = self._sum(lambda effect: effect.interest)
        followed = [e.interest_of for e in self.effects if e.signal is not None]
        for value, follow in zip(latent, followed, strict=True):
            if follow is not None:
                leaning = follow(value) + (0.0 if leaning is None else leaning)
        if leaning is None and gathering is None:
            return None
        both = np.zeros(1) if gathering is None else gathering
        half = np.zeros(1) if leaning is None else 0.5 * leaning
        return both - half, both + half

    @property
    def skew(self) -> FloatArray | None:
        """Added to the slope of the smile, (n_rows,) or None."""
        return self._sum(lambda effect: effect.skew)

    @property
    def volatility(self) -> FloatArray | None:
        """Added to the log of every implied volatility, (n_rows,) or None."""
        return self._sum(lambda effect: effect.volatility.value if effect.volatility else None)

    def volatility_futures(self, row: int, n: int, rng: np.random.Generator) -> FloatArray | None:
        """Return ``n`` ways for `volatility` to go on after ``row``, (n, n_rows) or None."""
        strays = [effect.volatility for effect in self.effects if effect.volatility is not None]
        return np.sum([s.futures(row, n, rng) for s in strays], axis=0) if strays else None

    @property
    def activity(self) -> FloatArray | None:
        """Added to the log of the puts' volume over the calls', (n_rows,) or None."""
        return self._sum(lambda effect: effect.activity)

    def truth(self, latent: FloatArray) -> dict[str, AnyArray]:
        """Return the columns of the truth; ``latent`` (n_signals, n_rows) are the signals' values.

        ``latent_<plant>`` is what the next drift is a multiple of.
        """
        columns: dict[str, AnyArray] = {}
        values = iter(latent)
        for name, effect in zip(self.names, self.effects, strict=True):
            hidden = np.zeros(latent.shape[1])
            if effect.signal is not None:
                hidden = hidden + next(values)
            if effect.drift is not None:
                hidden = hidden + effect.drift.direction
            columns |= {f"latent_{name}": hidden, **effect.truth}
        return columns

    def _sum(self, part: Callable[[Effect], FloatArray | None]) -> FloatArray | None:
        parts = [value for effect in self.effects if (value := part(effect)) is not None]
        return np.sum(parts, axis=0) if parts else None


def planted(plants: Sequence[Plant], hours: Hours, seeds: Seeds) -> Planted:
    """Return what the plants do in a session of these rows."""
    effects = [plant.effect(hours, seeds) for plant in plants]
    noise = [
        seeds(f"plant {plant.name}").standard_normal(hours.n_rows)
        for plant, effect in zip(plants, effects, strict=True)
        if effect.signal is not None
    ]
    return Planted(
        hours=hours,
        names=tuple(plant.name for plant in plants),
        effects=tuple(effects),
        own_noise=np.reshape(noise, (len(noise), hours.n_rows)),
    )
