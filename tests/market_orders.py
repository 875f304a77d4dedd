"""The orders of generated markets: busy rows, ties, packages of every shape, rules with holes."""

from __future__ import annotations

import numpy as np

from optiq.market.panel import Panel
from optiq.trade.orders import MAX_LEGS, NO_LEG, Orders

NAN = float("nan")


def random_orders(rng: np.random.Generator, panel: Panel, n_orders: int) -> Orders:
    """Up to ``n_orders`` orders; busy rows, ties in strength, packages, rules with holes."""
    n = int(rng.integers(0, n_orders + 1))
    legs, side, ratio = random_legs(rng, n, panel)
    chain_rows = np.flatnonzero(panel.is_chain)
    busy = rng.choice(chain_rows, max(1, len(chain_rows) // 5))
    row = np.where(rng.random(n) < 0.6, rng.choice(busy, n), rng.choice(chain_rows, n))
    return Orders(
        row=np.sort(row).astype(np.int64) if rng.random() < 0.7 else row.astype(np.int64),
        legs=legs,
        side=side,
        ratio=ratio,
        strength=rng.choice([10.0, 50.0, 50.0, 50.0, 90.0], n),
        target=rng.choice([NAN, 0.01, 0.05, 0.15, 0.3], n),
        stop=rng.choice([NAN, 0.01, 0.05, 0.1, 0.3], n),
        trail_after=rng.choice([NAN, NAN, 0.0, 0.02, 0.1], n),
        trail=rng.choice([NAN, 0.01, 0.03, 0.1], n),
        max_hold_minutes=rng.choice([NAN, NAN, NAN, 0.0, 1.0, 5.0, 60.0], n),
    )


def random_legs(
    rng: np.random.Generator, n: int, panel: Panel
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Legs, sides and ratios (n, 4); padded at the end; no contract twice in an order."""
    legs = np.full((n, MAX_LEGS), NO_LEG, np.int64)
    for order in range(n):
        columns = rng.permutation(panel.n_contracts)
        if rng.random() < 0.4:  # one expiry, as packages that bound their loss have
            columns = columns[panel.expiry[columns] == panel.expiry[columns[0]]]
        if rng.random() < 0.2:
            columns = columns[panel.right[columns] == panel.right[columns[0]]]
        most = min(MAX_LEGS, len(columns))
        count = 1 if rng.random() < 0.4 else int(rng.integers(1, most + 1))
        legs[order, :count] = columns[:count]
    sides = rng.choice([1, -1], (n, MAX_LEGS)) if rng.random() < 0.85 else np.ones((n, 4), int)
    ratios = rng.choice([1, 1, 1, 2, 3], (n, MAX_LEGS))
    paired = (sides < 0).any(axis=1) & (rng.random(n) < 0.4)
    sides[paired], ratios[paired] = (1, -1, 1, -1), 1
    given = legs != NO_LEG
    return legs, np.where(given, sides, 0), np.where(given, ratios, 0)


def random_scores(rng: np.random.Generator, orders: list[tuple[str, Orders]]) -> list[np.ndarray]:
    """One score per order with ties, NaN where the scorer cannot say."""
    values = [NAN, 20.0, 50.0, 50.0, 61.5, 90.0]
    return [rng.choice(values, len(asked)) for _, asked in orders]
