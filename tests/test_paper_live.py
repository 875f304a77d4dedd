"""``optiq paper-run`` on a live feed: a local server, a fake clock, the command as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial

import numpy as np
import pytest
from feed_server import CLOSE, OPEN, FakeClock, Vendor, served

from optiq.cli.app import main
from optiq.market.feeds import live
from optiq.market.store import Store

NAME = "upstox-nifty-2026-08-18"


@pytest.fixture
def clock(monkeypatch) -> FakeClock:
    clock = FakeClock(CLOSE - np.timedelta64(45 * 60, "s"))
    monkeypatch.setattr("optiq.market.feeds.clocks.system_clock", lambda: clock.clock)
    return clock


@pytest.fixture
def vendor(clock, monkeypatch) -> Iterator[Vendor]:
    monkeypatch.setenv("UPSTOX_ACCESS_TOKEN", "token")
    with served(Vendor(lambda: clock.at)) as vendor:
        monkeypatch.setattr(live, "open_feed", partial(live.open_feed, base_url=vendor.url))
        yield vendor


def paper_run(tmp_path, *more: str) -> int:
    return main(["paper-run", "--feed", "upstox", "--store", str(tmp_path), *more])


def test_a_live_session_runs_to_its_end_and_enters_the_store(tmp_path, clock, vendor, capsys):
    sleep = clock.sleep

    def troubled(seconds: float) -> None:
        sleep(seconds)
        vendor.trouble = "500" if CLOSE - clock.at < np.timedelta64(8 * 60, "s") else ""

    clock.sleep = troubled
    pace = ["--snapshot-seconds", "30", "--stale-after", "100", "--monitor-seconds", "15"]
    assert paper_run(tmp_path, "--json", *pace) == 0
    *told, summary = map(json.loads, capsys.readouterr().out.splitlines())
    assert [line["kind"] for line in told if line["event"] == "fault"].count("stale") == 1
    assert summary["session"] == NAME
    assert summary["faults"]["server"] > 3
    stored = Store(tmp_path).read_panel("NIFTY", Store(tmp_path).days("NIFTY")[0].date)
    assert stored.is_chain.sum() > 70
    assert "stored" in summary["stored"]
    assert "quarantine" not in summary["stored"]
    assert main(["parity", NAME, "--store", str(tmp_path), "--json"]) == 0
    proof = json.loads(capsys.readouterr().out)
    assert (proof["mismatches"], proof["rows"]) == (0, stored.n_rows)
    assert paper_run(tmp_path, "--json") == 0, "looked at again after its end, nothing is new"
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["stored"].startswith("0 of")
    assert main(["sessions", "ls", "--store", str(tmp_path), "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["sessions"]
    assert (listed["feed"], listed["state"]) == ("upstox", "over")


def test_a_day_without_a_row_is_told_and_stores_nothing(tmp_path, clock, vendor, capsys):
    vendor.trouble = "401"
    assert paper_run(tmp_path) == 0
    shown = capsys.readouterr()
    assert "fault: refused: upstox answered 401 (UDAPI100050)" in shown.out
    assert "fault: stale: upstox gave no good row for 180 s" in shown.out
    assert Store(tmp_path).days() == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--date", "2026-08-18"], "upstox trades today, as it comes"),
        (["--speed", "10"], "upstox trades today, as it comes"),
        (["--monitor-seconds", "0"], "--monitor-seconds is 0"),
        (["--feed", "zerodha"], "no feed 'zerodha'"),
        (["--feed", "replay", "--snapshot-seconds", "5"], "a replay has the paces of its day"),
        (["--feed", "nse", "--underlying", "SENSEX"], "NSE lists no SENSEX"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_line(tmp_path, clock, vendor, capsys, more, said):
    assert paper_run(tmp_path, *more) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "sessions").exists()


def test_without_a_token_on_a_holiday_or_too_late_nothing_begins(
    tmp_path, clock, vendor, capsys, monkeypatch
):
    clock.at = CLOSE + np.timedelta64(1, "s")
    assert paper_run(tmp_path) == 2
    assert "the session of 2026-08-18 ended at 15:40" in capsys.readouterr().err
    clock.at = OPEN - np.timedelta64(3 * 86_400, "s")
    assert paper_run(tmp_path) == 2
    assert "2026-08-15 is no trading day for NIFTY" in capsys.readouterr().err
    monkeypatch.delenv("UPSTOX_ACCESS_TOKEN")
    assert paper_run(tmp_path) == 2
    assert "no UPSTOX_ACCESS_TOKEN in the environment" in capsys.readouterr().err
    assert not (tmp_path / "sessions").exists()
