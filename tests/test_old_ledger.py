"""Ledgers as people keep them: other names, other marks, other clocks, files and databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledgers import CLEAN, DAY, hand_store, write_ledger
from postgres_server import binaries, server

from optiq.cli.app import main
from optiq.cli.output import plain
from optiq.errors import InputError
from optiq.market.store import Store
from optiq.run.backtest import Settings
from optiq.run.judged_ledger import notes, result_of, row_of, write_judged
from optiq.run.old_ledger import read_ledger
from optiq.run.reprice import Judged, Repricing


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return hand_store(tmp_path_factory.mktemp("market"))


def judge(store: Store, given: str, tz: str = "auto") -> Judged:
    return Repricing.of(read_ledger(given), tz).judge(store, Settings())


MESSY = """\
\ufeffTrade No;Entry Time;Exit Time;Trading Symbol;Option Type;Qty.;Transaction Type;Entry Price;\
Exit Price;Total Charges;Gross P&L;Net P&L;
 7 ;19-01-2026 10:15;19/01/2026 10:30:00;nse:nifty2612026000ce;call;65;buy;"₹110.00";Rs. 117.30;\
61.25;474.50;413.25;
8;19-Jan-2026 10:15:00;20260119 103000;NFO:NIFTY2612026000CE;C;6,500;B;110;117.30;\
"1,00,000.00";"47,450.00";"-52,550.00"

