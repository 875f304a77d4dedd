"""The simulator's sample ledger: every planted fault is found, nothing else is."""

from __future__ import annotations

import csv
import datetime as dt
import json
import time
from pathlib import Path

import pytest

from optiq.cli.app import main
from optiq.errors import EvidenceError, InputError
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.judged_ledger import row_of
from optiq.run.old_ledger import read_ledger
from optiq.run.planted_faults import PLANTS
from optiq.run.reprice import Repricing
from optiq.run.sample_ledger import ledger_path, write_sample_ledger
from optiq.run.stored import backtest_stored, sessions
from optiq.run.user_strategy import find

SEEDS = (3, 5, 8)


def simulated(folder: Path, seed: int) -> Store:
    """Three simulated days with their sample ledger beside them."""
    store = Store(folder / "store")
    store_simulation(Simulation(days=3, seed=seed, strikes_each_side=8, expiries=1), store)
    write_sample_ledger(store, "NIFTY", days_of(store), seed)
    return store


def days_of(store: Store) -> list[dt.date]:
    return sessions(store, "NIFTY", None, None)


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return simulated(tmp_path_factory.mktemp("market"), SEEDS[0])


@pytest.mark.parametrize("seed", SEEDS)
def test_every_planted_fault_is_found_and_no_other(seed: int, tmp_path: Path) -> None:
    market = simulated(tmp_path, seed)
    truth = json.loads((market.root.parent / "ledger_truth.json").read_text())
    ledger = read_ledger(str(ledger_path(market.root)))
    judged = Repricing.of(ledger).judge(market, Settings())
    found = {t.case.trade.trade_id: [flag.value for flag in t.flags] for t in judged.trades}
    planted = {trade_id: [flag] for trade_id, flag in truth["faults"].items()}
    assert {trade_id: flags for trade_id, flags in found.items() if flags} == planted
    assert set(truth["faults"].values()) == {flag.value for flag, _, _ in PLANTS}
    clean = [t for t in judged.trades if not t.flags]
    assert len(clean) >= len(judged.trades) / 2
    for trade in clean:  # what a backtest filled is what a reprice fills, to the paisa
        assert row_of(trade)["difference"] == 0.0


def test_the_same_store_and_seed_give_the_same_ledger(market: Store) -> None:
    path, dates = ledger_path(market.root), days_of(market)
    before = path.read_bytes()
    other = write_sample_ledger(market, "NIFTY", dates, SEEDS[1])
    assert path.read_bytes() != before
    same = write_sample_ledger(market, "NIFTY", dates, SEEDS[0])
    assert path.read_bytes() == before
    assert other["faults"] != same["faults"]


def test_a_run_of_ones_own_is_repriced_to_what_it_says(market: Store, tmp_path: Path) -> None:
    strategies = [find("gamma_scalping")]
    dates = days_of(market)
    run = backtest_stored(market, "NIFTY", dates, strategies, Settings(), tmp_path / "run", "")
    judged = Repricing.of(read_ledger(str(run.path / "trades.csv"))).judge(market, Settings())
    assert judged.clock.word == "zoned"
    assert len(judged.trades) == run.summary["trades"] > 10
    rows = [row_of(trade) for trade in judged.trades]
    assert [row["trade_id"] for row in rows if row["faults"]] == []
    assert {row["difference"] for row in rows} == {0.0}
    again = Repricing.of(read_ledger(str(run.path / "trades.parquet"))).judge(market, Settings())
    assert [row_of(trade) for trade in again.trades] == [
        row | {"line": row["line"] - 1} for row in rows
    ]


def test_ten_thousand_trades_take_seconds(market: Store, tmp_path: Path) -> None:
    with ledger_path(market.root).open() as file:
        lines = list(csv.DictReader(file))
    path = tmp_path / "large.csv"
    with path.open("w") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        for number in range(10_000):
            writer.writerow(lines[number % len(lines)] | {"trade_id": f"T{number}"})
    days: list[int] = []
    started = time.process_time()
    judged = Repricing.of(read_ledger(str(path))).judge(market, Settings(), days.append)
    assert time.process_time() - started < 10
    assert len(judged.trades) == 10_000
    assert days == [1, 1, 1]  # each stored day is read once


def test_a_ledger_of_ones_own_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "ledger.csv"
    mine.write_text("trade_id\n1\n")
    command = ["simulate", "--days", "1", "--store", str(tmp_path / "store"), "--ledger"]
    assert main(command) == 2
    assert "is no sample ledger of the store 'store'" in capsys.readouterr().err
    assert mine.read_text() == "trade_id\n1\n"
    assert not (tmp_path / "store").exists()  # refused before any work


def test_a_sample_that_was_edited_is_ones_own(market: Store) -> None:
    path = ledger_path(market.root)
    before = path.read_bytes()
    path.write_bytes(before + b"\n")
    dates = days_of(market)
    with pytest.raises(InputError, match="is no sample ledger"):
        write_sample_ledger(market, "NIFTY", dates, 1)
    path.write_bytes(before)


def test_the_command_writes_both_files_and_reprice_reads_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    command = ["simulate", "--days", "1", "--seed", "4", "--store", store, "--ledger"]
    assert main(command) == 0
    said = capsys.readouterr().out
    truth = json.loads((tmp_path / "ledger_truth.json").read_text())
    assert f"books {truth['trades']} trades, {len(truth['faults'])} of them wrongly" in said
    assert main([*command, "--json"]) == 0  # again: its own ledger may be replaced
    told = json.loads(capsys.readouterr().out)
    assert told["ledger_faults"] == len(truth["faults"]) > 0
    assert main(["reprice", told["ledger"], "--store", store, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["trades"] == truth["trades"]


def test_a_market_too_sparse_to_trade_says_so(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store_simulation(Simulation(days=1, seed=1, row_seconds=900.0), store)
    with pytest.raises(EvidenceError, match="made 0 trades in 1 days"):
        write_sample_ledger(store, "NIFTY", days_of(store), 1)
