"""my_idea trades as it says, and says the same of a row whatever comes after it.

Run it with ``pytest``. The day is simulated, so no recordings are needed.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from optiq import Context, Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.prefix import orders_of, require
from optiq.run.user_strategy import from_file

STRATEGY = from_file(Path(__file__).with_name("my_idea.py"))


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Panel:
    """Return one simulated session of the NIFTY; another seed is another day."""
    store = Store(tmp_path_factory.mktemp("store"))
    store_simulation(Simulation(days=1, seed=5), store)
    (stored,) = store.days()
    return store.read_panel(stored.underlying, stored.date)


def test_it_buys_calls_at_the_highs_of_the_day_and_puts_at_its_lows(day: Panel) -> None:
    """Where the rule should trade it does, on the right side."""
    orders = STRATEGY.entries(day, Context())
    assert len(orders) > 0
    for row, contract in zip(orders.row, orders.legs[:, 0], strict=True):
        so_far = day.spot[: row + 1]
        extreme = np.nanmax(so_far) if day.right[contract] > 0 else np.nanmin(so_far)
        assert day.spot[row] == extreme


def test_it_never_looks_ahead(day: Panel) -> None:
    """What it says of a row is the same wherever the day is cut after that row."""
    assert require(orders_of(STRATEGY), day) > 0
