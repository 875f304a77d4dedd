"""Known edges that a simulated market can be given: hidden signals that make the index drift.

A plant is a hidden signal z, a stationary process of mean 0 and variance 1 at every row:
``z' = persistence * z + sqrt(1 - persistence**2) * (echo * e + sqrt(1 - echo**2) * n)``, where e is
the shock that moved the index in that row and n is noise of its own. The next row's return drifts
by ``gain * z`` standard deviations. With ``echo`` near 1 the signal can be read from past returns;
with 0 it is invisible in prices.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Protocol

from optiq.errors import InputError

MOST_STRENGTH = 3.0
"""Beyond this the drift outweighs the noise and the market is no market."""


@dataclass(frozen=True, slots=True)
class HiddenSignal:
    """How a signal lives and what it does, for rows of one length.

    Attributes
    ----------
    gain
        Drift of the next row per unit of the signal, in standard deviations of that row.
    persistence
        Autocorrelation from row to row, in [0, 1).
    echo
        Correlation of the signal's news with the shock that moved the index, in [-1, 1].
    """

    gain: float
    persistence: float
    echo: float

    @property
    def news(self) -> float:
        """Standard deviation of what is new in the signal at each row."""
        return math.sqrt(1.0 - self.persistence**2)


class Plant(Protocol):
    """What the simulator asks of a planted edge."""

    @property
    def name(self) -> str:
        """One word, as on the command line; the truth has a column ``latent_<name>``."""

    @property
    def strength(self) -> float:
        """0 is no edge at all, 1 one that pays for its charges."""

    def signal(self, row_seconds: float) -> HiddenSignal:
        """Return the hidden signal for rows of ``row_seconds``."""


@dataclass(frozen=True, slots=True)
class Momentum:
    """The index goes on as it went: past minutes' returns tell the sign of the next ones' drift.

    The news in the signal is mostly the news in the index, forgotten by half every
    ``half_life_minutes``, so the return of the past quarter of an hour nearly reveals it.
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


PLANTS: Mapping[str, Callable[[float], Plant]] = {"momentum": Momentum}
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


def long_run_variance(signals: Sequence[HiddenSignal]) -> float:
    """Return the variance per row of a long sum of returns whose shocks have variance 1.

    Persistent drifts widen a day's range far beyond that of its minutes. The simulator divides its
    shocks by the root of this, so that a plant changes the order of a day's moves, not their size,
    and a straddle held for a day is worth no more than without it.
    """
    echoed = 1.0 + sum(s.gain * s.news * s.echo / (1.0 - s.persistence) for s in signals)
    own = sum((s.gain * s.news / (1.0 - s.persistence)) ** 2 * (1.0 - s.echo**2) for s in signals)
    return echoed**2 + own
