"""What is said of a row is the same wherever the day is cut; whoever looks ahead is caught."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from pathlib import Path

import cheats
import numpy as np
import pytest
from panels import panel as small_panel
from recorded import RECORDED, needs_recordings

from optiq import Context, ExitRule, Orders, Panel
from optiq.errors import LookAheadError, StrategyError
from optiq.market.ingest.pipeline import ingest
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.cuts import blind_cuts, pointed_cuts
from optiq.run.prefix import (
    Subject,
    check,
    features_of,
    orders_of,
    readiness_of,
    require,
    scores_of,
)
from optiq.run.said import of_cells, of_orders
from optiq.run.user_strategy import find
from optiq.trade.strategies import BUILT_IN, from_module

EXAMPLES = Path(__file__).parents[1] / "examples"
STRATEGIES = [*BUILT_IN, *(str(EXAMPLES / name) for name in ("momentum.py", "my_idea.py"))]
each_strategy = pytest.mark.parametrize("name", STRATEGIES, ids=lambda name: Path(name).stem)


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("simulated"))
    store_simulation(Simulation(days=3, seed=5), store)
    return store


@pytest.fixture(scope="module")
def recorded(tmp_path_factory) -> Store:
    store = Store(tmp_path_factory.mktemp("recorded"))
    sources = ("collector/*.parquet", "nse_1min/*.parquet")
    ingest([str(RECORDED / source) for source in sources], store)
    return store


@pytest.fixture(scope="module")
def days(simulated) -> list[Panel]:
    """Sessions on which a third of the contracts are quoted from some later row on only."""
    return [
        cheats.with_late_contracts(simulated.read_panel(day.underlying, day.date))
        for day in simulated.days()
    ]


# The strategies that ship


@each_strategy
def test_it_keeps_its_word_on_a_simulated_day(name, simulated, days):
    strategy = find(name)
    day = simulated.days()[-1]
    whole = simulated.read_panel(day.underlying, day.date)
    context = simulated.context(day.underlying, day.date)
    for panel in (whole, days[-1]):
        require(orders_of(strategy), panel, context)
        require(readiness_of(strategy), panel, context)


@needs_recordings
@pytest.mark.parametrize("date", [dt.date(2025, 8, 29), dt.date(2026, 8, 18)])
@each_strategy
def test_it_keeps_its_word_on_a_recorded_day_around_its_holes(name, date, recorded):
    panel = recorded.read_panel("NIFTY", date)
    context = recorded.context("NIFTY", date)
    require(orders_of(find(name)), panel, context)
    require(readiness_of(find(name)), panel, context)


def test_they_do_speak(days):
    compared = check([orders_of(find(name)) for name in STRATEGIES], days[0], Context())
    assert sum(one.statements > 0 for one in compared) >= 3


# Cheats


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cheat", [*cheats.CHEATS, cheats.Remembers])
def test_whoever_looks_ahead_is_caught_every_time(cheat, seed, days):
    for day in days:
        rule = cheat() if cheat is cheats.Remembers else cheat  # it must not know the day yet
        with pytest.raises(LookAheadError) as caught:
            require(orders_of(cheats.strategy(rule, "cheat")), day, seed=seed)
        found = re.fullmatch(
            rf"strategy 'cheat' contradicts itself on NIFTY {day.date}, "
            r"row (\d+) \((.{8}) IST\), (\d+) CE of (.{10}): on the day "
            r"(?:cut after row (\d+)|with its columns \w+) it says (.+), on the whole day (.+)",
            str(caught.value),
        )
        assert found, str(caught.value)
        row, time, strike, expiry, cut, then, whole = found.groups()
        assert str(day.ts[int(row)] + np.timedelta64(330, "m"))[11:19] == time
        named = (day.strike == float(strike)) & (day.expiry == np.datetime64(expiry))
        assert (named & (day.right > 0)).sum() == 1
        assert cut is None or int(row) <= int(cut)
        assert then != whole


@pytest.mark.parametrize("rule", cheats.HONEST)
def test_who_looks_back_only_is_not_accused(rule, days):
    for day in days:
        assert require(orders_of(cheats.strategy(rule)), day) > 0


def test_one_peek_in_a_whole_year_of_rows_is_found():
    """The one row where it shows is found by what it says there, not by luck."""
    n = 4000
    spot = np.full(n, 26_000.0)
    spot[2500] += 5.0
    ts = np.linspace(556.0, 929.0, n)
    day = small_panel(ts.tolist(), [26_000.0], [1], 100.0, spot=spot.tolist())
    with pytest.raises(LookAheadError, match=r"row 2499 .*cut after row 2499 it says nothing"):
        require(orders_of(cheats.strategy(cheats.peeks_one_row_ahead)), day)


def test_the_message_says_row_contract_and_both_values():
    spot = [26_000.0, 26_010.0, 26_010.0]
    day = small_panel([600, 601, 602], [26_000.0], [1], 100.0, spot=spot)
    with pytest.raises(LookAheadError) as caught:
        require(orders_of(cheats.strategy(cheats.peeks_one_row_ahead, "cheat")), day)
    assert str(caught.value) == (
        "strategy 'cheat' contradicts itself on NIFTY 2025-11-20, row 0 (10:00:00 IST), "
        "26000 CE of 2025-11-25: on the day cut after row 0 it says nothing, "
        "on the whole day buy 1, strength 50.0"
    )
    assert caught.value.exit_code == 3


def test_only_what_differs_is_said_of_two_orders():
    day = small_panel([600, 601], [26_000.0], [1], 100.0)

    def rule(panel):
        mask = panel.ltp > 0
        stop = 0.1 if panel.n_rows < 2 else 0.1 + 1e-16  # the next double
        return Orders.single(panel, mask, rule=ExitRule(target=0.2, stop=stop))

    with pytest.raises(LookAheadError, match=r"says stop 0\.1, on the whole day stop 0\.1000\d+1$"):
        require(orders_of(cheats.strategy(rule)), day)


def test_a_package_is_named_by_all_its_legs():
    day = small_panel([600, 601], [26_000.0, 26_000.0], [1, -1], 100.0)

    def rule(panel):
        if not panel.n_contracts:
            return Orders.empty()
        wide = np.array([[0, 1]]) if panel.n_rows < 2 else np.array([[0, -1]])
        return Orders.packages(np.array([0]), wide, -1, ExitRule(), ratio=2)

    with pytest.raises(LookAheadError) as caught:
        require(orders_of(cheats.strategy(rule)), day)
    assert (
        "it says sell 2, sell 2, strength 50.0 of 26000 CE of 2025-11-25 + 26000 PE of 2025-11-25, "
        "on the whole day sell 2, strength 50.0 of 26000 CE of 2025-11-25"
    ) in str(caught.value)


def test_a_field_that_comes_late_must_not_make_the_morning_speak(days):
    """`NEEDS` silences a whole day: who does not ask for the field row by row is found."""
    day = days[0]
    fields = dict(day.fields)
    fields["oi"] = np.where(np.arange(day.n_rows)[:, None] < 200, np.nan, day.oi)
    late = dataclasses.replace(day, fields=fields)
    careless = cheats.strategy(cheats.looks_one_row_back, needs=("oi",))
    with pytest.raises(LookAheadError, match="it says nothing"):
        require(orders_of(careless), late)


def test_the_model_s_view_is_cut_with_the_rows(days):
    rng = np.random.default_rng(1)
    seen = Context(direction=rng.dirichlet((1, 1, 1), days[0].n_rows))

    class Module:
        Params = cheats.Params

    def follower(last: bool) -> Subject:
        def entries(panel, context, params):
            orders = cheats.follows_the_model(panel, context)
            return orders.take(orders.row == orders.row[-1:].sum()) if last else orders

        module = Module()
        module.entries = entries
        return orders_of(from_module("follower", module))

    assert require(follower(last=False), days[0], seen) > 0
    with pytest.raises(LookAheadError):
        require(follower(last=True), days[0], seen)


def test_an_error_on_a_cut_day_says_where_it_was_cut(days):
    def rule(panel):
        return cheats.calls_where(panel, panel.spot > panel.spot[0])

    with pytest.raises(StrategyError, match=r"IndexError.*the day cut before its first row"):
        require(orders_of(cheats.strategy(rule)), days[0])


# Scores and features


def of_the_panel(panel, context, orders):
    return panel.spot[orders.row] - 20_000.0


def of_all_orders(panel, context, orders):
    return np.argsort(np.argsort(panel.spot[orders.row])) / max(1, len(orders))


def test_a_scorer_that_ranks_over_the_day_is_caught(days):
    strategy = cheats.strategy(cheats.looks_one_row_back)
    assert require(scores_of("honest", of_the_panel, strategy), days[0]) > 0
    with pytest.raises(LookAheadError, match=r"scorer 'ranks' on 'mine' .* it says score \d\.\d+"):
        require(scores_of("ranks", of_all_orders, strategy), days[0])


def test_a_scorer_must_give_one_score_an_order(days):
    strategy = cheats.strategy(cheats.looks_one_row_back)
    with pytest.raises(StrategyError, match=r"scores of shape \(1,\), not \(\d+,\)"):
        require(scores_of("short", lambda *_: np.zeros(1), strategy), days[0])


NAMES = ("level", "sum")


def running(panel, context):
    return np.column_stack([panel.spot, np.cumsum(panel.spot)])


def summed_from_the_close(panel, context):
    return np.column_stack([panel.spot, np.cumsum(panel.spot[::-1])[::-1]])


def summed_over_columns(panel, context):
    """Floats summed over the contracts of a row: other columns, other bits."""
    return np.column_stack([panel.spot, np.nansum(panel.ltp / panel.strike, axis=1)])


def test_features_are_checked_row_by_row(days):
    assert require(features_of("running", NAMES, running), days[0]) > 10_000


@pytest.mark.parametrize("compute", [summed_from_the_close, summed_over_columns])
def test_a_feature_that_depends_on_the_rest_of_the_day_is_named(compute, days):
    with pytest.raises(LookAheadError, match=r"^sums contradicts itself .* it says sum \d"):
        require(features_of("sums", NAMES, compute), days[0])


def test_features_of_another_shape_are_refused(days):
    short = features_of("short", NAMES, lambda panel, context: np.zeros((panel.n_rows, 3)))
    with pytest.raises(StrategyError, match=r"values of shape \(0, 3\), not \(0, 2\)"):
        require(short, days[0])


def test_features_of_contracts_are_compared_by_contract(days):
    def cells(divide_by_all: bool) -> Subject:
        def say(panel, context):
            row, column = np.nonzero(panel.ltp > 100.0)
            whole = panel.n_contracts if divide_by_all else 1
            return of_cells(panel, row, column, ("ltp",), panel.ltp[row, column][:, None] / whole)

        return Subject("cells", say)

    assert require(cells(divide_by_all=False), days[0]) > 10_000
    with pytest.raises(LookAheadError, match=r"^cells .* \d+ [CP]E of .* it says ltp \d"):
        require(cells(divide_by_all=True), days[0])


# The cuts


def test_the_open_the_holes_and_the_close_are_always_cut():
    minutes = [555, 556, 557, 558, 590, 591, 592, 593, 594, 640, 641, 642, 643]
    late = np.full((13, 2), 100.0)
    late[:7, 1] = np.nan
    day = small_panel(minutes, [26_000, 26_100], [1, 1], late)
    cuts = blind_cuts(day, 0, np.random.default_rng(0))
    # the open; rows 3 | 4 and 8 | 9 around the holes; row 7 brings a contract; the close
    assert cuts == [0, 1, 2, 4, 5, 7, 8, 9, 10, 11, 12, 13]


def test_holes_are_those_of_the_chain_not_of_the_faster_quotes_between():
    minutes = [555, 556, 557, 570, 580, 590, 600, 601, 602]
    chain = [True, True, True, False, False, False, True, True, True]
    day = small_panel(minutes, [26_000], [1], 100.0, chain=chain)
    assert {3, 7} <= set(blind_cuts(day, 0, np.random.default_rng(0)))


def test_random_cuts_are_those_of_the_seed(days):
    one, again, other = (blind_cuts(days[0], 30, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == again != other


def test_cuts_point_at_where_orders_begin_and_end():
    day = small_panel(list(range(600, 620)), [26_000], [1], 100.0)
    rows = np.isin(np.arange(20), [4, 5, 6, 12])
    whole = of_orders(day, Orders.single(day, rows[:, None]))
    cuts = pointed_cuts(whole, 20, 4, np.random.default_rng(0))
    assert cuts.tolist() == [5, 8, 13, 14]  # after rows 4 | 7 and 12 | 13


@pytest.mark.parametrize("rows", [[], [0], [0, 1, 2]])
def test_a_day_of_few_rows_is_checked_too(rows):
    day = small_panel([600.0 + row for row in rows], [26_000], [1], 100.0)
    compared = require(orders_of(cheats.strategy(cheats.knows_the_high_so_far)), day)
    assert (compared > 0) == (len(rows) > 0)
