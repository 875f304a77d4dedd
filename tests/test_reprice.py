"""An old ledger beside the chain: every fault alone, by hand; what is true; what it cannot say."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ledgers import CLEAN, DAY, hand_store, write_ledger

from optiq.cli.app import main
from optiq.market.simulate import simulate_days
from optiq.market.simulated_settings import Simulation
from optiq.market.store import Store
from optiq.market.stored_panel import panel_from_columns
from optiq.run.backtest import Settings
from optiq.run.judged_ledger import result_of, row_of
from optiq.run.old_ledger import read_ledger
from optiq.run.recorded_quotes import DayQuotes
from optiq.run.reprice import Judged, Repricing
from optiq.trade.fills import WalkSettings


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return hand_store(tmp_path_factory.mktemp("market"))


def judged(
    store: Store, path: Path, *changes: dict[str, str], tz: str = "auto", drop: tuple[str, ...] = ()
) -> Judged:
    ledger = read_ledger(write_ledger(path / "ledger.csv", *changes, drop=drop))
    return Repricing.of(ledger, tz).judge(store, Settings())


def at(entry: str, leave: str) -> dict[str, str]:
    return {"entry_time": f"{DAY} {entry}", "exit_time": f"{DAY} {leave}"}


def test_a_true_trade_has_no_fault_and_comes_out_to_the_paisa(store: Store, tmp_path: Path) -> None:
    (trade,) = judged(store, tmp_path).trades
    assert trade.faults == ()
    row = row_of(trade)
    assert (row["true_entry_price"], row["true_exit_price"]) == (110.00, 117.30)
    assert (f"{row['true_entry_ist']:%H:%M:%S}", f"{row['true_exit_ist']:%H:%M}") == (
        "10:16:00",
        "10:31",
    )
    assert (row["true_gross_pnl"], row["true_charges"], row["true_net_pnl"]) == (
        474.50,
        61.25,
        413.25,
    )
    assert (row["charges_due"], row["difference"]) == (61.25, 0.0)


SEED = {"entry_price": "109.37", "exit_price": "109.37", "gross_pnl": "0"}
"""One live system's trade: 13.58 booked on 65 at 109.37, in and out at the same price."""


