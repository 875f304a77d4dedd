"""``optiq sessions``: one damaged journal is named, and hides no other."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

from optiq.cli.app import main
from optiq.run.journal import NAME, Event, Journal
from optiq.run.plan import Plan
from optiq.run.sessions import FOLDER

PLAN = Plan("NIFTY", dt.date(2025, 1, 1), "replay", True, "", ("gamma_scalping",))


def begun(store: Path, name: str) -> Path:
    folder = store / FOLDER / name
    with Journal(folder) as journal:
        journal.append([Event.of("session", -1, PLAN.told())])
    return folder


def test_a_damaged_session_is_named_and_the_others_are_listed(tmp_path, capsys):
    begun(tmp_path, "first")
    journal = begun(tmp_path, "second") / NAME
    begun(tmp_path, "third")
    assert main(["sessions", "ls", "--store", str(tmp_path), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [one["session"] for one in told["sessions"]] == ["first", "second", "third"]
    assert (told["ok"], told["damaged"]) == (True, [])
    journal.write_bytes(journal.read_bytes()[:-1] + b"x")
    assert main(["sessions", "ls", "--store", str(tmp_path), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert [one["session"] for one in told["sessions"]] == ["first", "third"]
    fault = f"{journal} is not as it was written"
    assert told["damaged"] == [{"session": "second", "fault": fault}]
    assert (told["ok"], told["error"]["code"]) == (False, "damaged")
    assert main(["sessions", "ls", "--store", str(tmp_path)]) == 3
    shown = " ".join(capsys.readouterr().out.split())
    assert "third NIFTY 2025-01-01" in shown
    assert f"damaged second: {fault}; restore it from a copy" in shown
