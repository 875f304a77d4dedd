"""An old ledger judged: each fault alone, the money by hand, and every way a ledger comes."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable
from pathlib import Path

import chains
import numpy as np
import pytest
from ingests import add
from ledgers import AS_UTC, CLEAN, full_day, judge, judge_beside_clean, names, write

from optiq.cli.app import main
from optiq.errors import InputError, MissingDataError
from optiq.market.ingest.symbols import Option
from optiq.market.panel import Panel
from optiq.market.store import Store
from optiq.report.reprice_table import MEANINGS
from optiq.run.ledger_faults import NAMES
from optiq.run.ledger_money import order_charge
from optiq.trade.charges import USUAL_BROKER
from optiq.trade.fills import WalkSettings

Capture = pytest.CaptureFixture[str]
Changes = dict[str, str]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return full_day(tmp_path_factory.mktemp("reprice"))


# The money


def test_a_clean_trade_is_what_it_says(tmp_path: Path, store: Store) -> None:
    trade = judge_beside_clean(tmp_path, store)
    assert names(trade) == set()
    assert (trade.entry_price, trade.exit_price) == (182.5, 184.5)
    assert (trade.gross_pnl, trade.charges) == (150.0, 73.03)
    assert trade.net_pnl == pytest.approx(76.97)
    assert trade.flattered_by == 0.0


def test_the_first_row_after_the_latency_fills(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "l.csv", CLEAN)
    patient = WalkSettings(latency_s=61.0)
    (trade,) = judge(path, store, settings=patient).trades
    # 10:26 is m = 71: 181 + 1 + 0.5, ask 182.50; 10:31 is m = 76: 186 + 2, bid 187.50
    assert (trade.entry_price, trade.exit_price) == (182.5, 187.5)


@pytest.mark.parametrize(
    "sold", [{"quantity": "-75"}, {"side": "SELL"}, {"direction": "Short", "quantity": "75"}]
)
def test_what_was_sold_first_gets_the_bid_and_pays_the_ask(
    tmp_path: Path, store: Store, sold: Changes
) -> None:
    (trade,) = judge(write(tmp_path / "l.csv", CLEAN | sold), store).trades
    assert (trade.entry_price, trade.exit_price) == (181.5, 185.5)
    assert trade.gross_pnl == -300.0


def test_totals_are_over_priced_trades_only(tmp_path: Path, store: Store) -> None:
    unpriced = {"exit_time": "2025-11-20 09:90", "gross_pnl": "9999", "net_pnl": "9999"}
    cheap = {"brokerage": "0", "taxes": "13.58", "net_pnl": "136.42"}
    path = write(tmp_path / "l.csv", CLEAN, CLEAN | unpriced, CLEAN | cheap)
    result = judge(path, store)
    assert result.unpriced() == {"impossible_time": 1}
    booked, true = result.totals()["booked"], result.totals()["true"]
    assert (booked["gross_pnl"], booked["charges"], booked["net_pnl"]) == (300.0, 86.61, 213.39)
    assert (true["gross_pnl"], true["charges"], true["net_pnl"]) == (300.0, 146.06, 153.94)
    assert [t.flattered_by for t in result.worst()[:2]] == [59.45, 0.0]
    assert result.worst()[2].unpriced == "impossible_time"


def test_the_seed_case_is_about_sixty_rupees(tmp_path: Path, store: Store) -> None:
    """65 units at 109.37 in January 2026, in and out: 7,109.05 twice.

    In: 20 + 2.49030 + 0.03555 + 0.00711 = 22.53296, GST 4.05593, stamp 0.21327: 26.80.
    Out: 22.53296, GST 4.05593, STT 7.10905: 33.70. No stored day is needed to say so.
    """
    seed = {
        "entry_time": "2026-01-14 10:24:59",
        "exit_time": "2026-01-14 10:29:59",
        "expiry_date": "2026-01-20",
        "entry_price": "109.37",
        "exit_price": "109.37",
        "quantity": "65",
        "gross_pnl": "0",
        "brokerage": "0",
        "taxes": "13.58",
        "net_pnl": "-13.58",
    }
    trade = judge_beside_clean(tmp_path, store, **seed)
    assert names(trade) == {"no_data", "charges_understated"}
    evidence = {fault.name: fault.evidence for fault in trade.faults}["charges_understated"]
    assert evidence == (
        "13.58 booked where 60.50 was due at its own prices, 26.80 to enter and 33.70 to leave"
    )


def test_orders_over_the_freeze_quantity_pay_one_brokerage_each() -> None:
    call = Option("NIFTY", np.datetime64("2025-11-25"), 25_900.0, 1)
    day = dt.date(2025, 11, 20)
    whole = order_charge(call, day, 1, 100.0, 1_800, USUAL_BROKER)
    assert order_charge(call, day, 1, 100.0, 5_400, USUAL_BROKER) == pytest.approx(3 * whole)
    assert order_charge(call, day, -1, 0.0, 75, USUAL_BROKER) == 0.0
    for price, quantity in ((np.nan, 75), (100.0, 74.5), (100.0, np.nan), (np.inf, 75), (1e11, 75)):
        assert np.isnan(order_charge(call, day, 1, price, quantity, USUAL_BROKER))


# Each fault alone

OPEN: Changes = {"exit_time": "", "exit_price": "", "gross_pnl": "", "net_pnl": ""}
AT_ENTRY: Changes = {  # in and out at 182.50: 29.77 and 42.78 of charges
    **{"exit_price": "182.50", "gross_pnl": "0.00", "taxes": "32.55", "net_pnl": "-72.55"}
}
SMALL: Changes = {  # 70 units: 28.50 and 41.73 of charges by the same rates
    **{"quantity": "70", "gross_pnl": "140.00", "taxes": "30.83", "net_pnl": "69.17"}
}
ONE_ROW: Changes = {"entry_time": "2025-11-20 10:24:30", "exit_time": "2025-11-20 10:24:50"}
FAULTS: list[tuple[Changes, str, str]] = [
    (OPEN, "not_closed", "no exit time and no exit price is booked"),
    ({"status": "open"}, "not_closed", "its status is OPEN"),
    ({"entry_time": "2025-11-20 09:90"}, "impossible_time", "09:90:0 is no time of day"),
    ({"exit_time": "noon"}, "impossible_time", "is not a moment"),
    ({"entry_time": ""}, "impossible_time", "nothing is booked"),
    ({"exit_time": "2025-11-20 18:10:00"}, "impossible_time", "outside the session, 09:15-15:30"),
    (
        {"entry_time": "2025-11-22 10:24:59", "exit_time": "2025-11-22 10:29:59"},
        "impossible_time",
        "2025-11-22 is no trading day for NIFTY: a weekend",
    ),
    (
        {"entry_time": "2025-11-05 10:24:59", "exit_time": "2025-11-05 10:29:59"},
        "impossible_time",
        "2025-11-05 is no trading day",
    ),
    (
        {"entry_time": CLEAN["exit_time"], "exit_time": CLEAN["entry_time"]},
        "exit_before_entry",
        "left at 2025-11-20 10:24:59, entered at 2025-11-20 10:29:59",
    ),
    (
        {"entry_time": "2025-11-20 04:54:59", "exit_time": "2025-11-20 04:59:59"},
        "utc_as_ist",
        "entry 04:54:59 is 10:24:59 in India",
    ),
    ({"strike_price": "25925"}, "unknown_contract", "has no NIFTY 2025-11-25 25925 CE"),
    ({"expiry_date": "2025-11-26"}, "unknown_contract", "has no NIFTY 2025-11-26 25900 CE"),
    ({"symbol": "RELIANCE"}, "unknown_contract", "'RELIANCE' is no index"),
    ({"instrument_type": "FUT"}, "unknown_contract", "neither a call nor a put"),
    (
        {"entry_time": "2025-11-19 10:24:59", "exit_time": "2025-11-19 10:29:59"},
        "no_data",
        "no NIFTY quotes of 2025-11-19",
    ),
    (SMALL, "wrong_lot", "70 units are 0.93 lots of 75, the lot of 2025-11-20"),
    (AT_ENTRY, "exit_equals_entry", "its entry, where the chain quoted 184.50 to 185.50"),
    (ONE_ROW | AT_ENTRY, "exit_equals_entry", "with no quote between entry and exit"),
    (
        {"entry_price": "190.00", "gross_pnl": "-412.50", "net_pnl": "-485.53"},
        "price_off_chain",
        "entry at 190.00 where the chain quoted 178.50 to 182.50",
    ),
    ({"taxes": "32.02", "net_pnl": "77.98"}, "charges_understated", "72.02 booked where 73.03"),
    ({"net_pnl": "150.00"}, "net_does_not_add_up", "net 150.00, gross less charges is 76.97"),
    (
        {"gross_pnl": "151.00", "net_pnl": "77.97"},
        "net_does_not_add_up",
        "gross 151.00, its prices make 150.00",
    ),
]


@pytest.mark.parametrize(("changes", "fault", "words"), FAULTS)
def test_each_fault_is_found_alone_and_shown(
    tmp_path: Path, store: Store, changes: Changes, fault: str, words: str
) -> None:
    trade = judge_beside_clean(tmp_path, store, **changes)
    assert names(trade) == {fault}
    assert words in trade.faults[0].evidence


def test_every_fault_has_a_case_and_a_meaning() -> None:
    assert {fault for _, fault, _ in FAULTS} == set(NAMES) == set(MEANINGS)


@pytest.mark.parametrize(
    "changes",
    [
        {"taxes": "32.03", "net_pnl": "77.97"},  # a rupee less is let pass
        {"brokerage": "", "taxes": "", "net_pnl": "150.00"},  # no charges are booked at all
        {"gross_pnl": "", "net_pnl": ""},
        {"entry_time": "2025-11-20T10:24:59+05:30", "exit_time": "2025-11-20 04:59:59Z"},
        {
            "symbol": "NIFTY25NOV25900CE",
            "instrument_type": "",
            "strike_price": "",
            "expiry_date": "",
        },
        {"symbol": "Nifty 50", "instrument_type": "Call", "expiry_date": "25-11-2025"},
        # m = 1 and m = 3 are worth 113 both: the ask of the first is quoted at the second
        {
            **{"entry_time": "2025-11-20 09:15:59", "exit_time": "2025-11-20 09:17:59"},
            **{"entry_price": "113.50", "exit_price": "113.50", "gross_pnl": "0"},
            **{"net_pnl": "-73.03"},
        },
    ],
)
def test_what_is_no_fault_is_not_called_one(tmp_path: Path, store: Store, changes: Changes) -> None:
    assert names(judge_beside_clean(tmp_path, store, **changes)) == set()


def test_a_hole_in_the_recording_is_counted_and_no_fault(tmp_path: Path) -> None:
    table = chains.quotes(375, start="09:15")
    before = table[table.timestamp < "2025-11-20 10:28"]
    store = Store(tmp_path / "store")
    add(store, chains.write(before, tmp_path / "quotes.csv"))
    early = {"exit_time": "2025-11-20 10:26:59", "exit_price": "183.50"}  # m = 72: 182 + 0
    result = judge(write(tmp_path / "l.csv", CLEAN, CLEAN | early), store)
    assert names(result.trades[0]) == set()
    assert result.unpriced() == {"no_fill": 1}


# The clock

BOTH_WAYS: Changes = {"entry_time": "2025-11-20 09:29:59", "exit_time": "2025-11-20 09:34:59"}
MORNING: Changes = {  # m = 15: 125, ask 125.50; m = 20: 131, bid 130.50
    **{"entry_price": "125.50", "exit_price": "130.50", "gross_pnl": "375", "net_pnl": "301.97"}
}
AFTERNOON: Changes = {  # as UTC it is 15:00, m = 345: 455, ask 455.50; m = 350: 461, bid 460.50
    **{"entry_price": "455.50", "exit_price": "460.50", "gross_pnl": "375"},
    **{"taxes": "90", "net_pnl": "245"},
}


def test_times_that_fit_both_clocks_are_judged_by_their_prices(
    tmp_path: Path, store: Store
) -> None:
    as_ist = judge_beside_clean(tmp_path, store, **BOTH_WAYS, **MORNING)
    assert (as_ist.reading, names(as_ist)) == ("IST", set())
    as_utc = judge_beside_clean(tmp_path, store, **BOTH_WAYS, **AFTERNOON)
    assert (as_utc.reading, names(as_utc)) == ("UTC", {"utc_as_ist"})
    assert "2 of its prices quoted as UTC, 0 as Indian time" in as_utc.faults[0].evidence
    assert as_utc.exit_price == 460.5


def test_prices_tell_no_clock_where_the_moments_contradict_each_other(
    tmp_path: Path, store: Store
) -> None:
    swapped = {"entry_time": BOTH_WAYS["exit_time"], "exit_time": BOTH_WAYS["entry_time"]}
    quoted_as_utc = {"entry_price": "460.50", "gross_pnl": "0", "net_pnl": "-130", "taxes": "90"}
    changes = swapped | quoted_as_utc | {"exit_price": "460.50"}
    trade = judge_beside_clean(tmp_path, store, **changes)
    assert (trade.reading, names(trade)) == ("IST", {"exit_before_entry"})


def test_prices_that_tell_nothing_leave_it_to_the_ledger(tmp_path: Path, store: Store) -> None:
    odd = BOTH_WAYS | {"entry_price": "5.00", "exit_price": "6.00"}
    result = judge(write(tmp_path / "l.csv", CLEAN | odd, *[CLEAN | AS_UTC] * 3), store)
    assert result.clock == "UTC"
    assert result.trades[0].reading == "UTC"
    assert "the ledger's other times are UTC" in result.trades[0].faults[0].evidence
    result = judge(write(tmp_path / "l.csv", CLEAN | odd, *[CLEAN] * 3), store)
    assert (result.clock, result.trades[0].reading) == ("IST", "IST")


def test_a_clock_that_is_said_is_believed(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "l.csv", CLEAN | AS_UTC)
    assert names(judge(path, store, "UTC").trades[0]) == set()
    both = write(tmp_path / "both.csv", CLEAN | AS_UTC, CLEAN)
    assert names(judge(both, store, "IST").trades[0]) == {"impossible_time"}


class Counting(Store):
    """Remembers which days were opened."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.opened: list[dt.date] = []

    def read_panel(
        self, underlying: str, date: dt.date, fields: Iterable[str] = (), *, as_fed: bool = False
    ) -> Panel:
        self.opened.append(date)
        return super().read_panel(underlying, date, fields, as_fed=as_fed)


