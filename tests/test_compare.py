"""Each strategy alone and all together: the same as so many backtests, to the paisa."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from simulated_run import UNDERLYING, stored

from optiq import daily_returns
from optiq.errors import CannotCreateError, InputError
from optiq.report.compare_table import show_comparison
from optiq.run.backtest import Settings
from optiq.run.compare import compare_stored
from optiq.run.recorded import find_run, read_run
from optiq.run.stored import backtest_stored, sessions
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits
from optiq.trade.strategies import built_in

NAMES = ("gamma_scalping", "institutional_oi")
SETTINGS = Settings(WalkSettings(), Limits(max_open=1, max_trades_per_day=6))


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    store, out = stored(), tmp_path_factory.mktemp("runs") / "compared"
    days = sessions(store, UNDERLYING, None, None)
    team = [built_in(name) for name in NAMES]
    return compare_stored(store, UNDERLYING, days, team, SETTINGS, out, lambda _: ""), out


@pytest.mark.parametrize("name", [*NAMES, "together"])
def test_a_line_is_the_backtest_of_its_strategies(compared, name, tmp_path):
    result, out = compared
    lines = {line["strategy"]: line for line in [*result["strategies"], result["together"]]}
    store, line = stored(), lines[name]
    team = [built_in(n) for n in (NAMES if name == "together" else (name,))]
    days = sessions(store, UNDERLYING, None, None)
    alone = backtest_stored(store, UNDERLYING, days, team, SETTINGS, tmp_path / "alone", "")
    assert alone.summary["trades"] > 0
    for key in ("trades", "win_rate", "gross_pnl", "charges", "net_pnl", "max_drawdown"):
        assert line[key] == alone.summary[key]
    mine, theirs = read_run(out / name), read_run(tmp_path / "alone")
    for column, values in theirs.trades.items():
        np.testing.assert_array_equal(mine.trades[column], values)
    assert mine.fates == theirs.fates
    same = set(mine.summary) - {"run", "elapsed_s"}
    assert {k: mine.summary[k] for k in same} == {k: theirs.summary[k] for k in same}


def test_a_line_holds_together(compared):
    result, out = compared
    for line in result["strategies"]:
        run = read_run(out / line["strategy"])
        ledger = pd.DataFrame(run.trades)
        by_day = ledger.groupby(ledger.exit_ts.dt.date).net_pnl.sum()
        assert line["worst_day_net"] == pytest.approx(min(by_day.min(), 0.0))
        assert line["net_per_trade"] == pytest.approx(line["net_pnl"] / line["trades"])
        assert line["frontier"]["net"] == line["net_pnl"]
        minutes = set()
        for trade in ledger.itertuples():  # simulated rows are whole minutes
            minutes |= set(pd.date_range(trade.entry_ts, trade.exit_ts, freq="min")[:-1])
        assert line["exposure"] == pytest.approx(len(minutes) / (375 * result["days"]))
    kept = json.loads((out / "compare.json").read_text())
    assert kept["strategies"][0]["net_pnl"] == result["strategies"][0]["net_pnl"]


@pytest.mark.parametrize("width", [80, 100])
def test_the_screen_is_whole_at_every_width(compared, width):
    page = io.StringIO()
    show_comparison(Console(file=page, width=width), compared[0])
    text = page.getvalue()
    assert max(map(len, text.splitlines())) <= max(width, 11 + len(str(compared[1])))
    assert "…" not in text
    assert text.count("institutional_oi") >= 5
    assert "cannot be judged on under 10 days" in text


def test_a_place_that_is_taken_stays_as_it_is(compared):
    _, out = compared
    with pytest.raises(CannotCreateError, match="exists already"):
        compare_stored(stored(), UNDERLYING, [], [], SETTINGS, out, lambda _: "")
    assert (out / "compare.json").exists()


def test_a_comparison_that_fails_leaves_nothing(tmp_path):
    store, out = stored(), tmp_path / "compared"
    team = [built_in(NAMES[0])]

    def fail(_: object) -> str:
        raise InputError("no")

    with pytest.raises(InputError):
        compare_stored(
            store, UNDERLYING, sessions(store, UNDERLYING, None, None), team, SETTINGS, out, fail
        )
    assert not out.exists()


def test_one_strategy_has_nothing_to_share_a_book_with(tmp_path):
    store = stored()
    days = sessions(store, UNDERLYING, None, None)[:1]
    team = [built_in(NAMES[0])]
    out = tmp_path / "compared"
    result = compare_stored(store, UNDERLYING, days, team, SETTINGS, out, lambda _: "")
    assert result["together"] is None
    assert not (out / "together").exists()


def test_daily_returns_by_session(compared):
    _, out = compared
    returns = daily_returns(out / NAMES[0], capital=1_00_000)
    run = read_run(out / NAMES[0])
    assert returns.name == "returns"
    assert returns.index.tz is None
    assert isinstance(returns.index, pd.DatetimeIndex)
    assert returns.index.strftime("%Y-%m-%d").tolist() == run.summary["sessions"]
    assert returns.sum() * 1_00_000 == pytest.approx(run.summary["net_pnl"])
    by_day = pd.Series(run.trades["net_pnl"]).groupby(run.trades["exit_ts"].astype("M8[D]")).sum()
    for day, value in returns.items():
        assert value * 1_00_000 == pytest.approx(by_day.get(day, 0.0), abs=1e-6)


def test_a_session_without_a_trade_returns_nothing(tmp_path):
    store = stored()
    days = sessions(store, UNDERLYING, None, None)
    rare = Settings(limits=Limits(first_entry_minutes=376.0))
    run = backtest_stored(store, UNDERLYING, days, [built_in(NAMES[0])], rare, tmp_path / "run", "")
    assert daily_returns(run, 1e5).tolist() == [0.0] * len(days)


@pytest.mark.parametrize("capital", [0.0, -5.0, float("nan"), float("inf")])
def test_returns_need_a_capital(compared, capital):
    with pytest.raises(InputError, match="a capital of"):
        daily_returns(compared[1] / NAMES[0], capital)


def test_a_comparison_stands_for_its_shared_run(compared):
    _, out = compared
    assert find_run(None, out.parent) == out / "together"
    assert find_run(out.name, out.parent) == out / "together"
    assert find_run(str(out / NAMES[0]), out.parent) == out / NAMES[0]
