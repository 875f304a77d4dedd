"""A simulated market in a store, its truth beside it, and the command that makes both."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import typer

from optiq.cli.app import main
from optiq.cli.simulate import simulate as simulate_command
from optiq.errors import InputError
from optiq.market.plants import Momentum
from optiq.market.pricing import parity_forward
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.market.truth_file import truth_path

PLANTED = Simulation(days=2, seed=9, plants=(Momentum(1.0),))


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    for name in ("one", "other"):
        store_simulation(PLANTED, Store(tmp_path / name / "store"), truth=True)
    one, other = files_of(tmp_path / "one"), files_of(tmp_path / "other")
    assert one == other
    assert sum(name.endswith("part.parquet") for name in one) == 2


def test_a_stored_simulation_reads_like_a_recorded_day(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    report = store_simulation(PLANTED, store)
    assert (report.days, report.written) == (("2025-01-01", "2025-01-02"), 2)
    manifest = store.manifest("NIFTY", dt.date(2025, 1, 1))
    assert manifest.has_book
    assert manifest.spot.source == "feed"
    assert manifest.spot.trusted
    assert manifest.sources[0].name.startswith("simulate seed=9")
    panel = store.read_panel("NIFTY", manifest.date)
    basis = parity_forward(panel) / panel.spot[:, None] - 1
    assert (np.abs(basis) < 0.003).all()
    at_the_money = np.abs(panel.strike - panel.spot[:, None]) < 100
    quoted = at_the_money & panel.observed
    assert np.isfinite(panel.iv[quoted]).mean() > 0.99
    assert 0.05 < np.nanmedian(panel.iv[quoted]) < 0.4


def test_the_truth_lies_beside_the_store_and_never_in_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    report = store_simulation(PLANTED, store, truth=True)
    assert report.truth == tmp_path / "truth.parquet"
    assert not [name for name in files_of(store.root) if "truth" in name]
    columns = pq.read_schema(next(store.root.rglob("part.parquet"))).names
    assert not [name for name in columns if "latent" in name or "probability" in name]
    truth = pq.read_table(report.truth).to_pandas()
    assert {"probability_up", "latent_momentum", "log_volatility"} <= set(truth.columns)
    panel = store.read_panel("NIFTY", dt.date(2025, 1, 1))
    rows = truth[truth.date == dt.date(2025, 1, 1)]
    assert np.array_equal(rows.ts.dt.tz_localize(None).to_numpy("datetime64[us]"), panel.ts)
    assert np.allclose(rows.spot, panel.spot, atol=0.01)


def test_without_being_asked_no_truth_is_written(tmp_path: Path) -> None:
    store_simulation(replace(PLANTED, days=1), Store(tmp_path / "store"))
    assert not truth_path(tmp_path / "store").exists()


def test_more_days_of_one_simulation_join_those_there(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store_simulation(replace(PLANTED, days=1), store, truth=True)
    before = files_of(store.root)
    report = store_simulation(PLANTED, store, truth=True)
    assert (len(report.days), report.written) == (2, 1)
    after = files_of(store.root)
    assert all(after[name] == content for name, content in before.items())
    bank = replace(PLANTED, days=1, underlying="BANKNIFTY")
    store_simulation(bank, store, truth=True)
    truth = pq.read_table(tmp_path / "truth.parquet").to_pandas()
    assert not truth.duplicated(["underlying", "ts"]).any()
    assert truth.groupby("underlying").date.nunique().to_dict() == {"BANKNIFTY": 1, "NIFTY": 2}


def test_another_simulation_of_the_same_sessions_is_refused_whole(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store_simulation(replace(PLANTED, days=1), store)
    before = files_of(store.root)
    with pytest.raises(InputError, match="holds NIFTY 2025-01-01 from simulate seed=9"):
        store_simulation(replace(PLANTED, seed=10), store)
    assert files_of(store.root) == before
    later = replace(PLANTED, days=1, seed=10, start=dt.date(2025, 1, 3))
    assert store_simulation(later, store).written == 1


def test_the_truth_of_another_store_is_not_overwritten(tmp_path: Path) -> None:
    store_simulation(replace(PLANTED, days=1), Store(tmp_path / "store"), truth=True)
    with pytest.raises(InputError, match="belongs to the store 'store'"):
        store_simulation(replace(PLANTED, days=1), Store(tmp_path / "second"), truth=True)
    assert not (tmp_path / "second").exists()


# The command


def optiq(*arguments: str) -> int:
    commands = typer.Typer()
    commands.command("simulate")(simulate_command)
    commands.callback()(lambda: None)
    return main(["simulate", *arguments], commands)


def test_the_command_says_what_it_made(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = str(tmp_path / "store")
    asked = ("--days", "2", "--seed", "9", "--plant", "momentum=1", "--truth", "--store", store)
    assert optiq(*asked, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["ok"], said["days"], said["seed"], said["store"]) == (True, 2, 9, store)
    assert said["plants"] == {"momentum": 1.0}
    assert said["rows"] == sum(day.rows for day in Store(store).days())
    assert Path(said["truth"]).is_file()
    assert optiq(*asked) == 0
    told = capsys.readouterr().out
    assert "2 of them were there already" in told
    assert "momentum, strength 1" in told


def test_the_command_refuses_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = str(tmp_path / "store")
    assert optiq("--days", "1", "--seed", "9", "--store", store) == 0
    assert optiq("--days", "1", "--seed", "8", "--store", store) == 2
    assert optiq("--days", "0", "--store", store) == 2
    assert optiq("--days", "1", "--plant", "luck=1", "--store", store) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert "no plant 'luck'" in lines[-1]
