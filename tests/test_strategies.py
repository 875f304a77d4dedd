"""What each strategy that ships orders on days made by hand, and what all of them promise."""

from __future__ import annotations

import dataclasses
import inspect
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from option_chains import LTP, chain, column, spoken, unquoted
from panels import DATE

from optiq.errors import StrategyError
from optiq.market.context import Context
from optiq.market.moneyness import lasting_iv
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings, backtest_day
from optiq.run.prefix import orders_of, require
from optiq.run.said import of_orders
from optiq.trade.orders import ExitRule, Orders
from optiq.trade.strategies import BUILT_IN, built_in, from_module

NOON = [720.0, 721.0, 722.0]
CALL, PUT = "+26000CE", "+26000PE"
STRADDLE, CONDOR = "+26000CE +26000PE", "-26300CE -25700PE +26500CE +25500PE"


def asked(name: str, day: Panel, context: Context, **params: float) -> Orders:
    strategy = built_in(name)
    params_given = replace(strategy.params, **params)
    return built_in(name, params_given).entries(day, context)


# Quantum edge


def expecting(*probabilities: tuple[float, float, float]) -> Context:
    return Context(direction=np.array(probabilities))


@pytest.mark.parametrize(
    ("sell", "hold", "buy", "order", "strength"),
    [
        (0.00, 0.00, 1.00, CALL, 100.0),
        (0.10, 0.15, 0.75, CALL, 50.0),
        (0.75, 0.15, 0.10, PUT, 50.0),
        (0.10, 0.40, 0.50, CALL, 0.0),  # met exactly
        (0.10, 0.40001, 0.49999, None, None),  # missed by a hair
        (0.50, 0.40, 0.10, PUT, 0.0),
        (0.00, 0.50, 0.50, None, None),  # the largest, but not alone
        (0.50, 0.00, 0.50, None, None),
        (0.20, 0.60, 0.20, None, None),
        (np.nan, np.nan, np.nan, None, None),
    ],
)
def test_quantum_edge_follows_a_confident_model(sell, hold, buy, order, strength):
    orders = asked("quantum_edge", chain([720.0]), expecting((sell, hold, buy)))
    assert spoken(chain([720.0]), orders) == ([(0, order)] if order else [])
    assert orders.strength.tolist() == pytest.approx([strength] if order else [])


def test_quantum_edge_may_be_told_to_trust_less():
    context = expecting((0.3, 0.3, 0.4))
    assert len(asked("quantum_edge", chain([720.0]), context)) == 0
    orders = asked("quantum_edge", chain([720.0]), context, threshold=0.25)
    assert orders.strength.tolist() == pytest.approx([20.0])  # (0.40 - 0.25) / 0.75
    assert [orders.target[0], orders.stop[0], orders.max_hold_minutes[0]] == [0.30, 0.15, 60.0]


def test_quantum_edge_speaks_of_each_row_by_itself():
    context = expecting((0.9, 0.1, 0.0), (np.nan,) * 3, (0.0, 0.1, 0.9))
    assert spoken(chain(NOON), asked("quantum_edge", chain(NOON), context)) == [
        (0, PUT),
        (2, CALL),
    ]


# Opening range

OPENING = [(555.0, 26_000.0), (562.0, 26_050.0), (569.9, 26_010.0)]  # 26,000 to 26,050
TOP, BOTTOM = 26_055.21, 25_994.80  # with 0.02 % of the edge


def opened(*later: tuple[float, float], **changes: object) -> Panel:
    minutes, spot = zip(*OPENING, *later, strict=True)
    return chain(list(minutes), spot=list(spot), **changes)


@pytest.mark.parametrize(
    ("later", "order"),
    [
        ([(570.0, TOP)], (3, CALL)),  # met exactly; the range is complete at 09:30:00
        ([(570.0, TOP - 0.01)], None),  # missed by a hair
        ([(570.0, BOTTOM)], (3, PUT)),
        ([(570.0, BOTTOM + 0.01)], None),
        ([(569.95, 26_200.0)], None),  # before 09:30 it only widens the range
        ([(569.95, 26_200.0), (570.0, TOP)], None),
        ([(690.0, TOP)], (3, CALL)),  # 135 minutes after the open
        ([(690.1, TOP)], None),
        ([(580.0, 26_020.0), (581.0, np.nan), (582.0, BOTTOM), (583.0, TOP)], (5, PUT)),
        ([(580.0, TOP), (581.0, 26_020.0), (582.0, TOP)], (3, CALL)),  # once a day
    ],
)
def test_opening_range_decides_once(later, order):
    day = opened(*later)
    assert spoken(day, asked("opening_range", day, Context())) == ([order] if order else [])


