"""What to simulate, and the laws the market obeys."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from optiq.errors import InputError
from optiq.market.plants import CHOICES, Plant
from optiq.market.simulated_interest import InterestLaw
from optiq.market.simulated_quotes import QuoteLaw
from optiq.market.simulated_spot import SpotLaw
from optiq.market.simulated_surface import SurfaceLaw

FIRST_DAY = dt.date(2025, 1, 1)
"""Where a market starts unless told: its year's rules are all on record."""

FIRST_LEVEL = {
    "NIFTY": 23_700.0,
    "BANKNIFTY": 51_000.0,
    "FINNIFTY": 23_700.0,
    "MIDCPNIFTY": 12_700.0,
    "SENSEX": 78_000.0,
    "BANKEX": 58_500.0,
}
"""Rupees; invented, near where the indices stood."""


@dataclass(frozen=True, slots=True)
class Laws:
    """What the market obeys."""

    spot: SpotLaw = field(default_factory=SpotLaw)
    surface: SurfaceLaw = field(default_factory=SurfaceLaw)
    quotes: QuoteLaw = field(default_factory=QuoteLaw)
    interest: InterestLaw = field(default_factory=InterestLaw)


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to simulate.

    Attributes
    ----------
    days
        Sessions of the real calendar from ``start`` on.
    row_seconds
        Between snapshots; the last one falls on the close.
    horizon_minutes
        How far ahead the truth looks; also how late volatility's news reaches the index.
    strikes_each_side, expiries
        The chain: strikes around the opening level, and how many expiries.
    """

    days: int
    seed: int
    underlying: str = "NIFTY"
    start: dt.date = FIRST_DAY
    plants: tuple[Plant, ...] = ()
    row_seconds: float = 60.0
    horizon_minutes: float = 15.0
    strikes_each_side: int = 21
    expiries: int = 2
    laws: Laws = field(default_factory=Laws)

    def __post_init__(self) -> None:
        if self.days < 1:
            raise InputError(f"{self.days} days to simulate", "ask for at least 1")
        if self.seed < 0:
            raise InputError(f"seed {self.seed} is negative", "give a whole number from 0")
        if not 1.0 <= self.row_seconds <= 900.0:
            raise InputError(
                f"snapshots {self.row_seconds:g} seconds apart", "give 1 to 900 seconds"
            )
        names = [plant.name for plant in self.plants]
        if len(set(names)) < len(names):
            raise InputError(f"a plant is given twice: {', '.join(names)}", "give each once")
        choosing = [name for name in names if name in CHOICES]
        if len(choosing) > 1:
            raise InputError(
                f"{' and '.join(choosing)} each say which strategy is the best", "give one of them"
            )

    @property
    def horizon_rows(self) -> int:
        """Rows in one horizon, at least 1."""
        return max(1, round(self.horizon_minutes * 60.0 / self.row_seconds))

    @property
    def name(self) -> str:
        """Name of the source in manifests: all that makes this market differ from another."""
        words = [
            f"simulate seed={self.seed} underlying={self.underlying}",
            f"start={self.start} seconds={self.row_seconds:g}",
            *(f"plant={plant.name}:{plant.strength:g}" for plant in self.plants),
        ]
        return " ".join(words)
