"""Known edges that a simulated market can be given, by name; `plant_effect` says what each does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from optiq.errors import InputError
from optiq.market.plant_effect import (
    BlockDrift,
    Effect,
    HiddenSignal,
    Hours,
    Seeds,
    long_run_variance,
)
from optiq.market.planted_choices import Nonlinear, Regimes
from optiq.market.planted_forecasts import InterestLead, VolatilityReversion

__all__ = [
    "CHOICES",
    "PLANTS",
    "BlockDrift",
    "Effect",
    "HiddenSignal",
    "InterestLead",
    "Momentum",
    "Nonlinear",
    "Plant",
    "Regimes",
    "VolatilityReversion",
    "long_run_variance",
    "read_plant",
]

MOST_STRENGTH = 3.0
"""Beyond this the drift outweighs the noise and the market is no market."""

CHOICES = ("regimes", "nonlinear")
"""The plants that decide which strategy is the best: one market has one of them."""


class Plant(Protocol):
    """What the simulator asks of a planted edge."""

    @property
    def name(self) -> str:
        """One word, as on the command line; the truth has a column ``latent_<name>``."""

    @property
    def strength(self) -> float:
        """0 is no edge at all, and then the market is the one without the plant, bit for bit."""

    def effect(self, hours: Hours, seeds: Seeds) -> Effect:
        """Return what it does in a session; what it draws comes from ``seeds("plant ...")``."""


@dataclass(frozen=True, slots=True)
class Momentum:
    """The index goes on as it went: past minutes' returns tell the sign of the next ones' drift.

    The news in the signal is mostly the news in the index, forgotten by half every
    ``half_life_minutes``, so the return of the past quarter of an hour nearly reveals it. A
    strength of 1 pays for its charges.
    """

    strength: float
    half_life_minutes: float = 10.0
    gain_per_minute: float = 0.20
    echo: float = 0.9
    name: str = "momentum"

    def signal(self, row_seconds: float) -> HiddenSignal:
        """Return the hidden signal; a drift grows with time, a deviation with its square root."""
        minutes = row_seconds / 60.0
        return HiddenSignal(
            gain=self.strength * self.gain_per_minute * math.sqrt(minutes),
            persistence=0.5 ** (minutes / self.half_life_minutes),
            echo=self.echo,
        )

    def effect(self, hours: Hours, seeds: Seeds) -> Effect:
        """Return the hidden signal and nothing else: returns show it."""
        return Effect(signal=self.signal(hours.row_seconds))


PLANTS: Mapping[str, Callable[[float], Plant]] = {
    "momentum": Momentum,
    "regimes": Regimes,
    "nonlinear": Nonlinear,
    "oi_lead": InterestLead,
    "iv_reversion": VolatilityReversion,
}
"""The plants by name; each is made from its strength."""


def read_plant(text: str) -> Plant:
    """Read ``NAME=STRENGTH``; a strength of 0 plants nothing.

    >>> read_plant("momentum=0.5").strength
    0.5
    """
    name, _, number = text.partition("=")
    known = PLANTS.get(name.strip().lower())
    if known is None:
        near = get_close_matches(name.strip().lower(), PLANTS, 1)
        hint = f"did you mean {near[0]}?" if near else f"known are {', '.join(PLANTS)}"
        raise InputError(f"no plant {name.strip()!r}", hint)
    return known(_strength(text, number))


def _strength(text: str, number: str) -> float:
    try:
        strength = float(number)
    except ValueError:
        strength = math.nan
    if 0.0 <= strength <= MOST_STRENGTH:
        return strength
    raise InputError(f"{text!r} has no strength from 0 to {MOST_STRENGTH:g}", "write NAME=STRENGTH")
