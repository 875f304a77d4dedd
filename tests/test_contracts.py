"""Expiries, lots, steps and freeze quantities of known contracts."""

from __future__ import annotations

import datetime as dt
import gzip
import json

import numpy as np
import pytest
from recorded import RECORDED, needs_recordings

from optiq.errors import RuleError
from optiq.market import contracts
from optiq.market.calendar import is_expiry_day_possible
from optiq.market.contracts import (
    expiries_after,
    expiry_close_utc,
    is_monthly,
    listed,
    lot_size,
    lot_sizes,
    monthly_expiry,
    strike_step,
    unsure_lots,
)
from optiq.market.schema import UNDERLYINGS


def day(text: str) -> dt.date:
    return dt.date.fromisoformat(text)


@pytest.mark.parametrize(
    ("underlying", "expiry", "on", "lot"),
    [
        ("NIFTY", "2018-12-27", "2018-12-03", 75),
        ("NIFTY", "2019-06-27", "2019-05-20", 75),
        ("NIFTY", "2021-06-24", "2021-06-01", 75),
        ("NIFTY", "2021-07-01", "2021-06-28", 75),  # July's weeklies keep the lot
        ("NIFTY", "2021-07-22", "2021-07-20", 75),
        ("NIFTY", "2021-07-29", "2021-07-20", 50),  # July's monthly has the new one
        ("NIFTY", "2021-08-05", "2021-07-20", 50),
        ("NIFTY", "2021-12-30", "2021-06-25", 75),  # a quarterly on its last old evening
        ("NIFTY", "2021-12-30", "2021-06-28", 50),
        ("NIFTY", "2024-04-25", "2024-04-10", 50),
        ("NIFTY", "2024-05-30", "2024-04-10", 50),  # before the circular took effect
        ("NIFTY", "2024-05-30", "2024-04-26", 25),
        ("NIFTY", "2024-05-02", "2024-04-29", 25),
        ("NIFTY", "2024-12-26", "2024-12-10", 25),
        ("NIFTY", "2025-01-02", "2024-12-30", 75),
        ("NIFTY", "2025-01-23", "2025-01-10", 75),
        ("NIFTY", "2025-01-30", "2025-01-10", 25),  # a monthly between weeklies of 75
        ("NIFTY", "2025-02-27", "2025-01-10", 75),
        ("NIFTY", "2025-11-25", "2025-11-20", 75),
        ("NIFTY", "2026-01-06", "2025-12-29", 65),
        ("NIFTY", "2026-01-27", "2025-11-20", 65),
        ("NIFTY", "2026-03-31", "2025-12-30", 75),
        ("NIFTY", "2026-03-31", "2025-12-31", 65),
        ("NIFTY", "2030-06-25", "2025-10-20", 75),
        ("NIFTY", "2030-06-25", "2026-03-02", 65),
        ("BANKNIFTY", "2019-05-16", "2019-05-16", 20),
        ("BANKNIFTY", "2020-07-23", "2020-07-20", 20),
        ("BANKNIFTY", "2020-07-30", "2020-07-20", 25),
        ("BANKNIFTY", "2023-07-20", "2023-07-17", 25),
        ("BANKNIFTY", "2023-07-27", "2023-07-17", 15),
        ("BANKNIFTY", "2023-08-03", "2023-07-28", 15),
        ("BANKNIFTY", "2025-01-30", "2025-01-10", 15),
        ("BANKNIFTY", "2025-03-27", "2024-12-24", 15),
        ("BANKNIFTY", "2025-03-27", "2024-12-26", 30),
        ("BANKNIFTY", "2025-06-26", "2025-06-10", 30),
        ("BANKNIFTY", "2025-07-31", "2025-06-10", 35),
        ("BANKNIFTY", "2025-09-25", "2025-04-24", 30),
        ("BANKNIFTY", "2025-09-25", "2025-04-25", 35),  # listed for a Thursday, moved later
        ("BANKNIFTY", "2026-01-27", "2026-01-05", 30),
        ("FINNIFTY", "2021-01-14", "2021-01-12", 40),
        ("FINNIFTY", "2024-07-30", "2024-07-01", 25),
        ("FINNIFTY", "2024-07-23", "2024-07-01", 40),
        ("FINNIFTY", "2025-02-27", "2025-02-03", 65),
        ("FINNIFTY", "2026-01-27", "2026-01-05", 60),
        ("MIDCPNIFTY", "2024-01-20", "2024-01-18", 75),
        ("MIDCPNIFTY", "2024-07-29", "2024-07-01", 50),
        ("MIDCPNIFTY", "2025-02-27", "2025-02-03", 120),
        ("MIDCPNIFTY", "2025-07-31", "2025-07-03", 140),
        ("MIDCPNIFTY", "2026-01-27", "2026-01-05", 120),
        ("SENSEX", "2023-05-19", "2023-05-18", 10),
        ("SENSEX", "2024-12-27", "2024-12-20", 10),
        ("SENSEX", "2025-01-07", "2025-01-06", 20),
        ("BANKEX", "2024-11-18", "2024-11-11", 15),
        ("BANKEX", "2025-02-25", "2025-02-03", 30),
    ],
)
def test_a_lot_belongs_to_the_contract(underlying: str, expiry: str, on: str, lot: int) -> None:
    assert lot_size(underlying, day(expiry), day(on)).size == lot