torn;line
"""


def test_a_messy_export_reads_as_what_it_means(store: Store, tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text(MESSY, "utf-8")
    outcome = judge(store, str(path))
    first, second = outcome.trades
    assert (first.faults, second.faults) == ((), ())
    assert row_of(first)["true_net_pnl"] == 413.25
    assert row_of(second)["quantity"] == 6500
    assert (first.case.trade.trade_id, first.case.trade.number) == ("7", 2)
    assert notes(outcome) == ["left out: line 5 (2 cells where the header has 12)"]


@pytest.mark.parametrize(
    ("change", "drop"),
    [
        ({"symbol": "NIFTY2612026000CE"}, ("strike_price", "expiry_date", "instrument_type")),
        ({"symbol": "Nifty 50", "expiry_date": "20JAN2026", "strike_price": "26,000.00"}, ()),
        ({"entry_time": "10:15:00", "exit_time": "10:30", "trade_date": "19/01/2026"}, ()),
        ({"entry_time": "2026-01-19T10:15:00+05:30", "exit_time": "2026-01-19 10:30:00 IST"}, ()),
        ({"entry_time": "2026-01-19 04:45:00Z", "exit_time": "2026-01-19 05:00:00+00"}, ()),
        ({"instrument_type": "OPTIDX", "option_type": "CALL"}, ()),
        ({}, ("trade_id", "exit_type", "strategy_name", "status")),
    ],
)
def test_what_columns_and_cells_may_look_like(
    store: Store, tmp_path: Path, change: dict[str, str], drop: tuple[str, ...]
) -> None:
    (trade,) = judge(store, write_ledger(tmp_path / "l.csv", change, drop=drop)).trades
    assert trade.faults == ()
    assert row_of(trade)["true_net_pnl"] == 413.25


def test_a_parquet_ledger(store: Store, tmp_path: Path) -> None:
    table = pacsv.read_csv(write_ledger(tmp_path / "l.csv"))  # times and numbers of their types
    assert pa.types.is_timestamp(table.schema.field("entry_time").type)
    table = table.append_column("legs", pa.array([[1, 2]]))
    pq.write_table(table, tmp_path / "l.parquet")
    (trade,) = judge(store, str(tmp_path / "l.parquet")).trades
    assert trade.faults == ()
    assert row_of(trade)["true_net_pnl"] == 413.25


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("empty.csv", "", "is empty"),
        ("blank.csv", "\n \n", "is empty"),
        ("header.csv", ",".join(CLEAN) + "\n", "holds no trade"),
        ("words.csv", "no table at all\n", "names no columns"),
        ("other.csv", "a,b\n1,2\n", "no column for entry_time, exit_time, symbol, entry_price"),
        (
            "symbol.csv",
            "entry_time,exit_time,symbol,entry_price,exit_price,qty\n,,NIFTY,1,1,1\n",
            "no column for strike, right, expiry among",
        ),
        (
            "when.csv",
            ",".join(CLEAN) + "\n" + ",".join(CLEAN.values()).replace("2026-01-19", "19 Pausha"),
            "not one of its trades has a time that can be read ('19 Pausha' is not a date",
        ),
        ("book.xlsx", "PK", "is a workbook"),
        ("torn.parquet", "PAR1 and no more", "not a whole Parquet file"),
        ("nul.csv", "entry_time,b\n\0,2\n", "NUL"),
    ],
)
def test_what_is_no_ledger_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, found: str
) -> None:
    (tmp_path / name).write_text(text, "utf-8")
    assert main(["reprice", str(tmp_path / name), "--store", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("", 1)
    assert found in said.err


def test_a_ledger_that_is_not_there_or_a_zone_that_is_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reprice", str(tmp_path / "no.csv")]) == 2
    assert "no file" in capsys.readouterr().err
    ledger = write_ledger(tmp_path / "l.csv")
    assert main(["reprice", ledger, "--tz", "IST"]) == 2
    assert "write auto, Asia/Kolkata, UTC" in capsys.readouterr().err


def at(entry: str, leave: str, number: int = 1) -> dict[str, str]:
    times = {"entry_time": f"{DAY} {entry}", "exit_time": f"{DAY} {leave}"}
    return times | {"trade_id": f"T{number}"}


LATE = {"entry_price": "130.05", "exit_price": "132.35", "gross_pnl": "149.50"}
LATE |= {"taxes": "23.23", "net_pnl": "86.27"}
"""The clean call bought after 15:15 and sold after 15:25: 09:45 to 09:55 in UTC."""


def test_a_ledger_in_utc_is_told_by_its_hours(store: Store, tmp_path: Path) -> None:
    ledger = write_ledger(
        tmp_path / "l.csv", at("04:45:00", "05:00:00"), at("09:45", "09:55") | LATE
    )
    outcome = judge(store, ledger)
    assert outcome.clock.word == "UTC"
    for trade in outcome.trades:
        assert trade.flags == ("utc_as_ist",)
        assert row_of(trade)["difference"] == 0.0
    first, second = (trade.faults[0].evidence for trade in outcome.trades)
    assert first == (
        f"{DAY} 04:45:00 is UTC, 10:15:00 in India: as Indian time it is before the open at 09:15"
    )
    assert second.endswith("2 times of the ledger fit their session only so")


def test_one_trade_in_utc_among_those_in_indian_time(store: Store, tmp_path: Path) -> None:
    changes = [{}, {}, {}, at("04:45:00", "05:00:00"), at("09:45", "09:55") | LATE]
    outcome = judge(store, write_ledger(tmp_path / "l.csv", *changes))
    assert outcome.clock.word == "IST"
    assert [trade.flags for trade in outcome.trades] == [(), (), (), *[("utc_as_ist",)] * 2]
    assert result_of(outcome)["difference"] == 0.0
    evidence = outcome.trades[4].faults[0].evidence
    assert evidence.endswith("as Indian time the chain never quoted its prices")


def test_hours_that_fit_as_utc_at_other_prices_are_just_impossible(
    store: Store, tmp_path: Path
) -> None:
    dear = {"entry_price": "410.00", "exit_price": "417.30"}
    outcome = judge(
        store, write_ledger(tmp_path / "l.csv", {}, {}, {}, at("04:45:00", "05:00:00") | dear)
    )
    assert outcome.trades[3].flags[0] == "impossible_time"
    assert "utc_as_ist" not in outcome.trades[3].flags


@pytest.mark.parametrize(
    ("tz", "entry", "flags"),
    [
        ("UTC", "04:45:00", ""),  # said so: no fault
        ("UTC", "10:15:00", "impossible_time"),  # 15:45 in India
        ("Asia/Kolkata", "04:45:00", "impossible_time"),
        ("Asia/Kolkata", "10:15:00", ""),
    ],
)
def test_the_user_may_say_the_zone(
    store: Store, tmp_path: Path, tz: str, entry: str, flags: str
) -> None:
    leave = {"04:45:00": "05:00:00", "10:15:00": "10:30:00"}[entry]
    (trade,) = judge(store, write_ledger(tmp_path / "l.csv", at(entry, leave)), tz).trades
    assert " ".join(trade.flags) == flags


def test_where_nothing_tells_it_is_indian_time_and_said_so(tmp_path: Path) -> None:
    ledger = write_ledger(tmp_path / "l.csv", at("09:45:00", "09:55:00"))
    outcome = judge(Store(tmp_path / "empty"), ledger)
    assert outcome.trades[0].case.reading.clock == "IST"
    assert notes(outcome)[0] == (
        "1 trades may be in Indian time or UTC: read as Indian time; --tz settles it"
    )


ODD = (
    *("", "-", "nan", "0", "-1", "1e12", "1e13", "0.001", "99999999", "12:00", "2026-01-19"),
    *("1990-01-01 10:00:00", "2100-12-31 10:00:00", "31-02-2026 10:00", "1969-12-31"),
    *("2026-01-19 23:59:59.999999", "2026-01-19T10:15:00+99:99", "NIFTY26JAN26000CE"),
    *("SENSEX", "BANKNIFTY9999926000PE", "PE", "SELL", "OPEN", "=1+1", "₹", "1,2,3"),
)
LETTERS = st.characters(blacklist_categories=("Cs",), blacklist_characters="\0")
NASTY = st.one_of(st.sampled_from(ODD), st.text(LETTERS, max_size=12))


@given(cells=st.dictionaries(st.sampled_from([*CLEAN, "side", "trade_date"]), NASTY, max_size=8))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_stands_in_the_cells_is_judged_or_refused(
    store: Store, tmp_path: Path, cells: dict[str, str]
) -> None:
    try:
        outcome = judge(store, write_ledger(tmp_path / "l.csv", cells, {}))
    except InputError:
        return
    result = result_of(outcome)
    write_judged(result, tmp_path / "judged.csv", "none")
    json.dumps(plain(result), allow_nan=False)
    assert len(outcome.trades) + len(outcome.ledger.torn) >= 2
    assert [bool(trade.unpriced) for trade in outcome.trades] == [
        trade.true is None for trade in outcome.trades
    ]


CREATE = """
CREATE TABLE trades (
    trade_id text PRIMARY KEY, entry_time timestamp, exit_time timestamp, symbol text,
    instrument_type text, strike_price numeric(10, 2), expiry_date date, entry_price numeric(12, 2),
    quantity integer, exit_price numeric(12, 2), exit_type text, gross_pnl numeric(14, 2),
    brokerage numeric(10, 2), taxes numeric(10, 2), net_pnl numeric(14, 2), strategy_name text,
    signal_strength double precision, ml_score double precision, model_version text, status text)
