"""Whoever is to hear of the evening hears it from a real web server, once, and no secret shows."""

from __future__ import annotations

import pytest
from evenings import SETTINGS, Place, days
from test_alerts import SECRET, posted

from optiq.cli.eod_alert import unheard_by_cron

MONDAY = days()[4]
LATER = "18:00"


@pytest.fixture
def place(tmp_path) -> Place:
    """Nothing came in, and two are to be told, one by the settings and a variable."""
    return Place(tmp_path / "place", f'{SETTINGS}alert = ["webhook:env:HOOK"]\n')


def test_the_summary_is_posted_once_an_outcome(place, monkeypatch, capsys):
    with posted() as server, posted(*[404] * 9) as bad:
        monkeypatch.setenv("HOOK", server.url)
        told = ["--if-due", "--alert", f"webhook:{bad.url}"]
        assert place.eod(MONDAY, *told)() == 10
        assert place.eod(MONDAY, *told, clock=LATER)() == 10, "tried again, and nothing is new"
    (body,) = server.bodies
    assert (body["kind"], body["id"]) == ("fault", f"evening:{MONDAY}:no-data")
    assert body["text"] == f"Evening of Mon {MONDAY}: no data"
    assert f"no NIFTY of {MONDAY} came in" in body["summary"]
    assert (body["evening"], body["state"]) == (MONDAY, "no data")
    shown = capsys.readouterr()
    assert "1 alert not delivered: webhook:127.0.0.1 answered 404" in shown.err
    written = b"".join(path.read_bytes() for path in place.store.rglob("*") if path.is_file())
    assert SECRET not in shown.out + shown.err + written.decode()


def test_cron_does_the_evening_though_it_cannot_tell(place, capsys):
    assert place.eod(MONDAY)() == 2, "a person is told at once"
    assert not (place.store / "evenings" / MONDAY).exists()
    assert place.eod(MONDAY, "--if-due")() == 10
    assert "no HOOK in the environment; nobody is told there" in capsys.readouterr().err
    assert place.manifest(MONDAY)["state"] == "no data"


def test_installing_says_which_variables_cron_will_not_know():
    (said,) = unheard_by_cron(["webhook:env:HOOK", "exec:mail", "webhook:https://host/x"])
    assert said.startswith("evening.alert webhook:env:HOOK: cron starts without your environment")
