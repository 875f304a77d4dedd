"""The chance that a purchase paid, counted over futures, comes true in the market itself."""

from __future__ import annotations

import datetime as dt
import math
from pathlib import Path

import numpy as np
import pytest

from optiq.errors import InputError
from optiq.market.best_forecast import best_scores
from optiq.market.panel import Panel
from optiq.market.plants import Momentum, Plant, VolatilityReversion
from optiq.market.simulate import index_days, simulate_days
from optiq.market.simulated_chain import list_chain
from optiq.market.simulated_continuation import continuation
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.profit_chances import Purchase, profit_chances
from optiq.trade.book import Status, queue
from optiq.trade.charges import schedule
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.outcomes import outcomes

RULE = ExitRule(target=0.15, stop=0.10)
SETTINGS = Settings()


def purchases(panel: Panel) -> tuple[list[Purchase], list[float]]:
    """At-the-money calls and puts of the later expiry through the day, and what they came to."""
    asked, mask = [], np.zeros((panel.n_rows, panel.n_contracts), bool)
    near = np.abs(panel.strike[None, :] - panel.spot[:, None]) < 25.0
    near &= (panel.expiry == panel.expiries[-1])[None, :]
    for row in range(20, panel.n_rows - 60, 60):
        for column in np.flatnonzero(near[row])[:2]:
            mask[row, column] = True
    orders = Orders.single(panel, mask, rule=RULE)
    rates = schedule(panel.underlying, panel.date, SETTINGS.broker).rates
    results = outcomes(panel, queue([orders]), rates, SETTINGS.walk)
    has_label = (results["status"] == Status.FILLED) & ~results["position"]["stale"]
    for row, column in zip(orders.row[has_label], orders.legs[has_label, 0], strict=True):
        expiry = panel.expiry[column].item()
        asked.append(
            Purchase(
                panel.date,
                panel.ts[row],
                expiry,
                float(panel.strike[column]),
                int(panel.right[column]),
            )
        )
    return asked, (results["net_paise"][has_label] > 0).astype(float).tolist()


@pytest.mark.parametrize("plant", [Momentum(2.0), VolatilityReversion(2.0)], ids=lambda p: p.name)
def test_chances_of_profit_come_true(plant: Plant, tmp_path: Path) -> None:
    simulation = Simulation(days=8, seed=31, plants=(plant,))
    store = Store(tmp_path / "store")
    store_simulation(simulation, store)
    asked, came = [], []
    for stored in store.days():
        bought, paid = purchases(store.read_panel("NIFTY", stored.date))
        asked += bought
        came += paid
    halves = profit_chances(simulation, asked, RULE, SETTINGS, n=40)
    chance = halves.mean(axis=0)[:, 1]
    assert len(chance) > 60
    error = math.sqrt((chance * (1.0 - chance)).sum())  # purchases of one moment share a path
    assert abs((chance - came).sum()) < 3.5 * error
    low, high = best_scores(halves)
    assert low.auc > 0.55
    assert high.auc > low.auc
    hits, misses = chance[np.array(came) > 0], chance[np.array(came) == 0]
    assert np.mean(hits[:, None] > misses) > 0.55


def test_a_continuation_is_quoted_like_the_contract() -> None:
    """The median of many futures of the next row lies within a few ticks of the market's own."""
    simulation = Simulation(days=1, seed=31)
    day, market = next(index_days(simulation)), next(simulate_days(simulation))
    chain = list_chain(simulation, day.session.date, day.path.opening)
    for row, place in ((100, len(chain.strike) // 4), (250, 3 * len(chain.strike) // 4 + 1)):
        contract = chain.keys[place]
        ahead = continuation(simulation, day, contract, row, 60, np.random.default_rng(1))
        quoted = market.columns
        its = (quoted["expiry"] == np.datetime64(contract[0])) & (quoted["strike"] == contract[1])
        its &= (quoted["right"] == contract[2]) & (quoted["ts"] == day.ts[row])
        for name, drawn in (("bid", ahead.bid), ("ask", ahead.ask), ("ltp", ahead.ltp)):
            assert drawn.shape == (len(day.ts) - row, 60)
            spread = float(np.nanmedian(ahead.ask[0] - ahead.bid[0]))
            assert abs(np.nanmedian(drawn[0]) - quoted[name][its][0]) < 3.0 * spread
        assert np.nanstd(ahead.bid[60]) > 3.0 * np.nanstd(ahead.bid[1])
        assert ahead.lot == chain.lot[place]


def test_a_contract_that_was_not_listed_is_refused() -> None:
    simulation = Simulation(days=1, seed=31)
    day = next(index_days(simulation))
    with pytest.raises(InputError, match="no 2030-01-01 100 CE was listed"):
        continuation(
            simulation, day, (dt.date(2030, 1, 1), 100.0, 1), 5, 2, np.random.default_rng(1)
        )
