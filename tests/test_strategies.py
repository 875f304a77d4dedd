"""What every strategy that ships promises."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import replace

import numpy as np
import pytest
from option_chains import remembering

from optiq.market.context import Context
from optiq.market.moneyness import lasting_iv
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings, backtest_day
from optiq.run.prefix import orders_of, require
from optiq.run.said import of_orders
from optiq.trade.strategies import BUILT_IN, built_in


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("simulated"))
    store_simulation(Simulation(days=3, seed=5), store)
    return store, store.days()


@pytest.fixture(scope="module")
def markets(simulated):
    """Simulated days on which a third of the rows are monitor rows, and all a strategy may ask.

    The model is moody, and past volatilities lie so that the day crosses both ends of the rank.
    """
    store, days = simulated
    return [market(store.read_panel(day.underlying, day.date)) for day in days]


def market(panel: Panel) -> tuple[Panel, Context]:
    rng = np.random.default_rng(panel.date.toordinal())
    panel = replace(panel, is_chain=rng.random(panel.n_rows) > 0.3)
    low, high = np.nanquantile(lasting_iv(panel), [0.3, 0.7])
    past = remembering(*np.linspace(low, high, 25))
    return panel, replace(past, direction=rng.dirichlet([0.5, 0.5, 0.5], panel.n_rows))


each_strategy = pytest.mark.parametrize("name", BUILT_IN)


def said(name: str, panel: Panel, context: Context) -> list[list[float]]:
    words = of_orders(panel, built_in(name).entries(panel, context))
    table = np.column_stack([words.row, words.contracts, np.nan_to_num(words.values, nan=-1.0)])
    return table.tolist()


@each_strategy
def test_it_speaks(name, markets):
    assert sum(len(said(name, *market)) for market in markets) > 0


@each_strategy
def test_its_parameters_are_frozen_and_told(name):
    kind = built_in(name).params_type
    assert kind.__dataclass_params__.frozen
    own = list(inspect.get_annotations(kind))
    told = inspect.getdoc(kind)
    assert [field for field in own if f"``{field}``" not in told] == []
    assert all(field.default is not dataclasses.MISSING for field in dataclasses.fields(kind))


@each_strategy
def test_it_does_not_look_ahead(name, markets):
    require(orders_of(built_in(name)), *markets[0], seed=1)


@each_strategy
def test_it_says_the_same_whatever_the_order_of_the_columns(name, markets):
    for panel, context in markets:
        order = np.random.default_rng(0).permutation(panel.n_contracts)
        assert said(name, panel.reordered(order), context) == said(name, panel, context)


@each_strategy
def test_monitor_rows_decide_nothing_and_change_nothing(name, markets):
    for panel, context in markets:
        assert panel.is_chain[built_in(name).entries(panel, context).row].all()
        wild = np.where(panel.is_chain, 1.0, 1.05)
        other = replace(
            panel,
            spot=panel.spot * wild,
            fields={field: values * wild[:, None] for field, values in panel.fields.items()},
        )
        assert said(name, other, context) == said(name, panel, context)


@each_strategy
def test_it_names_what_a_day_lacks_and_stays_silent(name, markets):
    panel, context = markets[0]
    for need in built_in(name).needs:
        without = replace(panel, fields={**panel.fields, need: np.full(panel.ltp.shape, np.nan)})
        assert built_in(name).silence(without, context) == f"the day has no {need}"
        assert said(name, without, context) == []


OTHER_NEEDS = [
    ("quantum_edge", lambda panel, past: (panel, replace(past, direction=None)), "no direction"),
    ("opening_range", lambda panel, past: (without_spot(panel), past), "under 2 rows"),
    ("iv_rank", lambda panel, past: (panel, Context()), "under 20 days of history"),
]


def without_spot(panel: Panel) -> Panel:
    return replace(panel, spot=np.full(panel.n_rows, np.nan))


@pytest.mark.parametrize(("name", "taken_away", "reason"), OTHER_NEEDS)
def test_it_stays_silent_without_what_is_no_field_and_a_backtest_says_so(
    name, taken_away, reason, markets
):
    panel, context = taken_away(*markets[0])
    assert built_in(name).silence(panel, context).startswith(reason)
    assert said(name, panel, context) == []
    notes = backtest_day(panel, context, [built_in(name)], Settings()).notes
    assert any(note.startswith(f"{name} stays silent: {reason}") for note in notes)


@each_strategy
def test_nothing_keeps_it_silent_on_a_day_that_has_everything(name, markets):
    assert all(built_in(name).silence(*market) is None for market in markets)


def test_volatility_now_is_what_a_day_remembers_at_its_close(simulated):
    """A rank compares like with like; what is stored has the precision of a float32."""
    store, days = simulated
    for day in days:
        remembered = store.manifest(day.underlying, day.date).atm_iv
        now = lasting_iv(store.read_panel(day.underlying, day.date))
        assert now[-1] == pytest.approx(remembered, rel=1e-6)
        assert np.nanstd(now) > 1e-4  # and other rows have others