@pytest.mark.parametrize(
    ("change", "flags", "evidence"),
    [
        # the seed case, by hand, buying: 20 + 2.4903 exchange + 0.0355 + 0.0071 + 0.2133 stamp
        # + 18 % of 22.5329 = 26.80; selling: 20 + 7.1091 tax + 2.5329 + 4.0559 = 33.70
        (
            SEED | {"brokerage": "0", "taxes": "13.58", "net_pnl": "-13.58"},
            "exit_equals_entry charges_understated",
            "13.58 booked, 60.50 due: 26.80 to buy 65 at 109.37, 33.70 to sell them at 109.37",
        ),
        (
            SEED | {"brokerage": "40", "taxes": "20.50", "net_pnl": "-60.50"},
            "exit_equals_entry",
            "both booked at 109.37, but at the exit the chain quoted 116.80 to 117.50 from "
            "10:30:00 to 10:31:00",
        ),
        (  # 26000 PE: no row between 10:16 and 10:40
            at("10:17:00", "10:35:00")
            | {"instrument_type": "PUT", "entry_price": "81", "exit_price": "81"}
            | {"gross_pnl": "0", "taxes": "16.62", "net_pnl": "-56.62"},
            "exit_equals_entry no_data",
            "both booked at 81.00, and the chain quoted it at no row between",
        ),
        (  # 26050 PE: never again after 10:16, its own entry
            {"strike_price": "26050", "instrument_type": "PE"}
            | {"entry_price": "51", "exit_price": "51"}
            | {"gross_pnl": "0", "taxes": "13.76", "net_pnl": "-53.76"},
            "exit_equals_entry no_data",
            "no quote to sell at from 10:30:00 to the close",
        ),
        (  # 50.5 all day long: in and out at the same last price can be
            {"strike_price": "26050", "entry_price": "50.5", "exit_price": "50.5"}
            | {"gross_pnl": "0", "taxes": "13.76", "net_pnl": "-53.76"},
            "",
            "",
        ),
        (at("10:30:00", "10:15:00"), "exit_before_entry", "entered 2026-01-19 10:30:00, left"),
        (at("09:90", "10:30:00"), "impossible_time", "'2026-01-19 09:90': 09:90:0 is no time"),
        (at("10:15:00", "soon"), "impossible_time", "exit '2026-01-19 soon': "),
        (at("10:15:00", "15:30:01"), "impossible_time", "after the close at 15:30"),
        (at("08:59:00", "10:30:00"), "impossible_time", "before the open at 09:15"),
        (
            {"entry_time": "2026-01-17 10:15:00", "exit_time": "2026-01-17 10:30:00"},
            "impossible_time",
            "a day without trading: a weekend",
        ),
        (
            {"entry_time": "2026-01-26 10:15:00", "exit_time": "2026-01-26 10:30:00"},
            "impossible_time",
            "Republic Day",
        ),
        ({"taxes": "20.24", "net_pnl": "414.26"}, "charges_understated", "60.24 booked, 61.25 due"),
        ({"taxes": "20.26", "net_pnl": "414.24"}, "", ""),  # a note rounds to whole rupees
        (
            {"quantity": "50", "gross_pnl": "365.00", "net_pnl": "303.75"},
            "wrong_lot",
            "50 is no multiple of 65, the lot of NIFTY 2026-01-20",
        ),
        ({"quantity": "0"}, "wrong_lot net_does_not_add_up", "nobody trades 0 units"),
        ({"strike_price": "26013"}, "unknown_contract", "its strikes lie 50 apart"),
        ({"expiry_date": "2026-01-13"}, "unknown_contract", "had expired by 2026-01-19"),
        ({"expiry_date": "2026-01-21"}, "unknown_contract", "expires on 2026-01-21"),
        ({"symbol": "RELIANCE"}, "unknown_contract", "'RELIANCE' is no index"),
        ({"instrument_type": "FUT"}, "unknown_contract", "does not say whether it is a call"),
        ({"symbol": "NIFTY2612026050CE"}, "unknown_contract", "the columns say NIFTY 2026-01-20"),
        ({"strike_price": "26100"}, "no_data", "not among the 4 contracts recorded"),
        ({"expiry_date": "2026-01-27"}, "no_data", "not among the 4 contracts recorded"),
        (at("14:00:00", "14:40:00"), "price_off_chain no_data", "to buy at within 120 s of 14:00"),
        (  # quoted from 108.30 to 111.50 around 10:15 with the fill, and as far again to each side
            {"entry_price": "105.05", "gross_pnl": "796.25", "net_pnl": "735.00"},
            "price_off_chain",
            "entry 105.05 at 10:15:00: the chain quoted 108.30 to 110.50 from 10:13:00",
        ),
        ({"entry_price": "106.15", "gross_pnl": "724.75", "net_pnl": "663.50"}, "", ""),
        ({"gross_pnl": "484.50", "net_pnl": "423.25"}, "net_does_not_add_up", "make 474.50"),
        ({"net_pnl": "474.50"}, "net_does_not_add_up", "474.50 less charges of 61.25 is 413.25"),
        ({"status": "OPEN", "exit_time": "", "exit_price": ""}, "not_closed", "no exit time"),
        ({"status": "cancelled"}, "not_closed", "status cancelled"),
        ({"entry_price": "one hundred"}, "unreadable", "'one hundred' is not a number"),
    ],
)
def test_each_fault_alone(
    store: Store, tmp_path: Path, change: dict[str, str], flags: str, evidence: str
) -> None:
    (trade,) = judged(store, tmp_path, change).trades
    assert " ".join(trade.flags) == flags
    assert any(evidence in fault.evidence for fault in trade.faults) or not evidence
    assert (trade.true is None) == bool(trade.unpriced)