def test_opening_range_is_stronger_the_further_beyond():
    for spot, strength in ((TOP, 0.0), (TOP + 25.0, 50.0), (TOP + 80.0, 100.0), (BOTTOM - 10, 20)):
        orders = asked("opening_range", opened((571.0, spot)), Context())
        assert orders.strength.tolist() == pytest.approx([strength])
    assert [orders.target[0], orders.stop[0]] == [0.40, 0.25]
    assert [orders.trail_after[0], orders.trail[0]] == [0.20, 0.15]


def test_a_range_of_no_width_and_no_buffer_is_left_not_touched():
    day = chain([555.0, 560.0, 570.0, 571.0], spot=[26_000.0, 26_000.0, 26_000.0, 26_000.05])
    orders = asked("opening_range", day, Context(), buffer=0.0)
    assert spoken(day, orders) == [(3, CALL)]
    assert orders.strength.tolist() == [100.0]


def test_an_untradable_contract_on_the_first_row_ends_the_day():
    day = opened((570.0, TOP), (571.0, TOP))
    assert asked("opening_range", day, Context()).row.tolist() == [3]
    assert len(asked("opening_range", unquoted(day, (3, "26000CE")), Context())) == 0
    assert asked("opening_range", unquoted(day, (3, "26000PE")), Context()).row.tolist() == [3]
    assert asked("opening_range", unquoted(day, (4, "26000CE")), Context()).row.tolist() == [3]


def test_the_range_counts_from_that_sessions_open():
    """Muhurat opens at 13:45."""
    minutes, spot = [825.0, 839.0, 840.0], [26_000.0, 26_050.0, TOP]
    day = replace(chain(minutes, spot=spot), open_minute=825.0, close_minute=885.0)
    assert spoken(day, asked("opening_range", day, Context())) == [(2, CALL)]
    assert len(asked("opening_range", replace(day, open_minute=820.0), Context())) == 0


def test_monitor_rows_neither_widen_the_range_nor_leave_it():
    day = opened((565.0, 26_300.0), (570.0, TOP), (571.0, TOP))
    order = np.argsort(day.ts)
    day = replace(
        day, ts=day.ts[order], known=day.ts[order], spot=day.spot[order], is_chain=np.ones(6, bool)
    )
    assert len(asked("opening_range", day, Context())) == 0
    monitor = replace(day, is_chain=np.array([True, True, False, True, False, True]))
    assert asked("opening_range", monitor, Context()).row.tolist() == [5]


@pytest.mark.parametrize(
    ("minutes", "reason"),
    [
        ([555.0, 570.0], "under 2 rows with a spot in the first 15 minutes"),
        ([575.0, 590.0], "under 2 rows with a spot in the first 15 minutes"),
        ([555.0, 569.0, 570.0], None),
        ([555.0], None),  # the minutes are not over: nothing can be said
    ],
)
def test_opening_range_says_why_there_is_no_range(minutes, reason):
    assert built_in("opening_range").silence(chain(minutes), Context()) == reason


# Rank of volatility


def remembering(*atm_iv: float) -> Context:
    sessions = np.datetime64(DATE) - np.arange(len(atm_iv), 0, -1)
    return Context(sessions, np.full(len(atm_iv), 26_000.0), np.array(atm_iv))


PAST = remembering(*np.linspace(0.10, 0.14, 20))


@pytest.mark.parametrize(
    ("iv", "order", "strength"),
    [
        (0.13, CONDOR, 0.0),  # rank 75
        (0.12999, None, None),
        (0.135, CONDOR, 50.0),
        (0.16, CONDOR, 100.0),  # higher than ever: rank 150
        (0.11, STRADDLE, 0.0),  # rank 25
        (0.11001, None, None),
        (0.105, STRADDLE, 50.0),
        (0.09, STRADDLE, 100.0),
        (0.12, None, None),
    ],
)
def test_iv_rank_sells_what_is_dear_and_buys_what_is_cheap(iv, order, strength):
    day = chain([720.0], iv=iv)
    orders = asked("iv_rank", day, PAST)
    assert spoken(day, orders) == ([(0, order)] if order else [])
    assert orders.strength.tolist() == pytest.approx([strength] if order else [])
    exits = {CONDOR: (0.50, 1.00), STRADDLE: (0.25, 0.15), None: ()}[order]
    assert (*orders.target.tolist(), *orders.stop.tolist()) == exits


def test_orders_of_both_kinds_come_row_by_row():
    day = chain(NOON, iv=np.array([0.09, 0.16, 0.09])[:, None])
    assert spoken(day, asked("iv_rank", day, PAST)) == [(0, STRADDLE), (1, CONDOR), (2, STRADDLE)]


