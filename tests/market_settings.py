"""The settings of generated markets: the defaults, or tight ones that the prices just meet."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from reference_settings import MarginRates, OwnLimits, Settings, Sizing

from optiq.market.panel import Panel
from optiq.trade.orders import Orders

GRIDS = (
    MarginRates(price_scan=0.02, volatility_scan_min=0.0, expiry_day=0.0),
    MarginRates(price_scan=0.1, volatility_scan=0.5, extreme_multiple=3.0, exposure=0.03),
    MarginRates(price_scan=0.01, volatility_scan=0.0, extreme_multiple=4.0, extreme_cover=0.9),
    MarginRates(price_scan=0.002, volatility_scan=0.4, exposure=0.005),
    # Nothing on top of the width or the premium: what is bound is a round number.
    MarginRates(price_scan=0.1, exposure=0.0, expiry_day=0.0),
)
NEVER_REACHED = 100_000
"""Units that no order here exceeds."""


def random_settings(rng: np.random.Generator, panel: Panel, asked: list[Orders]) -> Settings:
    """The defaults about half of the time, key by key; else tight or loose values."""

    def one_of(default: Any, *others: Any) -> Any:
        return default if rng.random() < 0.65 else others[int(rng.integers(len(others)))]

    capital = random_capital(rng, panel, asked) if rng.random() < 0.5 else None
    sizing = random_sizing(rng, panel, asked, capital)
    return Settings(
        latency_s=one_of(1.0, 0.0, 0.0, 0.5, 60.0),
        max_wait_s=one_of(120.0, 0.0, 59.0, 600.0, 3600.0),
        max_quote_age_s=one_of(120.0, 0.0, 60.0, 3600.0),
        half_spread=one_of(0.001, 0.0, 0.01),
        slippage_ticks=one_of(0, 1, 2),
        square_off_minutes=one_of(10.0, 0.0, 25.0),
        lots=one_of(1, 2, 3, 7),
        first_entry_minutes=one_of(5.0, 0.0, 0.0, 1.0),
        last_entry_minutes=one_of(30.0, 0.0, 0.0, 10.0),
        max_open=one_of(3, 1, 2, 8),
        cooldown_minutes=one_of(5.0, 0.0, 15.0),
        max_trades_per_day=one_of(20, 1, 4),
        max_daily_loss=rng.choice([0.5, 500.0, 3000.0]).item() if rng.random() < 0.3 else None,
        capital=capital,
        min_score=rng.choice([50.0, 60.0]).item() if rng.random() < 0.5 else None,
        sizing=sizing,
        own=random_own(rng, panel, asked),
        freeze=random_freeze(rng, sizing),
        margin=MarginRates() if rng.random() < 0.6 else random_grid(rng),
    )


def random_sizing(
    rng: np.random.Generator, panel: Panel, asked: list[Orders], capital: float | None
) -> Sizing:
    """Fixed lots, or sums that make anything from no lot to thousands of them."""
    method = rng.choice(["lots", "lots", "money"])
    if method == "money" and capital is not None and rng.random() < 0.7:
        return Sizing("capital", capital_fraction=rng.choice([0.1, 0.25, 0.5, 0.5, 1.0]).item())
    if method == "money":
        rupees = 10.0 ** rng.uniform(2.0, 7.0)
        if rng.random() < 0.4:
            rupees = rng.choice([0.01, 0.05, 0.1, 0.3]) * tempting(rng, panel, asked)
        return Sizing("risk", risk_rupees=round(float(rupees), 4))
    return Sizing()


def sized_by_margin(rng: np.random.Generator, settings: Settings) -> Settings:
    """A desk so rich that the lots of its packages tell their margins to a thousandth."""
    return replace(
        settings,
        latency_s=0.0,
        first_entry_minutes=0.0,
        last_entry_minutes=0.0,
        max_open=8,
        max_daily_loss=None,
        capital=round(10.0 ** rng.uniform(6.5, 8.5)),
        min_score=None,
        sizing=Sizing("capital", capital_fraction=rng.choice([0.1, 0.25, 0.5]).item()),
        own=() if rng.random() < 0.7 else settings.own,
        margin=random_grid(rng),
        freeze=NEVER_REACHED if settings.freeze is None else settings.freeze,
    )


def random_grid(rng: np.random.Generator) -> MarginRates:
    return GRIDS[int(rng.integers(len(GRIDS)))]


def random_capital(rng: np.random.Generator, panel: Panel, asked: list[Orders]) -> float:
    """Any sum, or exactly what an order or a width costs."""
    if rng.random() < 0.6:
        return round(10.0 ** rng.uniform(4.0, 8.0))
    if rng.random() < 0.3:
        return 50.0 * 75 * int(rng.integers(1, 9))
    return tempting(rng, panel, asked)


def tempting(rng: np.random.Generator, panel: Panel, asked: list[Orders]) -> float:
    """A small multiple of the net premium of some order at its row; rupees, above zero."""
    orders = asked[int(rng.integers(len(asked)))]
    if not len(orders):
        return 10_000.0
    order = int(rng.integers(len(orders)))
    row, total = int(orders.row[order]), 0.0
    for contract, side, ratio in zip(
        orders.legs[order], orders.side[order], orders.ratio[order], strict=True
    ):
        if side:
            price = (panel.ask if side > 0 else panel.bid)[row, contract]
            price = panel.ltp[row, contract] if math.isnan(price) else price
            total += side * ratio * panel.lot[contract] * price
    worth = abs(total) * int(rng.integers(1, 5))
    return round(float(worth), 2) if worth > 1.0 else 10_000.0


def random_own(
    rng: np.random.Generator, panel: Panel, asked: list[Orders]
) -> tuple[OwnLimits, ...]:
    """Limits of the strategies, few of them set; or of none."""

    def maybe(*values: Any) -> Any:
        return values[int(rng.integers(len(values)))] if rng.random() < 0.35 else None

    if rng.random() < 0.5:
        return ()
    return tuple(
        OwnLimits(
            max_open=maybe(1, 1, 2),
            max_trades_per_day=maybe(1, 1, 2, 4),
            cooldown_minutes=maybe(0.0, 5.0, 10.0, 30.0),
            max_daily_loss=maybe(0.5, 500.0, 3000.0),
            capital=random_capital(rng, panel, asked) if rng.random() < 0.35 else None,
        )
        for _ in asked
    )


def random_freeze(rng: np.random.Generator, sizing: Sizing) -> int | None:
    """The largest order: mostly a few lots, not always whole ones of every expiry.

    Orders sized by money get one always: it keeps each inside what charges are exact for.
    """
    tight = [75, 100, 130, 150, 225, 500, 1800]
    if rng.random() < 0.6:
        return int(rng.choice(tight))
    return None if sizing.method == "lots" else NEVER_REACHED
