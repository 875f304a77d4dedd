"""What a policy sees: observations scaled by the training sessions, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from optiq.errors import DamagedError
from optiq.market.schema import FloatArray

FURTHEST = 5.0
"""Standard deviations at which an observation is cut off."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and standard deviation of each observation over the training rows, (n_observed,).

    An observation that never varied, or was never known, has a deviation of 1.
    """

    mean: FloatArray
    deviation: FloatArray

    @classmethod
    def of(cls, observation: FloatArray) -> Statistics:
        """Return those of training rows (n, n_observed); NaN cells are left out."""
        known = ~np.isnan(observation)
        count = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, observation, 0.0).sum(axis=0) / count
        square = np.where(known, observation - mean, 0.0) ** 2
        deviation = np.sqrt(square.sum(axis=0) / count)
        is_flat = deviation <= 1e-9 * np.maximum(np.abs(mean), 1e-300)
        return cls(mean, np.where(is_flat, 1.0, deviation))

    def scaled(self, observation: FloatArray) -> FloatArray:
        """Return z-scores cut off at 5, 0 (the training mean) where an observation is unknown.

        The shape is kept. What is unknown is mostly so by the hour (the opening range before it is
        complete) or by the store's age (IV rank): minutes_to_close tells the first already, and
        the second ends, so unknowns get no column of their own.
        """
        z = (observation - self.mean) / self.deviation
        return np.clip(np.where(np.isnan(z), 0.0, z), -FURTHEST, FURTHEST)

    def to_json(self) -> dict[str, list[float]]:
        """Return plain JSON."""
        return {"mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Statistics:
        """Read what `to_json` wrote; `DamagedError` for anything else."""
        try:
            found = cls(*(np.array(value[name], np.float64) for name in ("mean", "deviation")))
        except (KeyError, TypeError, ValueError) as reason:
            raise DamagedError(f"observation statistics cannot be read: {reason}") from reason
        if found.mean.ndim != 1 or found.mean.shape != found.deviation.shape:
            raise DamagedError("observation statistics of two lengths")
        if not (np.isfinite(found.mean).all() and (found.deviation > 0).all()):
            raise DamagedError("observation statistics that are no numbers")
        return found
