"""The ledger that comes with a simulated market: every planted fault is found, and none else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from ledgers import judge, names

from optiq.cli.app import main
from optiq.errors import EvidenceError, InputError
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.run.sample_ledger import LEDGER, PLANTS, TRUTH, Sample, write_sample

Capture = pytest.CaptureFixture[str]


def sampled(folder: Path, seed: int, days: int = 4) -> tuple[Store, Sample]:
    store = Store(folder / "store")
    report = store_simulation(Simulation(days=days, seed=seed), store)
    return store, write_sample(store, "NIFTY", report, seed)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_planted_fault_is_found_and_no_clean_trade_is_blamed(
    tmp_path: Path, seed: int
) -> None:
    store, sample = sampled(tmp_path, seed)
    planted = json.loads(sample.truth.read_text())["faults"]
    assert set(planted.values()) == {name for name, _, _ in PLANTS}
    assert len(planted) == sample.planted
    result = judge(str(sample.ledger), store)
    assert len(result.trades) == sample.trades > 3 * sample.planted
    for trade in result.trades:
        fault = planted.get(trade.booked.trade_id)
        assert names(trade) == ({fault} if fault else set()), trade.booked.trade_id
        if fault is None:
            assert trade.flattered_by == 0.0


def test_the_same_seed_books_the_same_ledger(tmp_path: Path) -> None:
    store, first = sampled(tmp_path, 2)
    before = first.ledger.read_bytes(), first.truth.read_bytes()
    report = store_simulation(Simulation(days=4, seed=2), store)
    again = write_sample(store, "NIFTY", report, 2)
    assert (again.ledger.read_bytes(), again.truth.read_bytes()) == before


def test_a_ledger_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / LEDGER).write_text("mine\n")
    with pytest.raises(InputError, match=r"is no sample of the store 'store'"):
        sampled(tmp_path, 1, days=1)
    assert (tmp_path / LEDGER).read_text() == "mine\n"
    assert not (tmp_path / TRUTH).exists()


def test_too_few_trades_to_plant_in_are_refused(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")  # a quarter of an hour apart: every entry expires
    report = store_simulation(Simulation(days=1, seed=1, row_seconds=900.0), store)
    with pytest.raises(EvidenceError, match="0 trades of gamma_scalping are too few"):
        write_sample(store, "NIFTY", report, 1)
    assert not (tmp_path / LEDGER).exists()


def test_the_command_says_where_it_is_and_what_to_try(tmp_path: Path, capsys: Capture) -> None:
    asked = ["simulate", "--days", "4", "--seed", "1", "--store", str(tmp_path / "store")]
    assert main([*asked, "--ledger"]) == 0
    said = capsys.readouterr().out
    assert f"optiq reprice {tmp_path / LEDGER} --store {tmp_path / 'store'}" in said
    assert main([*asked, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ledger"] is None
    assert main(["reprice", str(tmp_path / LEDGER), "--store", str(tmp_path / "store")]) == 0
    assert "charges_understated" in capsys.readouterr().out
