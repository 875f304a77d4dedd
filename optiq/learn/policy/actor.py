"""A trained actor without its training: a state dict read back, and the same numbers said of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from optiq.errors import DamagedError
from optiq.learn.policy.choosers import SAC, products
from optiq.learn.policy.observed import Statistics
from optiq.market.schema import BoolArray, FloatArray

if TYPE_CHECKING:
    import torch

LAYERS = ("latent_pi.0", "mu")
"""The layers that serve, as stable-baselines3 names them: a hidden one, and the mean action."""


@dataclass(frozen=True)
class Actor:
    """The mean action of a trained actor: preferences between -1 and 1.

    ``layers`` are weights (out, in) and bias (out,) of the hidden and the last layer. ``learnt``
    (n_strategies,) says which strategies the training knew at all. ``remembers`` whether the last
    choice is part of what it sees.
    """

    statistics: Statistics
    layers: tuple[tuple[FloatArray, FloatArray], ...]
    learnt: BoolArray
    remembers: bool = False
    name: str = SAC

    @classmethod
    def of(
        cls, state: Mapping[str, torch.Tensor], statistics: Statistics, learnt: BoolArray
    ) -> Actor:
        """Return the actor of a state dict; `DamagedError` where it is another network's."""
        try:
            layers = tuple(
                (state[f"{name}.weight"].double().numpy(), state[f"{name}.bias"].double().numpy())
                for name in LAYERS
            )
        except (KeyError, AttributeError, TypeError) as reason:
            raise DamagedError("the actor's weights are of another network") from reason
        (hidden, bias), (last, out) = layers
        n_seen, n_strategies = len(statistics.mean), len(learnt)
        extra = hidden.shape[-1] - n_seen
        fits = hidden.ndim == last.ndim == 2 and extra in (0, n_strategies + 1)
        if not (fits and last.shape == (n_strategies, len(hidden)) and len(out) == n_strategies):
            raise DamagedError("the actor's weights are of another shape than its settings")
        if not all(np.isfinite(part).all() for part in (hidden, bias, last, out)):
            raise DamagedError("the actor's weights are not all numbers")
        return cls(statistics, layers, learnt, remembers=extra > 0)

    def preferences(self, observation: FloatArray, last: FloatArray | None = None) -> FloatArray:
        """Return (n, n_strategies); ``last`` (n, n_strategies + 1) is the last choice's weights.

        Without ``last`` it was standing aside.
        """
        seen = self.statistics.scaled(observation)
        if self.remembers:
            seen = np.hstack([seen, self._aside(len(seen)) if last is None else last])
        (hidden, bias), (mean, out) = self.layers
        said = np.tanh(products(np.maximum(products(seen, hidden) + bias, 0.0), mean) + out)
        return np.where(self.learnt, said, np.nan)

    def _aside(self, n: int) -> FloatArray:
        return np.tile(np.append(np.zeros(len(self.learnt)), 1.0), (n, 1))


@dataclass(frozen=True)
class Seeds:
    """The mean of what several actors prefer: the same training from different seeds."""

    actors: tuple[Actor, ...]
    name: str = SAC

    @property
    def remembers(self) -> bool:
        """Whether the last choice is part of what they see."""
        return self.actors[0].remembers

    def preferences(self, observation: FloatArray, last: FloatArray | None = None) -> FloatArray:
        """Return (n, n_strategies), as each `Actor` does."""
        said = [actor.preferences(observation, last) for actor in self.actors]
        return np.asarray(np.stack(said).mean(axis=0))


def saturation(preferences: FloatArray) -> float:
    """Return the share of preferences beyond 0.99 either way: an actor that shouts cannot rank."""
    known: Any = preferences[~np.isnan(preferences)]
    return float((np.abs(known) > 0.99).mean()) if len(known) else 0.0