def test_each_stored_day_is_opened_once(tmp_path: Path) -> None:
    days = [dt.date(2025, 11, 20), dt.date(2025, 11, 21)]
    root = tmp_path / "store"
    for day in days:
        table = chains.quotes(375, start="09:15", day=day)
        add(Store(root), chains.write(table, tmp_path / f"{day}.csv"))
    on = [
        {n: CLEAN[n].replace("20 ", f"{d:%d} ") for n in ("entry_time", "exit_time")} for d in days
    ]
    rows = [CLEAN | {"trade_id": str(n)} | on[n % 2] for n in range(5_000)]
    store = Counting(root)
    result = judge(write(tmp_path / "l.csv", *rows), store)
    assert store.opened == days
    assert (len(result.trades), result.counts(), result.unpriced()) == (5_000, {}, {})


# The command


def test_the_whole_judged_ledger_is_written(tmp_path: Path, store: Store, capsys: Capture) -> None:
    ledger = write(tmp_path / "l.csv", CLEAN | AT_ENTRY, CLEAN | {"status": "OPEN"})
    out = tmp_path / "new" / "judged.csv"
    asked = ("--store", str(store.root), "--out", str(out))
    assert main(["reprice", ledger, *asked]) == 0
    with out.open(encoding="utf-8", newline="") as file:
        first, second = csv.DictReader(file)
    assert {name: first[name] for name in CLEAN} == CLEAN | AT_ENTRY
    assert (first["true_exit_price"], first["true_net_pnl"]) == ("184.50", "76.97")
    assert (first["entry_ts"], first["faults"]) == ("2025-11-20T04:54:59Z", "exit_equals_entry")
    assert first["evidence"].startswith("exit_equals_entry: out at 182.50, its entry, where")
    assert (second["unpriced"], second["true_net_pnl"]) == ("not_closed", "")
    again = tmp_path / "again.csv"
    assert main(["reprice", str(out), "--store", str(store.root), "--out", str(again)]) == 0
    assert again.read_text() == out.read_text()
    capsys.readouterr()
    assert main(["reprice", ledger, "--store", str(store.root), "--out", ledger]) == 2
    assert "is the ledger itself" in capsys.readouterr().err


def test_without_a_stored_day_the_status_is_10(
    tmp_path: Path, store: Store, capsys: Capture
) -> None:
    elsewhere = {n: CLEAN[n].replace("20 ", "19 ") for n in ("entry_time", "exit_time")}
    path = write(tmp_path / "l.csv", CLEAN | elsewhere)
    assert main(["reprice", path, "--store", str(store.root)]) == 10
    assert "holds no day of NIFTY that it trades on, 2025-11-19 to" in capsys.readouterr().err
    with pytest.raises(MissingDataError):
        judge(path, store)
    with pytest.raises(InputError, match="no file"):
        judge(str(tmp_path / "absent.csv"), store)
    assert main(["reprice", path, "--tz", "Mars"]) == 2


@pytest.mark.parametrize("columns", [80, 100])
def test_the_screen_fits(
    tmp_path: Path, store: Store, capsys: Capture, monkeypatch: pytest.MonkeyPatch, columns: int
) -> None:
    rows = [CLEAN | changes for changes, _, _ in FAULTS]
    path = write(tmp_path / "l.csv", *rows)
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["reprice", path, "--store", str(store.root)]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= columns
    for fault in NAMES:
        assert fault in out
    assert "12 of" in out
