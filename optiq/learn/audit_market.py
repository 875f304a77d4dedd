"""What audits ask things of beside stored days: a market without an edge, and a longer past."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Laws, Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.simulated_surface import SurfaceLaw
from optiq.market.store import Store

UNDERLYING = "NIFTY"
FAIR = Laws(surface=SurfaceLaw(variance_premium=1.0))
"""Options at what they are worth: with a premium on them, selling would be an edge."""


@contextmanager
def fair_market(
    days: int, seed: int, *, row_seconds: float = 60.0, strikes_each_side: int = 8
) -> Iterator[Store]:
    """Keep a simulated market of NIFTY while it is asked: a random walk, options fairly priced."""
    with tempfile.TemporaryDirectory(prefix="optiq-audit-") as folder:
        store = Store(Path(folder))
        simulation = Simulation(
            days=days,
            seed=seed,
            row_seconds=row_seconds,
            strikes_each_side=strikes_each_side,
            laws=FAIR,
        )
        store_simulation(simulation, store)
        yield store


def with_older_days(context: Context, panel: Panel, n: int, seed: int = 0) -> Context:
    """Return the context with ``n`` sessions more before all it holds, closes and IVs drawn.

    They lie over a year before the first it has, beyond what goes by the calendar; what reaches
    back without end sees them. The latest of them are the same however many there are.
    """
    rng = np.random.default_rng(seed)
    first = context.sessions[0] if len(context.sessions) else np.datetime64(panel.date)
    older = first - np.timedelta64(400, "D") - np.arange(n, 0, -1).astype("timedelta64[D]")
    known = context.closes[np.isfinite(context.closes)]
    level = float(known[0]) if len(known) else float(np.nanmax(panel.spot, initial=1.0))
    drawn = rng.uniform(-0.5, 0.5, (n, 2))[::-1]
    return Context(
        np.concatenate([older, context.sessions]),
        np.concatenate([level * np.exp(drawn[:, 0]), context.closes]),
        np.concatenate([0.3 + 0.5 * drawn[:, 1], context.atm_iv]),
        context.direction,
        context.direction_threshold,
    )