def test_a_sold_option_is_sold_at_the_bid_and_bought_back_at_the_ask(
    store: Store, tmp_path: Path
) -> None:
    # sold at 109.80 (10:16), bought back at 117.50 (10:31): 65 x -7.70
    sold = {"quantity": "-65", "entry_price": "109.80", "exit_price": "117.50"}
    sold |= {"gross_pnl": "-500.50", "taxes": "21", "net_pnl": "-561.50"}
    worded = sold | {"quantity": "65", "side": "SELL"}
    for change in (sold, worded):
        (trade,) = judged(store, tmp_path, change).trades
        assert trade.faults == ()
        row = row_of(trade)
        assert (row["side"], row["quantity"], row["true_gross_pnl"]) == (-1, 65, -500.50)


def test_the_settings_of_the_walk_decide_the_fill(store: Store, tmp_path: Path) -> None:
    ledger = read_ledger(write_ledger(tmp_path / "ledger.csv"))
    at_once = Settings(WalkSettings(latency_s=0.0, slippage_ticks=1))
    (trade,) = Repricing.of(ledger).judge(store, at_once).trades
    row = row_of(trade)
    # ask 109.50 at 10:15 and a tick more; bid 116.80 at 10:30 and a tick less
    assert (row["true_entry_price"], row["true_exit_price"]) == (109.55, 116.75)


def test_a_large_order_pays_once_for_each_part_the_exchange_takes(
    store: Store, tmp_path: Path
) -> None:
    # 1800 is the freeze quantity, 1755 the whole lots in it: 1950 are two orders each way
    change = {"quantity": "1950", "gross_pnl": "14235.00", "brokerage": "80", "taxes": "500"}
    (trade,) = judged(store, tmp_path, change | {"net_pnl": "13655.00"}).trades
    assert trade.case.due is not None
    lump = 2 * 2000 * 1.18  # brokerage of two orders with GST, paise
    assert trade.case.due[0] > lump
    (one,) = judged(store, tmp_path, change | {"quantity": "1755"}).trades
    assert one.case.due is not None
    assert one.case.due[0] < trade.case.due[0] - 2360  # the second order's brokerage


def test_a_day_that_is_not_stored_is_no_fault_of_the_trade_alone(
    store: Store, tmp_path: Path
) -> None:
    unstored = {"entry_time": "2026-01-16 10:15:00", "exit_time": "2026-01-16 10:30:00"}
    result = result_of(judged(store, tmp_path, {}, unstored))
    assert (result["priced"], result["flags"]) == (1, {"no_data": 1})
    assert result["not_priced"] == {"no_data": 1}
    assert result["days_missing"] == ["NIFTY 2026-01-16"]
    assert result["booked"] == {"gross_pnl": 474.5, "charges": 61.25, "net_pnl": 413.25}
    assert result["true"] == result["booked"]


def test_a_position_kept_overnight_is_priced_on_both_its_days(tmp_path: Path) -> None:
    hand_store(tmp_path)
    store = hand_store(tmp_path, DAY.replace(day=20))
    change = {"exit_time": "2026-01-20 10:30:00"}
    (trade,) = judged(store, tmp_path, change).trades
    assert trade.faults == ()
    assert row_of(trade)["true_net_pnl"] == 413.25


def test_the_worst_trade_comes_first_and_totals_are_exact(store: Store, tmp_path: Path) -> None:
    flat = {"brokerage": "0", "taxes": "13.58", "net_pnl": "460.92", "trade_id": "T2"}
    better = {"entry_price": "109.00", "gross_pnl": "539.50", "net_pnl": "478.25"}
    lost = {"status": "OPEN", "trade_id": "T4"}
    result = result_of(judged(store, tmp_path, lost, {}, flat, better | {"trade_id": "T3"}))
    assert [row["trade_id"] for row in result["judged"]] == ["T3", "T2", "T1", "T4"]
    assert [row["difference"] for row in result["judged"][:3]] == [65.0, 47.67, 0.0]
    assert (result["difference"], result["priced"], result["clean"]) == (112.67, 3, 2)
    assert result["charges"] == {"trades": 3, "booked": 136.08, "due": 183.72}