def test_lots_of_a_chain_come_at_once() -> None:
    expiries = np.array(["2025-01-30", "2025-01-16", "2025-01-30", "2025-02-06"], "datetime64[D]")
    sizes = lot_sizes("NIFTY", expiries, day("2025-01-10"))
    assert sizes.dtype == np.int64
    assert sizes.tolist() == [25, 75, 25, 75]
    assert lot_sizes("NIFTY", expiries[:0], day("2025-01-10")).tolist() == []


def test_a_lot_that_no_circular_confirms_says_so() -> None:
    assert lot_size("NIFTY", day("2026-12-29"), day("2026-11-20")).confidence == "high"
    assert lot_size("NIFTY", day("2027-06-29"), day("2026-08-22")).confidence == "high"
    assumed = lot_size("NIFTY", day("2027-06-29"), day("2026-11-20"))
    assert (assumed.size, assumed.confidence) == (65, "low")
    assert "assumed" in assumed.note
    chain = np.array(["2026-12-29", "2027-06-29", "2027-06-29"], "datetime64[D]")
    assert unsure_lots("NIFTY", chain, day("2026-11-20")) == (
        "lot 65 of NIFTY 2027-06-29 (low confidence)",
    )


@pytest.mark.parametrize(
    ("underlying", "expiry", "table"),
    [
        ("FINNIFTY", "2020-12-31", "expiry_rules"),
        ("MIDCPNIFTY", "2021-12-28", "expiry_rules"),
        ("SENSEX", "2022-06-30", "expiry_rules"),
        ("BANKNIFTY", "2018-09-27", "lot_sizes"),
        ("NIFTY", "2017-12-28", "lot_sizes"),
    ],
)
def test_contracts_before_the_tables_are_an_error(underlying: str, expiry: str, table: str) -> None:
    with pytest.raises(RuleError, match=rf"{table}\.csv covers .*{underlying}.* on ") as failure:
        lot_size(underlying, day(expiry), day(expiry))
    assert "source" in failure.value.hint