@pytest.mark.parametrize(
    ("history", "reason"),
    [
        ([0.10] * 10 + [0.14] * 9, "under 20 days of history"),
        ([0.10] * 10 + [np.nan] + [0.14] * 9, "under 20 days of history"),
        ([0.10] * 10 + [np.nan] + [0.14] * 10, None),
        ([], "under 20 days of history"),
        ([0.12] * 30, "one volatility on all past days"),
    ],
)
def test_iv_rank_needs_days_to_compare_with(history, reason):
    day, context = chain([720.0], iv=0.2), remembering(*history)
    assert built_in("iv_rank").silence(day, context) == reason
    assert len(asked("iv_rank", day, context)) == (reason is None)


def test_only_the_last_sixty_days_count():
    day = chain([720.0], iv=0.13)
    shadowed = remembering(0.90, *np.linspace(0.10, 0.14, 59))
    assert len(asked("iv_rank", day, shadowed)) == 1  # a rank of 4: the straddle
    forgotten = remembering(0.90, *np.linspace(0.10, 0.14, 60))
    assert spoken(day, asked("iv_rank", day, forgotten)) == [(0, CONDOR)]
    assert spoken(day, asked("iv_rank", day, shadowed, lookback_days=59)) == [(0, CONDOR)]


@pytest.mark.parametrize(
    ("wing", "params", "n"),
    [
        (5.05, {}, 1),
        (5.00, {}, 0),  # above 5, not at least
        (5.00, {"condor_min_premium": 4.0}, 1),
        (10.0, {"condor_min_premium": 50.0}, 0),  # the least premium of a single option
    ],
)
def test_the_legs_of_a_condor_may_be_cheap_but_not_worthless(wing, params, n):
    ltp = np.where(np.arange(len(LTP)) == column("26500CE"), wing, LTP)
    day = chain([720.0], iv=0.16, ltp=ltp)
    assert len(asked("iv_rank", day, PAST, **params)) == n


def test_the_straddle_keeps_the_ordinary_least_premium():
    day = chain([720.0], iv=0.09, ltp=LTP - 10.0)  # 50 at the money
    assert len(asked("iv_rank", day, PAST)) == 0
    assert len(asked("iv_rank", day, PAST, min_premium=49.0)) == 1


def test_volatility_now_is_what_a_day_remembers_at_its_close(simulated):
    """A rank compares like with like; what is stored has the precision of a float32."""
    store, days = simulated
    for day in days:
        remembered = store.manifest(day.underlying, day.date).atm_iv
        now = lasting_iv(store.read_panel(day.underlying, day.date))
        assert now[-1] == pytest.approx(remembered, rel=1e-6)
        assert np.nanstd(now) > 1e-4  # and other rows have others


# What all of them promise


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


# A user's own reason


@dataclasses.dataclass(frozen=True)
class NoParams:
    """Nothing."""


def backwards(panel: Panel, context: Context, params: NoParams) -> Orders:
    rows = np.arange(panel.n_rows)[::-1].repeat(2)
    return Orders.packages(rows, np.tile([[1], [0]], (panel.n_rows, 1)), 1, ExitRule())


def own(**parts: object) -> object:
    return from_module("own", SimpleNamespace(Params=NoParams, entries=backwards, **parts))


def test_orders_come_by_row_and_those_of_one_row_as_given():
    orders = own().entries(chain(NOON), Context())
    assert orders.row.tolist() == [0, 0, 1, 1, 2, 2]
    assert orders.legs[:, 0].tolist() == [1, 0, 1, 0, 1, 0]


def test_a_users_reason_silences_and_is_told():
    quiet = own(silent_because=lambda panel, context, params: "it rains")
    assert len(quiet.entries(chain(NOON), Context())) == 0
    notes = backtest_day(chain(NOON), Context(), [quiet], Settings()).notes
    assert "own stays silent: it rains" in notes


@pytest.mark.parametrize(
    ("reason", "message"),
    [
        (lambda panel, context, params: 3, "silent_because returned 3"),
        (lambda panel, context, params: 1 / 0, "ZeroDivisionError"),
    ],
)
def test_a_users_reason_that_is_none_is_an_error_that_names_it(reason, message):
    with pytest.raises(StrategyError, match=f"strategy 'own'.*{message}"):
        own(silent_because=reason).entries(chain(NOON), Context())


def test_a_reason_must_be_a_function():
    with pytest.raises(StrategyError, match="silent_because is no function"):
        own(silent_because="it rains")