"""


@pytest.fixture
def url() -> Iterator[str]:
    if binaries() is None:
        pytest.skip("no PostgreSQL server installed (Debian: postgresql)")
    with server() as folder:
        yield f"postgresql://optiq:hush@/postgres?host={folder}"


def test_a_live_systems_own_table(
    store: Store, url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [CLEAN, CLEAN | at("04:45:00", "05:00:00", 2), CLEAN | {"trade_id": "T3"}]
    lines[2] |= {"status": "OPEN", "exit_time": "", "exit_price": "", "net_pnl": ""}
    command = ["reprice", url, "--store", str(store.root), "--json"]
    assert main(command) == 2  # nothing there yet
    error = json.loads(capsys.readouterr().out)["error"]
    assert "no table 'trades' among it has none" in error["message"]
    assert "hush" not in str(error)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(CREATE)
        connection.execute("ALTER DATABASE postgres SET datestyle TO 'SQL, DMY'")
        for line in lines:
            cells = [cell or None for cell in line.values()]
            places = ", ".join(["%s"] * len(cells))
            connection.execute(f"INSERT INTO trades VALUES ({places})", cells)  # type: ignore[arg-type]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    assert "hush" not in str(told)
    flags = {row["trade_id"]: [fault["flag"] for fault in row["faults"]] for row in told["judged"]}
    assert flags == {"T1": [], "T2": ["utc_as_ist"], "T3": ["not_closed"]}
    assert (told["priced"], told["difference"]) == (2, 0.0)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("ALTER TABLE trades ALTER entry_time TYPE timestamptz")
        connection.execute("ALTER TABLE trades DROP exit_price")
    assert main(command) == 2
    assert "no column for exit_price" in capsys.readouterr().out


def test_a_database_that_does_not_answer_keeps_the_password(tmp_path: Path) -> None:
    with pytest.raises(InputError) as refusal:
        read_ledger(f"postgresql://optiq:hush@/postgres?host={tmp_path}")
    assert "hush" not in f"{refusal.value} {refusal.value.hint}"
