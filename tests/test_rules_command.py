"""``optiq rules`` and ``optiq charges``: what a person sees and what a program reads."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from optiq.cli.app import main
from optiq.market import rulecheck
from optiq.market.rulecheck import dated_findings, holiday_findings, lot_findings
from optiq.market.schema import UNDERLYINGS
from optiq.market.tables import Row
from optiq.trade.rulebook import all_findings

Capture = pytest.CaptureFixture[str]


def run(capture: Capture, *arguments: str) -> tuple[int, Any]:
    """The exit status and the JSON object of a command."""
    status = main([*arguments, "--json"])
    return status, json.loads(capture.readouterr().out)


def facts(capture: Capture, *arguments: str) -> dict[str, dict[str, str]]:
    status, result = run(capture, "rules", "show", *arguments)
    assert status == 0
    return {fact["name"]: fact for fact in result["facts"]}


def test_a_day_s_rules_come_with_confidence_and_source(capsys: Capture) -> None:
    found = facts(capsys, "--underlying", "NIFTY", "--on", "2025-11-20")
    assert found["session"]["value"] == "regular, 09:15-15:30 IST"
    assert found["expiry Tue 2025-11-25"]["value"] == "monthly, lot 75"
    assert found["expiry Tue 2025-12-02"]["value"] == "weekly, lot 75"
    assert found["strike step"]["confidence"] == "low"
    assert found["freeze quantity"]["value"] == "1800"
    assert found["stt"]["value"] == "0.001 of premium, sell only"
    assert found["brokerage"]["value"] == "Rs 20 per order (Zerodha)"
    assert all(fact["source"] for fact in found.values())


def test_a_named_expiry_shows_its_own_lot(capsys: Capture) -> None:
    found = facts(capsys, "--on", "2025-11-20", "--expiry", "2026-01-27")
    assert found["expiry Tue 2026-01-27"]["value"] == "monthly, lot 65"
    assert sum(name.startswith("expiry") for name in found) == 1


@pytest.mark.parametrize(
    ("on", "session"),
    [
        ("2024-03-02", "special, 09:15-10:00 and 11:30-12:30 IST"),
        ("2021-02-24", "interruption, 09:15-11:40 and 15:45-17:00 IST"),
        ("2026-08-03", "regular, 09:15-15:40 IST"),
        ("2025-10-22", "none"),  # a holiday
        ("2026-11-08", "none"),  # a session whose hours nobody here knows
    ],
)
def test_the_session_is_told_with_its_breaks(capsys: Capture, on: str, session: str) -> None:
    fact = facts(capsys, "--on", on)["session"]
    assert fact["value"] == session
    assert (fact["note"] == "") == (session != "none")


def test_what_no_row_covers_is_said_and_not_guessed(capsys: Capture) -> None:
    found = facts(capsys, "--on", "2019-03-04")
    assert "covers orders in NIFTY on 2019-03-04" in found["freeze quantity"]["note"]
    assert "covers sebi for NIFTY on 2019-03-04" in found["charges"]["note"]
    status, result = run(capsys, "rules", "show", "--on", "2027-01-04")
    assert status == 2
    assert result["error"]["code"] == "no_rule"
    assert "2027" in result["error"]["message"]


def test_a_person_reads_a_table(capsys: Capture) -> None:
    assert main(["rules", "show", "--on", "2026-11-20", "--sources"]) == 0
    printed = capsys.readouterr().out
    assert "NIFTY on Friday 2026-11-20" in printed
    assert "expiry Mon 2026-11-23" in printed
    assert "monthly, lot 65" in printed
    assert "NSE/FAOP/74467" in printed


def test_the_tables_hold_together(capsys: Capture) -> None:
    status, result = run(capsys, "rules", "check")
    assert (status, result["ok"]) == (0, True)
    assert [f["text"] for f in result["findings"] if "installed" not in f["text"]] == [
        "the hours of 2026-11-08 (Diwali Laxmi Pujan (SUNDAY)) are not known"
    ]
    assert main(["rules", "check"]) == 0
    assert "The tables hold together." in capsys.readouterr().out


def test_a_broken_table_fails_the_check(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = [rulecheck.Finding("lot_sizes", "problem", "NIFTY: two rows")]
    monkeypatch.setattr("optiq.trade.rulebook.all_findings", lambda: iter(broken))
    status, result = run(capsys, "rules", "check")
    assert (status, result["ok"]) == (3, False)
    assert result["error"]["message"] == "lot_sizes.csv: NIFTY: two rows"


def test_a_missing_library_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas_market_calendars", None)
    texts = [finding.text for finding in all_findings()]
    assert any("pandas_market_calendars is not installed" in text for text in texts)


def dated(*spans: tuple[str, str]) -> list[Row]:
    return [
        {"underlying": "NIFTY", "effective_from": first, "effective_to": last}
        for first, last in spans
    ]


@pytest.mark.parametrize(
    ("rows", "texts"),
    [
        (dated(("2020-01-01", "2020-12-31"), ("2021-01-01", "")), []),
        (
            dated(("2021-01-01", ""), ("2020-01-01", "2020-12-30")),
            ["NIFTY: no row from 2020-12-30 to 2021-01-01"],
        ),
        (
            dated(("2020-01-01", "2021-01-01"), ("2021-01-01", "")),
            ["NIFTY: two rows cover 2021-01-01"],
        ),
        (dated(("2020-01-01", ""), ("2021-01-01", "")), ["NIFTY: two rows cover 2021-01-01"]),
    ],
)
def test_gaps_and_overlaps_are_found(rows: list[Row], texts: list[str]) -> None:
    assert [finding.text for finding in dated_findings("t", rows, ("underlying",))] == texts


def test_impossible_holidays_are_found() -> None:
    row = {"exchange": "NSE", "kind": "holiday", "open": "", "name": ""}
    rows = [
        {**row, "date": "2024-01-26", "weekday": "Thu"},  # it was a Friday
        {**row, "date": "2026-01-26", "weekday": "Mon"},
        {**row, "date": "2026-01-26", "weekday": "Mon", "exchange": "NSE+BSE"},
    ]
    assert [finding.text for finding in holiday_findings(rows)] == [
        "2024-01-26 is no Thu",
        "NSE: two rows for 2026-01-26",
        "no row for 2025",
    ]


def test_impossible_first_expiries_are_found() -> None:
    rows = [
        {"first_weekly_expiry": "2025-01-03", "first_monthly_expiry": "2025-02-27"},
        {"first_weekly_expiry": "", "first_monthly_expiry": "2025-01-30"},
    ]
    assert [finding.text for finding in lot_findings("NIFTY", rows)] == [
        "NIFTY: 2025-01-03 is no weekly expiry",  # a Friday
        "NIFTY: monthly row of 2025-01-30 follows that of 2025-02-27",
    ]


ORDER = ("charges", "--underlying", "NIFTY", "--side", "sell", "--price", "100")


def test_charges_are_told_line_by_line(capsys: Capture) -> None:
    status, result = run(capsys, *ORDER, "--quantity", "65", "--on", "2026-06-10")
    assert status == 0
    assert result["ok"]
    assert {name: result[name] for name in ("brokerage", "stt", "total")} == {
        "brokerage": 20.0,
        "stt": 9.75,
        "total": 36.08,
    }
    assert {"exchange_txn", "ipft", "sebi", "stamp", "gst"} < set(result)
    assert result["low_confidence"] == []


def test_lots_are_those_of_the_expiry(capsys: Capture) -> None:
    on = ("--on", "2025-01-10", "--lots", "2")
    assert run(capsys, *ORDER, *on)[1]["quantity"] == 150  # the next weekly: 75
    assert run(capsys, *ORDER, *on, "--expiry", "2025-01-30")[1]["quantity"] == 50


def test_an_unsure_rate_warns(capsys: Capture) -> None:
    assert main([*ORDER, "--quantity", "25", "--on", "2024-06-10"]) == 0
    printed = capsys.readouterr()
    assert "total" in printed.out
    assert "rests on exchange_txn 0.000495 of NSE since 2024-04-01 (low confidence)" in printed.err


def test_the_broker_is_a_setting(capsys: Capture) -> None:
    own = ("--set", "charges.brokerage_per_order=0")
    status, result = run(capsys, *ORDER, "--quantity", "65", "--on", "2026-06-10", *own)
    assert (status, result["brokerage"], result["total"]) == (0, 0.0, 12.48)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--on", "2026-06-10"), "one size"),
        (("--on", "2026-06-10", "--lots", "1", "--quantity", "65"), "one size"),
        (("--on", "2018-06-08", "--quantity", "75"), "charges.csv covers"),
        (("--on", "2026-06-10", "--quantity", "65", "--price", "1.005"), "paise"),
        (("--on", "2026-06-10", "--quantity", "65", "--price", "inf"), "paise"),
        (("--on", "2026-06-10", "--quantity", "10000000000"), "100 crore"),
        (("--on", "2026-06-10", "--quantity", "65", "--set", "charges.broker=X"), "no broker"),
    ],
)
def test_a_bad_order_gets_one_line(
    capsys: Capture, arguments: tuple[str, ...], message: str
) -> None:
    status, result = run(capsys, *ORDER, *arguments)
    assert status == 2
    assert message in result["error"]["message"]
    assert result["error"]["hint"]


@pytest.mark.parametrize("underlying", UNDERLYINGS)
def test_the_last_days_of_the_calendar_still_have_rules(capsys: Capture, underlying: str) -> None:
    found = facts(capsys, "--underlying", underlying, "--on", "2026-12-28")
    assert all(fact["source"] or fact["note"] for fact in found.values())
    assert sum(name.startswith("expiry") for name in found) == 1
