"""How a ledger comes: messy, typed, out of a live system's database, or not readable."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from ledgers import AS_UTC, CLEAN, full_day, judge, names, write
from postgres_server import binaries, server

from optiq.cli.app import main
from optiq.market.ingest.symbols import Option
from optiq.market.store import Store
from optiq.run.old_ledger import read_ledger

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return full_day(tmp_path_factory.mktemp("reprice"))


def test_a_messy_csv_is_read_all_the_same(tmp_path: Path, store: Store) -> None:
    text = (
        "\ufeffTrade ID;Entry Time;EXIT_TIME;Symbol;Option Type;Strike Price;Expiry;Entry Price;"
        "Qty;Exit Price;Gross PnL;Charges;Net P&L;Remark\r\n"
        'A-1;20-11-2025 10:24:59;20-Nov-2025 10:29:59;nifty;CALL;"25,900.00";25-Nov-2025;182.5;'
        "75;184.50;150;73.03;76.97;zażółć\r\n"
        "A-2;20-11-2025 10:24:59;20-Nov-2025 10:29:59;NIFTY 50;put;25,900;25NOV2025;9;-;-;;;;\r\n"
    )
    path = tmp_path / "l.csv"
    path.write_text(text, encoding="utf-8")
    clean, odd = judge(str(path), store).trades
    assert (clean.booked.trade_id, names(clean), clean.flattered_by) == ("A-1", set(), 0.0)
    assert (clean.booked.net_pnl, clean.booked.charges) == (76.97, 73.03)
    assert odd.booked.contract == Option("NIFTY", np.datetime64("2025-11-25"), 25_900.0, -1)
    assert names(odd) == {"not_closed", "wrong_lot", "price_off_chain"}
    packed = tmp_path / "l.csv.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert str(read_ledger(str(packed)).trades[0]) == str(clean.booked)


def test_parquet_with_real_types(tmp_path: Path, store: Store) -> None:
    table = pacsv.read_csv(write(tmp_path / "l.csv", CLEAN))
    pq.write_table(table, tmp_path / "l.parquet")
    (trade,) = judge(str(tmp_path / "l.parquet"), store).trades
    assert (names(trade), trade.flattered_by) == (set(), 0.0)
    assert pa.types.is_timestamp(table.schema.field("entry_time").type)
    assert trade.booked.entry.text == "2025-11-20 10:24:59"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "the first line names no columns"),
        (",".join(CLEAN) + "\n", "holds no trades"),
        ("trade_id,entry_time,exit_time\n", "no column for symbol, entry_price, exit_price, quan"),
        (
            "entry_time,exit_time,symbol,entry_price,exit_price,quantity\n"
            "2025-11-20 10:24,2025-11-20 10:29,NIFTY,1,2,75\n",
            "no column for right, strike, expiry among",
        ),
        (",".join(CLEAN) + "\n1,2\n", "line 2: 2 cells where the header has 17"),
    ],
)
def test_a_ledger_that_cannot_be_read_is_one_line(
    tmp_path: Path, capsys: Capture, text: str, words: str
) -> None:
    path = tmp_path / "l.csv"
    path.write_text(text)
    assert main(["reprice", str(path), "--store", str(tmp_path)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


# A live system's own database

CREATE = """
CREATE TABLE trades (
    trade_id text PRIMARY KEY, entry_time timestamp, exit_time timestamp, symbol text,
    instrument_type varchar(4), strike_price numeric(10, 2), expiry_date date,
    entry_price numeric(12, 2), quantity integer, exit_price numeric(12, 2), exit_type text,
    gross_pnl numeric(14, 2), brokerage numeric(12, 2), taxes numeric(12, 2),
    net_pnl numeric(14, 2), strategy_name text, signal_strength double precision,
    ml_score double precision, model_version text, status text)
"""


@pytest.fixture
def url() -> Iterator[str]:
    with server() as folder:
        yield f"postgresql://optiq:hush@/postgres?host={folder}"


@pytest.mark.skipif(binaries() is None, reason="no PostgreSQL server installed")
def test_a_live_systems_ledger(url: str, tmp_path: Path, store: Store, capsys: Capture) -> None:
    asked = ["reprice", url, "--store", str(store.root), "--json"]
    assert main(asked) == 2  # no table yet
    refusal = capsys.readouterr().out
    assert "no table 'trades' among none at all" in refusal
    with psycopg.connect(url, autocommit=True) as database:
        database.execute(CREATE)
        assert main(asked) == 2
        assert "holds no trades" in capsys.readouterr().out
        columns = ", ".join(CLEAN)
        values = ", ".join(["%s"] * len(CLEAN))
        insert = f"INSERT INTO trades ({columns}) VALUES ({values})"
        for number in range(3):
            row = CLEAN | AS_UTC | {"trade_id": f"T{number}", "instrument_type": "CALL"}
            database.execute(insert, list(row.values()))  # type: ignore[call-overload]
        running = CLEAN | AS_UTC | {"trade_id": "T3", "status": "OPEN"}
        cells = [None if n.startswith("exit") else v for n, v in running.items()]
        database.execute(insert, cells)  # type: ignore[call-overload]
    assert main([*asked, "--tz", "UTC"]) == 0
    out = capsys.readouterr().out
    assert "hush" not in refusal + out
    told = json.loads(out)
    assert (told["trades"], told["priced"], told["faults"]) == (4, 3, {"not_closed": 1})
    assert told["totals"]["true"] == told["totals"]["booked"]
    assert main(asked) == 0
    assert json.loads(capsys.readouterr().out)["faults"] == {"not_closed": 1, "utc_as_ist": 4}
