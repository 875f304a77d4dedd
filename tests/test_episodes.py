"""Decisions every five minutes, their propensities, and what every choice would have come to."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from panels import panel
from paper_days import ensemble, plan_of, with_monitor_rows

from optiq.cli.app import main
from optiq.cli.doctor import exploration
from optiq.errors import InputError
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.asking import ask
from optiq.run.backtest import Settings, backtest_day
from optiq.run.choices import choices_of, of_orders
from optiq.run.choosing import (
    NONE,
    Chooser,
    chooser_named,
    decision_rows,
    masks,
    of_the_chosen,
    uniform,
)
from optiq.run.directory import to_table
from optiq.run.episodes import build_day, counted
from optiq.run.parity import prove
from optiq.run.sessions import Ensemble, opened, read_session
from optiq.run.shadow import first_orders, shadows
from optiq.run.user_strategy import find_all
from optiq.trade.charges import schedule
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits
from optiq.trade.strategies import BUILT_IN
from optiq.trade.walk import walk_day

FREE = Limits(
    first_entry_minutes=0.0,
    last_entry_minutes=0.0,
    max_open=50,
    cooldown_minutes=0.0,
    max_trades_per_day=500,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("store")
    store_simulation(Simulation(days=2, seed=21), Store(root))
    return root


@pytest.fixture(scope="module")
def day(store) -> Panel:
    first = Store(store).days("NIFTY")[0]
    return Store(store).read_panel("NIFTY", first.date)


RANDOM = Chooser("random", uniform, seed=3)


@pytest.mark.parametrize(
    ("minutes", "rows"),
    [
        ([555.0, 556.0, 559.9, 560.0, 561.0, 565.0], [0, 3, 5]),
        ([557.0, 558.0, 562.0], [0, 2]),  # the first at or after each mark
        ([555.0, 590.0, 591.0, 595.0], [0, 1, 3]),  # one decision after a hole, not seven
        ([], []),
    ],
)
def test_a_decision_is_the_first_row_of_each_five_minutes(minutes, rows):
    day = panel(minutes, [26_000.0], [1], 100.0)
    assert decision_rows(day).tolist() == rows


def test_a_uniform_choice_writes_down_its_chances():
    mask = np.array([True, False, True, True])
    draws = [uniform(np.zeros(23), mask, np.random.default_rng(n)) for n in range(4_000)]
    assert all(draw.propensity.tolist() == [0.25, 0.0, 0.25, 0.25] for draw in draws)
    counts = np.unique([draw.index for draw in draws], return_counts=True)
    assert counts[0].tolist() == [NONE, 0, 2, 3]
    assert (abs(counts[1] - 1_000) < 150).all()


def test_who_lacks_inputs_or_hours_is_masked(day):
    strategies = find_all([])
    due = decision_rows(day)
    possible = masks(day, Context(), strategies, Limits(), due)
    names = [strategy.name for strategy in strategies]
    assert not possible[:, names.index("quantum_edge")].any()  # no model
    assert not possible[:, names.index("iv_rank")].any()  # no history
    minute = day.minute[due]
    late = day.close_minute - minute < 30.0
    assert not possible[late].any()
    assert possible[~late][1:, names.index("gamma_scalping")].all()


def test_only_the_chosen_trades_until_the_next_choice(day):
    strategies = find_all([])
    orders = ask(day, np.arange(day.n_rows), Context(), strategies)
    decisions = RANDOM.decide(day, np.arange(day.n_rows), Context(), strategies, Limits())
    kept = of_the_chosen(orders, decisions)
    assert 0 < len(kept) < len(orders)
    for order in kept:
        latest = max(d.row for d in decisions if d.row <= order["row"])
        (decision,) = [d for d in decisions if d.row == latest]
        assert decision.choice.index == order["strategy"]
    assert len({decision.choice.index for decision in decisions}) > 3


def test_deciding_row_by_row_draws_as_deciding_at_once(day):
    strategies, rows = find_all([]), np.arange(day.n_rows)
    whole = RANDOM.decide(day, rows, Context(), strategies, Limits())
    for decision in whole[::7]:
        then = day.until(decision.row + 1)
        (last,) = RANDOM.decide(
            then, rows[: then.n_rows], Context(), strategies, Limits(), decision.row
        )
        assert last.choice.index == decision.choice.index
        assert np.array_equal(last.observation, decision.observation, equal_nan=True)
        assert np.array_equal(last.mask, decision.mask)


def test_on_a_sparse_day_too_deciding_row_by_row_is_deciding_at_once(day):
    sparse = day.chain_only._part(slice(3, None, 14), slice(None))
    strategies, rows = find_all([]), np.arange(sparse.n_rows)
    whole = RANDOM.decide(sparse, rows, Context(), strategies, Limits())
    opening = [strategy.name for strategy in strategies].index("opening_range")
    assert [d.mask[opening] for d in whole[:3]] == [True, False, False], "it turns out too sparse"
    for decision in whole:
        then = sparse.until(decision.row + 1)
        (last,) = RANDOM.decide(
            then, rows[: then.n_rows], Context(), strategies, Limits(), decision.row
        )
        assert np.array_equal(last.mask, decision.mask)
        assert last.choice.index == decision.choice.index


def test_a_shadow_result_is_a_backtest_of_that_order_alone(day):
    strategies = find_all([])
    orders = ask(day, np.arange(day.n_rows), Context(), strategies)
    decisions = RANDOM.decide(day, np.arange(day.n_rows), Context(), strategies, Limits())
    rates = schedule(day.underlying, day.date).rates
    results = shadows(day, orders, decisions, len(strategies), rates, WalkSettings())
    numbers = first_orders(day, orders, decisions, len(strategies))
    traded = 0
    for row, number_row in zip(results[::9], numbers[::9], strict=True):
        for shadow, number in zip(row, number_row, strict=True):
            if shadow.status != "filled":
                assert (shadow.net_pnl, shadow.r) == (0.0, 0.0)
                continue
            book = walk_day(day, orders[number : number + 1], rates, limits=FREE)
            assert shadow.net_pnl == int(book.day["realised_paise"][0]) / 100
            assert shadow.r == pytest.approx(shadow.net_pnl / shadow.risk)
            traded += 1
    assert traded > 10


def test_the_first_order_is_within_five_minutes_and_the_best_of_its_row(day):
    strategies = find_all([])
    orders = ask(day, np.arange(day.n_rows), Context(), strategies)
    decisions = RANDOM.decide(day, np.arange(day.n_rows), Context(), strategies, Limits())
    numbers = first_orders(day, orders, decisions, len(strategies))
    for decision, row in zip(decisions, numbers, strict=True):
        for place, number in enumerate(row):
            ends = decision.ts + np.timedelta64(5, "m")
            mine = orders[orders["strategy"] == place]
            due = mine[(mine["row"] >= decision.row) & (day.ts[mine["row"]] < ends)]
            if not len(due):
                assert number == -1
                continue
            assert orders[number]["row"] == due["row"].min()
            assert orders[number]["rank"] == due["rank"][due["row"] == due["row"].min()].max()


def test_risk_is_what_the_stop_would_cost():
    ltp = np.array([100.0, 100.0, 120.0, 120.0])[:, None]
    chain = {"gamma": 0.002, "delta": 0.5}
    day = panel([600.0, 601.0, 602.0, 603.0], [26_000.0], [1], ltp, bid=ltp, ask=ltp, **chain)
    strategies = find_all(["gamma_scalping"])
    lines = build_day(day, Context(), strategies, Settings(), RANDOM)
    (line, *_) = lines
    assert line["gamma_scalping_status"] == "filled"
    assert line["gamma_scalping_risk"] == pytest.approx(0.10 * 100.0 * 75)  # the stop, one lot
    assert line["gamma_scalping_exit_reason"] == "TARGET"
    assert line["gamma_scalping_r"] == line["gamma_scalping_net_pnl"] / 750.0


@pytest.mark.parametrize("policy", ["random", "gamma_scalping"])
def test_a_session_under_a_policy_is_the_backtest_under_it(tmp_path, day, policy):
    who = ensemble()
    who = Ensemble(who.settings, who.strategies, chooser=chooser_named(policy, who.strategies, 5))
    rows = list(with_monitor_rows(day, seed=8))
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        session.run(rows, [])
    stored = read_session(tmp_path)
    assert prove(stored, who)["mismatches"] == 0
    choices = [event.told for event in stored.events if event.kind == "chosen"]
    assert len(choices) == len(decision_rows(day))
    assert all(sum(told["propensity"].values()) <= 1.0 + 1e-12 for told in choices)
    alone = backtest_day(day, Context(), who.strategies, who.settings, None, who.chooser)
    if policy != "random":
        assert set(alone.trades()["strategy"]) == {policy}


def test_the_command_writes_one_row_a_decision(store, capsys):
    assert main(["episodes", "build", "--store", str(store), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    days = Store(store).days("NIFTY")
    files = sorted((store / "episodes").rglob("*.parquet"))
    assert len(files) == told["days"] == len(days)
    table = pq.read_table(files[0]).to_pylist()
    assert sum(pq.read_metadata(file).num_rows for file in files) == told["episodes"]
    results = [pq.read_table(file).to_pylist() for file in files]
    traded = [any(line[f"{name}_r"] for name in BUILT_IN) for day in results for line in day]
    assert told["traded"] == sum(traded) > 0
    for line in table:
        assert len(line["observation"]) == 23
        assert len(line["mask"]) == len(line["propensity"]) == 8
        assert line["choice"] == NONE or line["mask"][line["choice"]]
        expected = 1.0 / (sum(line["mask"]) + 1)
        assert line["propensity"] == [expected if m else 0.0 for m in line["mask"]]
    before = files[0].read_bytes()
    assert main(["episodes", "build", "--store", str(store), "--json"]) == 0
    assert files[0].read_bytes() == before, "the same day gives the same bytes"
    capsys.readouterr()
    assert main(["episodes", "ls", "--store", str(store)]) == 0
    assert f"{told['episodes']:,} of 1,000" in capsys.readouterr().out
    assert main(["episodes", "ls", "--store", str(store), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["needed"] == {"episodes": 1_000, "sessions": 60}
    assert listed["episodes"][0]["share"] == pytest.approx(2 / 60)
    found = [check.found for check in exploration(store)]
    assert found == [f"NIFTY {told['episodes']} of 1,000 episodes, 2 of 60 sessions"]
    assert counted(store)[0]["sessions"] == len(days)


def test_a_day_without_a_decision_has_the_columns_of_the_others(day):
    who = ensemble()
    whole = backtest_day(day, Context(), who.strategies, who.settings, None, RANDOM)
    none = replace(whole, chosen=replace(whole.chosen, decisions=()), orders=whole.orders[:0])
    for columns in (choices_of, of_orders):
        full, empty = (to_table(columns(one, one.chosen)) for one in (whole, none))
        assert empty.schema == full.schema
        assert len(full) > len(empty) == 0


def test_an_unknown_policy_names_those_there_are():
    with pytest.raises(InputError, match="no policy 'best'"):
        chooser_named("best", find_all([]), 0)


def test_a_run_under_a_policy_can_be_told(store, tmp_path, capsys):
    asked = ["--store", str(store), "--json"]
    out = str(tmp_path / "run")
    assert main(["backtest", "--policy", "random", "--seed", "5", "--out", out, *asked]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["policy"], summary["seed"]) == ("random", 5)
    assert summary["trades"] > 5
    assert main(["explain", "2", "--run", out, *asked]) == 0
    assert main(["backtest", "--policy", "random", "--compare", *asked]) == 2