@pytest.mark.parametrize(
    ("underlying", "on", "expected"),
    [
        ("NIFTY", "2021-10-29", "2021-11-03"),  # not on Muhurat Thursday the 4th
        ("NIFTY", "2025-10-15", "2025-10-20"),  # not on Muhurat Tuesday the 21st
        ("NIFTY", "2025-08-25", "2025-08-28"),  # the last Thursday
        ("NIFTY", "2025-08-29", "2025-09-02"),  # the first Tuesday
        ("NIFTY", "2026-11-18", "2026-11-23"),  # Tuesday the 24th is a holiday
        ("BANKNIFTY", "2026-11-18", "2026-11-23"),
        ("FINNIFTY", "2026-11-18", "2026-11-23"),
        ("MIDCPNIFTY", "2026-11-18", "2026-11-23"),
        ("MIDCPNIFTY", "2024-01-16", "2024-01-20"),  # a Saturday
        ("BANKEX", "2024-01-16", "2024-01-20"),
        ("BANKNIFTY", "2023-09-01", "2023-09-06"),  # the first Wednesday
        ("BANKNIFTY", "2023-09-21", "2023-09-28"),  # no weekly in the monthly's week
        ("BANKNIFTY", "2024-12-20", "2024-12-24"),  # Christmas
        ("BANKNIFTY", "2024-11-14", "2024-11-27"),  # the weeklies have ended
        ("NIFTY", "2026-03-25", "2026-03-30"),  # Tuesday the 31st is a holiday
        ("SENSEX", "2024-12-31", "2025-01-03"),
        ("SENSEX", "2025-01-04", "2025-01-07"),
        ("SENSEX", "2025-08-27", "2025-09-04"),
        ("NIFTY", "2025-11-25", "2025-11-25"),  # an expiry day counts as its own
    ],
)
def test_the_next_expiry_is_the_one_that_was_traded(
    underlying: str, on: str, expected: str
) -> None:
    assert expiries_after(underlying, day(on), 1) == [day(expected)]


def test_expiries_ascend_and_end_where_the_calendar_does() -> None:
    found = expiries_after("NIFTY", day("2026-11-22"), 6)
    assert found == [
        day(text)
        for text in (
            ["2026-11-23", "2026-12-01", "2026-12-08", "2026-12-15", "2026-12-22", "2026-12-29"]
        )
    ]
    with pytest.raises(RuleError, match=r"holidays\.csv covers the expiries of NIFTY on 2027-01"):
        expiries_after("NIFTY", day("2026-11-22"), 7)
    with pytest.raises(RuleError, match="FINNIFTY"):
        expiries_after("FINNIFTY", day("2020-06-01"), 1)


@pytest.mark.parametrize("underlying", UNDERLYINGS)
def test_every_month_has_one_monthly_and_every_expiry_is_a_full_session(underlying: str) -> None:
    monthlies = listed(underlying, "monthly")
    months = [(expiry.year, expiry.month) for expiry in monthlies]
    assert len(set(months)) == len(months)
    for expiry in contracts.known_expiries(underlying, monthlies[0]):
        assert is_expiry_day_possible(expiry, underlying)
        assert is_monthly(underlying, expiry) == (expiry in monthlies)
    assert all(monthly_expiry(underlying, *month) in monthlies for month in months)


def test_the_expiries_of_seven_years_are_as_many_as_were_listed() -> None:
    # one a week: 2019-02-14 to 2025-08-28 on Thursdays, 2025-09-02 to 2026-12-29 on Tuesdays,
    # and the monthly of 2019-01-31 before the weeklies began
    thursdays = (day("2025-08-28") - day("2019-02-14")).days // 7 + 1
    tuesdays = (day("2026-12-29") - day("2025-09-02")).days // 7 + 1
    assert len(contracts.known_expiries("NIFTY", day("2019-01-01"))) == thursdays + tuesdays + 1


@pytest.mark.parametrize(
    ("expiry", "monthly"),
    [
        ("2025-11-18", False),
        ("2025-11-25", True),
        ("2026-03-30", True),  # brought forward
        ("2026-03-31", True),  # as it was listed before the holiday was known
        ("2026-12-31", True),  # listed when expiries were Thursdays; now Tuesday the 29th
        ("2028-12-26", True),
        ("2029-12-24", True),  # beyond the calendar, already moved for Christmas
        ("2030-06-25", True),
    ],
)
def test_monthlies_are_told_by_their_place_in_the_month(expiry: str, monthly: bool) -> None:
    assert is_monthly("NIFTY", day(expiry)) is monthly


def test_expiries_close_with_their_own_session() -> None:
    expiries = np.array(["2026-08-04", "2026-07-28", "2026-08-04", "2029-12-24"], "datetime64[D]")
    closes = expiry_close_utc(expiries, "NIFTY")
    assert closes.dtype == np.dtype("datetime64[us]")
    assert [str(close)[:16] for close in closes] == [
        "2026-08-04T10:10",
        "2026-07-28T10:00",
        "2026-08-04T10:10",
        "2029-12-24T10:10",
    ]


