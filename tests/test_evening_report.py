"""What an evening says: its page, its text, and how old who serves has become."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import chromium
import pytest
from small_models import measured, promote, save

from optiq.cli import doctor
from optiq.cli.ages import ages_of
from optiq.cli.eod_alert import alerts_to, send
from optiq.cli.settings import evening_settings
from optiq.errors import InputError
from optiq.learn import staleness
from optiq.learn.evening.manifest import Manifest, Step, folder_of, read, write
from optiq.report.evening_page import evening_page
from optiq.report.evening_summary import summary_of, text_of

DAY = dt.date(2025, 11, 20)


def manifest() -> Manifest:
    """An evening in which everything happened."""
    source = {"name": "nifty.csv", "rows_in": 65_250, "rows_kept": 65_200, "duplicates": 40}
    stored = {
        "rows": 65_200,
        "snapshots": 375,
        "contracts": 174,
        "first": "2025-11-20T03:46:00+00:00",
        "last": "2025-11-20T10:00:00+00:00",
        "content": "c" * 64,
        "sources": [{**source, "quarantined": 10}],
        "notes": ["10 rows quarantined: <b>ask below 0</b>"],
        "odd": ["holes: 11:02 to 11:09"],
    }
    verdict = {
        "version": "1.0.4",
        "promoted": True,
        "takes_effect": "2025-11-21",
        "reasons": ["top decile better than the champion's as demanded"],
        "sessions_needed": None,
        "figures": [measured("top decile, net R", 0.21, 0.05, 0.37).to_json()],
    }
    alarms = [
        {"feature": "atm_iv", "part": "level", "excess": 2.4},
        {"feature": "skew", "part": "lately higher given the others", "excess": 1.3},
    ]
    scores = {"version": "1.0.2", "against": 38, "why_not": ""}
    drifted = {"against": 60, "compared": 43, "alarms": alarms, "scores": scores}
    steps = {
        "ingest": Step("done", {"missing": [], "failed": ["torn.csv: no header"]}),
        "check": Step("done", {"NIFTY": stored}),
        "episodes": Step("done", {"NIFTY": {"episodes": 74, "from": "upstox-nifty-2025-11-20"}}),
        "scorer": Step("done", {"version": "1.0.4", "seen_until": "2025-10-23", "notes": []}),
        "policy": Step("skipped", reason="812 of 1,000 episodes"),
        "direction": Step("failed", reason="out of memory", exit_code=70),
        "judge": Step("done", {"scorer": verdict}),
        "drift": Step("done", {"NIFTY": drifted}),
    }
    return Manifest(DAY, "failed", "2025-11-20T10:20:00+00:00", steps=steps)


def test_the_summary_says_each_thing_where_one_looks_for_it():
    summary = summary_of(manifest(), {"scorer": "scorer 1.0.4 serves"})
    parts = dict(summary.parts)
    assert summary.headline == (
        "Evening of Thu 2025-11-20: failed at direction, new champion: scorer"
    )
    assert "direction failed: out of memory" in parts["What to look at"]
    assert "left out: torn.csv: no header" in parts["What to look at"]
    assert any("09:16 to 15:30 IST" in line for line in parts["What came in"])
    assert any("65,200 kept" in line for line in parts["What came in"])
    assert "policy: skipped: 812 of 1,000 episodes" in parts["What was learnt"]
    assert any("promoted, serves from 2025-11-21" in x for x in parts["Promoted or refused"])
    lately = "skew (lately higher given the others, 1.3 x its threshold)"
    moved = f"atm_iv (level, 2.4 x its threshold), {lately}"
    assert parts["What drifted"][0] == f"NIFTY: {moved}, against 60 sessions"
    assert parts["What drifted"][1].endswith("scorer 1.0.2: compared with 38 unseen sessions")
    for line in (line for lines in parts.values() for line in lines):
        assert line in text_of(summary)


def test_the_page_holds_no_markup_of_others_and_nothing_from_elsewhere():
    page = evening_page(manifest(), summary_of(manifest(), {}))
    assert "<b>ask" not in page
    assert "&lt;b&gt;ask" in page
    assert "http" not in page.replace("http-equiv", "")
    assert "default-src &#39;none&#39;" in page


@pytest.mark.skipif(chromium.binary() is None, reason="no Chromium to look with")
def test_the_page_fits_a_phone_and_a_desk(tmp_path):
    page = tmp_path / "evening.html"
    page.write_text(evening_page(manifest(), summary_of(manifest(), {})))
    status = "[...document.querySelectorAll('.steps td:nth-child(2)')]"
    whole = f"Math.max(...{status}.map(td => td.getClientRects()[0].height)) < 40"
    with chromium.browser() as browser:
        tab = browser.tab()
        for width, dark in ((375, True), (1200, False)):
            tab.open(page, width=width, dark=dark)
            assert tab.ask("document.documentElement.scrollWidth") <= width
            assert tab.ask(whole), "a word of one line"
            assert (tab.complaints, len(tab.requests)) == ([], 1)


def test_a_manifest_is_read_as_it_was_written(tmp_path):
    write(tmp_path, manifest())
    assert read(tmp_path, DAY) == manifest()
    assert read(tmp_path, dt.date(2025, 11, 19)) is None
    assert folder_of(tmp_path, DAY).name == "2025-11-20"


@pytest.mark.parametrize(
    ("session", "sessions"),
    [("2025-11-20", 0), ("2025-11-21", 1), ("2025-11-24", 2), ("2025-12-26", 25)],
)
def test_a_champion_is_as_old_as_the_sessions_it_has_not_seen(tmp_path, session, sessions):
    version = save(tmp_path)
    age = staleness.age_of(tmp_path, "scorer", version, dt.date.fromisoformat(session), 24)
    assert age.sessions == sessions  # Christmas 2025 is no session
    assert age.is_stale is (sessions > 24)


class Fixed:
    def version(self, session: dt.date) -> str | None:
        return "1.0.0"


def test_a_run_with_a_stale_model_warns_and_says_how_old_it_is(tmp_path, capsys):
    save(tmp_path)
    served = {"scorer": Fixed(), "direction": None}
    (fresh,) = ages_of(tmp_path, dt.date(2025, 12, 1), served, None)
    assert (fresh.is_stale, capsys.readouterr().err) == (False, "")
    (stale,) = ages_of(tmp_path, dt.date(2026, 4, 1), served, None)
    assert stale.is_stale
    assert "stale: scorer 1.0.0 has seen nothing since 2025-11-20" in capsys.readouterr().err


def test_doctor_tells_of_the_champion_and_of_missed_evenings(tmp_path):
    save(tmp_path / "models")
    promote(tmp_path / "models", "1.0.0", "2025-11-21")
    write(tmp_path, Manifest(DAY, "done"))
    later = dt.datetime(2025, 11, 24, 12, 0, tzinfo=dt.UTC)
    told = list(doctor.evening(tmp_path, tmp_path / "models", None, later))
    assert [(check.name, check.state) for check in told] == [
        ("evening", "warning"),
        ("champion", "ok"),
    ]
    assert told[0].found == "last done 2025-11-20, 2 missed since"
    assert "2 sessions" in told[1].found


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('underlyings = ["NIFTI"]', "no underlying NIFTI"),
        ('policy_on = ["friday"]', "no weekday friday"),
        ("lookback = 0", "a lookback of 1 or more"),
        ("time_limit_minutes = 0", "more than 0 minutes"),
        ("lookbak = 3", "did you mean evening.lookback"),
    ],
)
def test_a_wrong_setting_is_said_to_be(tmp_path, written, said):
    file = tmp_path / "optiq.toml"
    file.write_text(f"[evening]\n{written}\n")
    with pytest.raises(InputError) as told:
        evening_settings(file)
    assert said in f"{told.value} {told.value.hint}"


def test_sources_lie_where_the_settings_file_lies(tmp_path):
    file = tmp_path / "optiq.toml"
    file.write_text('[evening]\nsources = ["rec/{date}/*.csv"]\n')
    assert evening_settings(file).sources == (Path(tmp_path / "rec/{date}/*.csv"),)


def test_an_outcome_is_told_once(tmp_path):
    heard = tmp_path / "heard"
    program = tmp_path / "hear.sh"
    program.write_text(f'#!/bin/sh\necho "$OPTIQ_ALERT_KIND $OPTIQ_ALERT_TEXT" >> {heard}\n')
    program.chmod(0o755)
    write(tmp_path, manifest())
    for _ in range(2):
        told = read(tmp_path, DAY)
        assert told is not None
        send(tmp_path, alerts_to([f"exec:{program}"]), [told], [summary_of(told, {})])
    assert heard.read_text() == (
        "fault Evening of Thu 2025-11-20: failed at direction, new champion: scorer\n"
    )