def test_honest_fills_between_two_snapshots_are_hardly_ever_called_off_the_chain() -> None:
    """Fills at any of 4,500 moments a day, judged by a recording of every twelfth of them."""
    rng, judged, off, outside = np.random.default_rng(1), 0, 0, 0
    simulation = Simulation(2, 1, row_seconds=5.0, strikes_each_side=5, expiries=1)
    for day in simulate_days(simulation):
        panel = panel_from_columns("NIFTY", day.date, day.columns)
        recorded = slice(11, None, 12)
        fields = {name: panel.fields[name][recorded] for name in ("ltp", "bid", "ask")}
        rows = {
            name: getattr(panel, name)[recorded] for name in ("ts", "known", "is_chain", "spot")
        }
        quotes = DayQuotes(replace(panel, fields=fields, **rows), WalkSettings())
        for _ in range(2_000):
            row, column = rng.integers(30, panel.n_rows - 30), int(rng.integers(panel.n_contracts))
            price, at = panel.ask[row, column], panel.ts[row]
            quoted = quotes.quoted_around(column, at, quotes.fill(column, 1, at, leaving=False))
            if price >= 5 and quoted is not None:
                judged += 1
                off += not quoted.allows(price)
                outside += not quoted.holds(price)
    assert judged > 3_000
    assert off / judged < 0.01
    assert outside / judged > 0.1  # what the bare range would accuse


@pytest.mark.parametrize("as_json", [False, True])
def test_the_command_says_what_it_found(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    ledger = write_ledger(tmp_path / "l.csv", {}, {"taxes": "0", "net_pnl": "434.50"})
    out = tmp_path / "judged.csv"
    command = ["reprice", ledger, "--store", str(store.root), "--out", str(out)]
    assert main([*command, *(["--json"] if as_json else [])]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    if as_json:
        told = json.loads(said.out)
        assert (told["ok"], told["trades"], told["flags"]) == (True, 2, {"charges_understated": 1})
        assert told["judged"][0]["faults"][0]["evidence"].startswith("40.00 booked, 61.25 due")
    else:
        assert "2 trades, booked in Indian time; 2 priced on 1 stored day, 0 not" in said.out
        assert "booked above the truth" in said.out
        assert "40.00 booked, 61.25 due" in said.out
    lines = out.read_text().splitlines()
    assert len(lines) == 3
    assert lines[2].endswith(
        "10:16:00+05:30,2026-01-19T10:31:00+05:30,110.00,117.30,474.50,61.25,"
        '413.25,21.25,charges_understated,"charges_understated: 40.00 booked, '
        '61.25 due: 26.82 to buy 65 at 110.00, 34.43 to sell them at 117.30"'
    )


def test_no_stored_day_at_all_is_missing_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = write_ledger(tmp_path / "l.csv", {"taxes": "0", "net_pnl": "434.50"})
    command = ["reprice", ledger, "--store", str(tmp_path / "nothing")]
    assert main(command) == 10
    said = capsys.readouterr()
    assert "charges_understated" in said.out  # what needs no chain is judged all the same
    assert said.err.count("\n") == 1
    assert "has no NIFTY quotes of 2026-01-19" in said.err
    assert main([*command, "--json"]) == 10
    told = json.loads(capsys.readouterr().out)
    assert (told["ok"], told["error"]["code"]) == (False, "missing_data")
    assert told["flags"]["charges_understated"] == 1


def test_the_ledger_itself_is_never_written_over(
    store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = write_ledger(tmp_path / "l.csv")
    before = Path(ledger).read_bytes()
    assert main(["reprice", ledger, "--store", str(store.root), "--out", ledger]) == 2
    assert "is the ledger itself" in capsys.readouterr().err
    assert Path(ledger).read_bytes() == before


def test_a_ledger_without_charges_is_judged_without_them(store: Store, tmp_path: Path) -> None:
    outcome = judged(store, tmp_path, drop=("brokerage", "taxes", "net_pnl", "gross_pnl"))
    assert outcome.trades[0].faults == ()
    result = result_of(outcome)
    assert result["notes"] == [
        "the ledger has no column of charges: those it booked are not judged"
    ]
    assert result["difference"] == 61.25  # what it forgets
    assert CLEAN["net_pnl"] == "413.25"