@pytest.mark.parametrize(
    ("strikes", "level", "step"),
    [
        (np.arange(25000, 27001, 50.0), 26010, 50),
        (np.delete(np.arange(25000, 27001, 50.0), [20, 22]), 26010, 50),  # two never quoted
        (
            [*range(20000, 25000, 500), *range(25000, 27000, 100), *range(27000, 30000, 500)],
            26010,
            100,
        ),
        ([100.0, 200.0], 26010, 100),
        ([100.0, 100.0, np.nan], 26010, np.nan),
        ([], 26010, np.nan),
    ],
)
def test_the_step_is_read_off_the_chain(strikes: list[float], level: float, step: float) -> None:
    found = strike_step(np.asarray(strikes, np.float64), level)
    assert found == step or (np.isnan(found) and np.isnan(step))


def test_freeze_quantities_and_steps_are_dated() -> None:
    assert contracts.freeze_quantity("BANKNIFTY", day("2026-05-04"))["freeze_quantity"] == "900"
    assert contracts.freeze_quantity("BANKNIFTY", day("2026-03-31"))["freeze_quantity"] == "600"
    assert contracts.usual_strike_step("BANKNIFTY", day("2025-01-10"))["step"] == "100"
    with pytest.raises(RuleError, match=r"freeze_quantities\.csv covers orders in NIFTY on 2024"):
        contracts.freeze_quantity("NIFTY", day("2024-12-31"))


def test_the_largest_order_is_whole_lots_up_to_the_freeze_quantity() -> None:
    assert contracts.largest_order("NIFTY", day("2026-01-19"), 65) == 1755  # of 1800
    assert contracts.largest_order("NIFTY", day("2025-11-20"), 75) == 1800
    assert contracts.largest_order("BANKNIFTY", day("2026-03-31"), 1000) == 1000  # a lot at least
    assert contracts.largest_order("NIFTY", day("2024-12-31"), 75) is None


RENAMED = {"2026-03-31": "2026-03-30"}
"""Listed before the exchange knew that the day would be a holiday."""


@needs_recordings
def test_the_recorded_expiries_are_those_of_the_rules() -> None:
    seen: dict[str, list[str]] = {}
    for file in sorted((RECORDED / "nse_json").glob("*.json.gz"))[::10]:
        records = json.loads(gzip.decompress(file.read_bytes()))["records"]
        dates = [dt.datetime.strptime(text, "%d-%b-%Y").date() for text in records["expiryDates"]]  # noqa: DTZ007
        now = dt.datetime.strptime(records["timestamp"], "%d-%b-%Y %H:%M:%S").date()  # noqa: DTZ007
        seen[str(now)] = [str(date) for date in dates]
        ours = [str(date) for date in expiries_after("NIFTY", now, 5)]
        assert [RENAMED.get(text, text) for text in seen[str(now)]][:5] == ours
        for date in dates[7:]:  # the third monthly, quarterlies, half-yearlies
            assert is_monthly("NIFTY", date)
            if date.year < 2027:
                actual = RENAMED.get(str(date), str(date))
                assert monthly_expiry("NIFTY", date.year, date.month) == day(actual)
    assert len(seen) > 20
    assert all(len(expiries) == 18 for expiries in seen.values())


@needs_recordings
def test_the_recorded_bid_quantities_are_multiples_of_the_lots() -> None:
    checked = 0
    for file in sorted((RECORDED / "nse_json").glob("*.json.gz"))[::40]:
        records = json.loads(gzip.decompress(file.read_bytes()))["records"]
        now = dt.datetime.strptime(records["timestamp"], "%d-%b-%Y %H:%M:%S").date()  # noqa: DTZ007
        for row in records["data"]:
            expiry = dt.datetime.strptime(row["expiryDate"], "%d-%b-%Y").date()  # noqa: DTZ007
            for right in ("CE", "PE"):
                quantity = row.get(right, {}).get("bidQty", 0)
                assert quantity % lot_size("NIFTY", expiry, now).size == 0
                checked += quantity > 0
    assert checked > 1000
