"""The last rows of a day answer every question as the whole day does."""

from __future__ import annotations

import dataclasses

import cheats
import numpy as np
import pytest
from option_chains import remembering
from panels import panel as small_panel

from optiq import Context, Panel
from optiq.errors import LookAheadError, StrategyError
from optiq.market.chain_row import rows_of
from optiq.market.growing_panel import GrowingPanel
from optiq.market.moneyness import lasting_iv, nearest_expiry, strikes_from_the_money
from optiq.market.schema import FIELDS
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.asking import orders_since
from optiq.run.prefix import orders_of, require
from optiq.run.said import of_orders
from optiq.trade.strategies import BUILT_IN, Strategy, built_in
from optiq.trade.tradability import Tradable, tradable
from optiq.trade.traded_volume import volume_weighted_spot


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Panel:
    """A day on which a third of the contracts, one whole expiry among them, are quoted later."""
    store = Store(tmp_path_factory.mktemp("store"))
    store_simulation(Simulation(days=1, seed=3), store)
    (stored,) = store.days()
    whole = cheats.with_late_contracts(store.read_panel(stored.underlying, stored.date))
    early = (np.arange(whole.n_rows)[:, None] < 100) & (whole.expiry_index == 0)
    fields = {name: np.where(early, np.nan, values) for name, values in whole.fields.items()}
    return dataclasses.replace(whole, fields=fields)


@pytest.fixture(scope="module")
def context(day) -> Context:
    """What makes every strategy speak: a moody model and volatilities on both sides of today's."""
    low, high = np.nanquantile(lasting_iv(day), [0.3, 0.7])
    moods = np.random.default_rng(3).dirichlet([0.5, 0.5, 0.5], day.n_rows)
    return dataclasses.replace(remembering(*np.linspace(low, high, 25)), direction=moods)


@pytest.fixture(scope="module")
def grown(day) -> GrowingPanel:
    """The same day as it comes in, its columns in order of appearance."""
    growing = GrowingPanel(day.underlying, day.date, has_book=day.has_book)
    for row in rows_of(day):
        growing.append(row)
    return growing


QUESTIONS = {
    "forward": lambda panel: panel.forward_by_expiry,
    "units": lambda panel: panel.units_traded,
    "nearest": lambda panel: nearest_expiry(panel, 60.0),
    "steps": lambda panel: strikes_from_the_money(panel, 60.0),
    "tradable": lambda panel: tradable(panel, Tradable()),
    "level": volume_weighted_spot,
    **{name: lambda panel, name=name: panel.fields[name] for name in FIELDS},
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_tail_says_of_its_rows_what_the_day_says(question, day, grown):
    ask = QUESTIONS[question]
    for panel in (day, grown.chain_panel()):
        whole = ask(panel)
        for start in (0, 1, 99, 100, 250, 373, 374):
            np.testing.assert_array_equal(ask(panel.tail(start)), whole[start:])


def test_a_contract_of_an_earlier_row_exists_from_the_tail_s_first(day):
    assert (day.first_row > 200).any()
    tail = day.tail(200)
    np.testing.assert_array_equal(tail.first_row, np.maximum(day.first_row - 200, 0))
    assert (tail.so_far, tail.starts_at) == (day, 200)
    assert (tail.tail(50).so_far, tail.tail(50).starts_at) == (day, 250)
    assert (day.so_far, day.starts_at) == (day, 0)


def test_a_tail_has_heard_what_the_session_said():
    morning = small_panel([600, 601, 602], [26_000.0], [1], 100.0, oi=[[np.nan], [5.0], [np.nan]])
    tails = [morning.tail(n) for n in range(3)]
    heard = [(tail.said_from("oi"), tail.said_from("iv")) for tail in tails]
    assert heard == [(1, 3), (0, 2), (0, 1)]
    assert morning.until(1).said_from("oi") == 1


def test_what_is_worked_out_row_by_row_is_what_the_whole_day_says(grown):
    as_it_came = grown.chain_panel()
    from_scratch = dataclasses.replace(as_it_came, fields=dict(as_it_came.fields))
    for name in ("first_row", "units_traded", "forward_by_expiry"):
        np.testing.assert_array_equal(getattr(as_it_came, name), getattr(from_scratch, name))
    assert as_it_came.units_traded.sum() > 0
    for field in FIELDS:
        assert as_it_came.said_from(field) == from_scratch.said_from(field)
    assert len(np.unique(as_it_came.first_row)) > 20


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_strategy_shown_the_last_rows_says_what_it_says_of_the_day(name, day, context):
    strategy = built_in(name)
    if name == "pcr_reversal":  # the day's puts and calls are in no extreme proportion
        strategy = built_in(name, dataclasses.replace(strategy.params, high=1.0, low=1.0))
    assert strategy.lookback_minutes is not None
    whole = strategy.entries(day, context)
    assert len(whole)
    for since in {1, 16, 100, 374, *whole.row[:: max(1, len(whole) // 12)].tolist()} - {0}:
        (asked,) = orders_since(day, context, [strategy], since)
        one, other = (of_orders(day, orders) for orders in (asked, whole.take(whole.row >= since)))
        assert len(one) == len(other)
        assert one.same_as(other, len(one)).all()


def looking_back(minutes: object) -> Strategy:
    """Buys where the index rose over five rows, and says how far it looks back."""
    rose = cheats.strategy(
        lambda panel: cheats.calls_where(
            panel, panel.spot > np.append(np.full(5, np.inf), panel.spot)[: panel.n_rows]
        )
    )
    return dataclasses.replace(rose, lookback_minutes=lambda params: minutes)


def test_who_looks_further_back_than_it_says_is_found(day):
    with pytest.raises(LookAheadError, match="it says nothing, on the whole day buy 1") as caught:
        require(orders_of(looking_back(4.0)), day)
    assert "no older rows than lookback_minutes allows" in caught.value.hint
    assert require(orders_of(looking_back(5.0)), day) > 0


@pytest.mark.parametrize("minutes", [-1.0, np.inf, np.nan, "5", None])
def test_a_senseless_lookback_is_named(minutes):
    morning = small_panel([600, 601], [26_000.0], [1], 100.0)
    with pytest.raises(StrategyError, match=r"'mine': lookback_minutes returned .*"):
        looking_back(minutes).shown_from(morning, 1)
