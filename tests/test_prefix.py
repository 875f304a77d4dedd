"""What a strategy says of a row is the same whether the panel ends there or at the close."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest
from recorded import RECORDED, needs_recordings

from optiq import Context, Orders, Panel
from optiq.market.ingest.pipeline import ingest
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.user_strategy import find
from optiq.trade.strategies import BUILT_IN

EXAMPLE = Path(__file__).parents[1] / "examples" / "momentum.py"
STRATEGIES = [*BUILT_IN, str(EXAMPLE)]
Wish = tuple[int, str, float, int, float]


def wishes(orders: Orders, panel: Panel, n_rows: int) -> list[Wish]:
    """Orders decided before ``n_rows``, by contract: columns differ between the panels."""
    first = orders.legs[:, 0]
    named = zip(
        orders.row.tolist(),
        panel.expiry[first].astype(str).tolist(),
        panel.strike[first].tolist(),
        panel.right[first].tolist(),
        orders.strength.tolist(),
        strict=True,
    )
    return sorted(wish for wish in named if wish[0] < n_rows)


def require_prefix_invariance(name: str, panel: Panel, cuts: list[int]) -> int:
    strategy = find(name)
    whole = strategy.entries(panel, Context())
    for cut in cuts:
        short = panel.until(cut)
        said = strategy.entries(short, Context())
        assert wishes(said, short, cut) == wishes(whole, panel, cut), cut
    return len(whole)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Panel:
    store = Store(tmp_path_factory.mktemp("simulated"))
    store_simulation(Simulation(days=1, seed=5), store)
    (day,) = store.days()
    return store.read_panel(day.underlying, day.date)


@pytest.mark.parametrize("name", STRATEGIES)
def test_on_a_simulated_day(name, simulated):
    cuts = [1, 2, 3, 7, 16, 31, 60, 150, 300, simulated.n_rows - 1]
    assert require_prefix_invariance(name, simulated, cuts) > 0


@needs_recordings
@pytest.mark.parametrize("name", STRATEGIES)
def test_on_a_recorded_day_around_its_hole(name, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("recorded"))
    ingest([str(RECORDED / "collector" / "*.parquet")], store)
    panel = store.read_panel("NIFTY", dt.date(2026, 8, 18))
    gap = int(np.argmax(np.diff(panel.ts)))
    require_prefix_invariance(name, panel, [0, 1, 5, gap, gap + 1, gap + 2, 100, 200])


def test_a_strategy_that_peeks_one_row_ahead_is_caught(simulated, tmp_path):
    source = EXAMPLE.read_text()
    cheat = tmp_path / "cheat.py"
    cheat.write_text(
        source.replace(
            "moved[back:] = panel.spot[back:] / panel.spot[:-back] - 1.0",
            "moved[back:-1] = panel.spot[back + 1 :] / panel.spot[: -back - 1] - 1.0",
        )
    )
    assert cheat.read_text() != source
    wanted = find(str(cheat)).entries(simulated, Context())
    with pytest.raises(AssertionError):
        require_prefix_invariance(str(cheat), simulated, [int(wanted.row[0]) + 1])
