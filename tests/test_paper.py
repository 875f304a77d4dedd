"""A paper session is the backtest, row by row, and survives whatever happens to it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from paper_days import (
    ensemble,
    ledger,
    paper_run,
    plan_of,
    with_monitor_rows,
)
from recorded import RECORDED, needs_recordings

from optiq.cli.app import main
from optiq.errors import DamagedError, InputError
from optiq.market.chain_row import rows_of
from optiq.market.context import Context
from optiq.market.ingest.pipeline import ingest
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.paper import Fault
from optiq.run.parity import prove
from optiq.run.sessions import opened, read_session
from optiq.trade.fills import WalkSettings
from optiq.trade.limits import Limits
from optiq.trade.sizing import Sizing


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("store")
    store_simulation(Simulation(days=2, seed=11), Store(root))
    return root


@pytest.fixture(scope="module")
def day(store) -> Panel:
    first = Store(store).days("NIFTY")[0]
    return Store(store).read_panel("NIFTY", first.date)


SETTINGS = {
    "defaults": Settings(),
    "at once": Settings(walk=WalkSettings(latency_s=0.0)),
    "sized": Settings(
        limits=Limits(capital=500_000.0, max_daily_loss=4_000.0),
        sizing=Sizing("risk", risk_rupees=2_500.0),
    ),
}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize("monitored", [False, True])
def test_row_by_row_gives_the_trades_of_a_backtest(tmp_path, day, name, monitored):
    who = ensemble(SETTINGS[name])
    rows = list(with_monitor_rows(day, seed=3)) if monitored else rows_of(day)
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        session.run(rows, [])
    proof = prove(read_session(tmp_path), who)
    assert proof["trades"] >= 3
    assert (proof["rows"], proof["mismatches"]) == (len(rows), 0)


@needs_recordings
@pytest.mark.parametrize(
    ("source", "latency_s"), [("collector/*0818.parquet", 1.0), ("nse_json/2025-11-20*", 0.0)]
)
def test_on_recorded_days(tmp_path, source, latency_s):
    store = Store(tmp_path / "store")
    ingest([str(RECORDED / source)], store)
    (stored,) = store.days("NIFTY")
    panel = store.read_panel("NIFTY", stored.date)
    who = ensemble(Settings(walk=WalkSettings(latency_s=latency_s)))
    with opened(tmp_path / "session", plan_of(panel, Context(), who), who) as session:
        session.run(rows_of(panel), [])
    assert prove(read_session(tmp_path / "session"), who)["trades"] > 0


def test_a_session_stopped_anywhere_goes_on_as_if_it_had_not(tmp_path, day):
    who, rows = ensemble(), list(with_monitor_rows(day, seed=4))[:400]
    plan = plan_of(day, Context(), who)
    with opened(tmp_path / "whole", plan, who) as session:
        session.run(rows, [])
    at = [0, 1, 57, 58, 211, 399, 400]
    for start, stop in itertools.pairwise(at):
        with opened(tmp_path / "parts", plan, who) as session:
            assert session.day.rows.n_rows == start
            for row in rows[start:stop]:
                session.take(row)
    with opened(tmp_path / "parts", plan, who) as session:
        session.finish()
    whole, parts = (read_session(tmp_path / name).events for name in ("whole", "parts"))
    assert whole == parts


def test_the_command_makes_the_bytes_of_a_backtest(store, day, tmp_path, capsys):
    asked = [
        "backtest",
        "--date",
        str(day.date),
        "--store",
        str(store),
        "--out",
        str(tmp_path / "b"),
    ]
    assert main(asked) == 0
    assert paper_run(store, day.date)() == 0
    assert ledger(store) == (tmp_path / "b" / "trades.parquet").read_bytes()
    capsys.readouterr()
    assert main(["parity", "replay", str(tmp_path / "b"), "--store", str(store), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mismatches"] == 0
    assert main(["sessions", "ls", "--store", str(store), "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["sessions"]
    assert (listed["session"], listed["state"], listed["rows"]) == ("replay", "over", day.n_rows)
    assert paper_run(store, day.date)() == 0, "a session that is over can be looked at again"
    capsys.readouterr()
    assert main(["report", "replay", "--store", str(store), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["page"], told["notes"]) == (str(Path(told["run"]) / "report.html"), [])
    assert '"level":[' in Path(told["page"]).read_text(), "the run says where the index lies"


def test_a_session_is_not_resumed_under_other_terms(tmp_path, day):
    who, other = ensemble(), ensemble(Settings(walk=WalkSettings(slippage_ticks=1)))
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        session.take(rows_of(day)[0])
    again = opened(tmp_path, plan_of(day, Context(), other), other)
    with pytest.raises(InputError, match="started with another settings"), again:
        pass


def test_a_walk_that_says_something_else_stops_the_restart(tmp_path, day):
    who, other = ensemble(), ensemble(Settings(walk=WalkSettings(slippage_ticks=1)))
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        session.run(rows_of(day), [])
    again = opened(tmp_path, plan_of(day, Context(), who), other)
    with pytest.raises(DamagedError, match=r"at row \d+: journaled entry .* walked entry"), again:
        pass


def test_faults_are_journaled_and_change_no_trade(tmp_path, day):
    who, rows = ensemble(), rows_of(day)[:120]
    feed = [item for n, row in enumerate(rows) for item in (row, Fault("timeout", f"poll {n}"))]
    with opened(tmp_path / "faulty", plan_of(day, Context(), who), who) as session:
        session.run(feed, [])
        assert session.faults == {"timeout": 120}
    with opened(tmp_path / "clean", plan_of(day, Context(), who), who) as session:
        session.run(rows, [])
    walked = [
        [e for e in read_session(tmp_path / name).events if e.kind != "fault"]
        for name in ("faulty", "clean")
    ]
    assert walked[0] == walked[1]
    assert prove(read_session(tmp_path / "faulty"), who)["mismatches"] == 0


def test_an_exit_is_priced_after_its_decision_even_across_a_restart_at_the_close(tmp_path, day):
    """The old bug: opened and closed within one monitoring interval, booked at the entry price."""
    who = ensemble(Settings(limits=Limits(last_entry_minutes=0.0)))
    rows = list(with_monitor_rows(day, seed=6))
    plan = plan_of(day, Context(), who)
    for start in range(0, len(rows), 97):  # a restart every 97 rows, also in the last minutes
        with opened(tmp_path, plan, who) as session:
            for row in rows[start : start + 97]:
                session.take(row)
    with opened(tmp_path, plan, who) as session:
        session.finish()
        trades = session.day.result().trades()
    fresh = ~trades["stale_exit"]
    assert fresh.sum() > 3
    assert (trades["exit_ts"][fresh] > trades["exit_decided_ts"][fresh]).all()
    assert (trades["exit_row"][fresh] > trades["entry_row"][fresh]).all()
    assert np.mean(trades["exit_price"] == trades["entry_price"]) < 0.2
