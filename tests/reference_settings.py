"""The settings of the slow walk; seconds, minutes, rupees, fractions; None is off."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizing:
    """How many lots an order gets: "lots" (``Settings.lots``), "risk" or "capital"."""

    method: str = "lots"
    risk_rupees: float | None = None
    capital_fraction: float | None = None


@dataclass(frozen=True)
class OwnLimits:
    """What one strategy may do, beyond what the run allows."""

    max_open: int | None = None
    max_trades_per_day: int | None = None
    cooldown_minutes: float | None = None
    max_daily_loss: float | None = None
    capital: float | None = None


@dataclass(frozen=True)
class MarginRates:
    """What selling binds; fractions of the forward, of a volatility, of a loss, of the spot.

    ``volatility_scan`` is relative to the volatility, ``volatility_scan_min`` in its own units.
    """

    price_scan: float = 0.085
    volatility_scan: float = 0.25
    volatility_scan_min: float = 0.04
    extreme_multiple: float = 2.0
    extreme_cover: float = 0.35
    exposure: float = 0.02
    expiry_day: float = 0.02


@dataclass(frozen=True)
class Settings:
    """All of them; ``own`` is empty or has one entry a strategy, ``freeze`` is in units."""

    latency_s: float = 1.0
    max_wait_s: float = 120.0
    max_quote_age_s: float = 120.0
    half_spread: float = 0.001
    slippage_ticks: int = 0
    square_off_minutes: float = 10.0
    lots: int = 1
    first_entry_minutes: float = 5.0
    last_entry_minutes: float = 30.0
    max_open: int = 3
    cooldown_minutes: float = 5.0
    max_trades_per_day: int = 20
    max_daily_loss: float | None = None
    capital: float | None = None
    min_score: float | None = None
    sizing: Sizing = Sizing()
    own: tuple[OwnLimits, ...] = ()
    freeze: int | None = None
    margin: MarginRates = MarginRates()


def check(settings: Settings, n_strategies: int, largest_lot: int) -> None:
    """Refuse settings that cannot be meant."""
    sizing = settings.sizing
    wanting = {
        "lots": False,
        "risk": sizing.risk_rupees is None,
        "capital": sizing.capital_fraction is None or settings.capital is None,
    }
    if wanting[sizing.method]:
        raise ValueError(f"sizing by {sizing.method} lacks a number")
    if settings.own and len(settings.own) != n_strategies:
        raise ValueError(f"{len(settings.own)} own limits for {n_strategies} strategies")
    if settings.freeze is not None and settings.freeze < largest_lot:
        raise ValueError(f"a lot of {largest_lot} is more than one order may have")
