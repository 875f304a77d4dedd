"""When an evening is due, and who starts it: hand tables, cron, systemd, a bare environment."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from evenings import SETTINGS, Place

from optiq.cli import schedule
from optiq.learn.evening.calendar import ends_at, latest_evening
from optiq.learn.evening.manifest import Manifest
from optiq.learn.evening.night import is_worth_trying
from optiq.learn.evening.settings import EveningSettings

ROOT = Path(__file__).parents[1]
MARGIN = 15.0

# moment in India, the session whose evening is the latest that may begin
DUE = [
    ("2026-07-31 15:44", "2026-07-30", "a Friday that closes at 15:30: not yet"),
    ("2026-07-31 15:45", "2026-07-31", "its close and a quarter of an hour"),
    ("2026-08-03 15:45", "2026-07-31", "the first Monday that closes at 15:40: not yet"),
    ("2026-08-03 15:54", "2026-07-31", ""),
    ("2026-08-03 15:55", "2026-08-03", ""),
    ("2026-08-04 00:30", "2026-08-03", "after midnight it is still Monday's"),
    ("2026-08-04 09:14", "2026-08-03", ""),
    ("2025-10-21 14:59", "2025-10-20", "Muhurat 2025, 13:45 to 14:45"),
    ("2025-10-21 15:00", "2025-10-21", ""),
    ("2025-10-22 18:00", "2025-10-21", "Balipratipada: a holiday"),
    ("2026-11-08 23:59", "2026-11-06", "Muhurat on a Sunday whose hours nobody knows yet"),
    ("2026-11-09 00:00", "2026-11-08", "it is over by midnight"),
    ("2024-03-02 12:44", "2024-03-01", "a Saturday session in two parts, to 12:30"),
    ("2024-03-02 12:45", "2024-03-02", ""),
    ("2024-03-03 20:00", "2024-03-02", "the Sunday after it"),
    ("2026-02-01 15:45", "2026-02-01", "the Budget on a Sunday"),
    ("2025-11-05 16:00", "2025-11-04", "Prakash Gurpurb: a holiday"),
]


@pytest.fixture(params=["UTC", "Asia/Kolkata", "America/New_York"])
def zone(request):
    before = os.environ["TZ"]
    os.environ["TZ"] = request.param
    time.tzset()
    yield request.param
    os.environ["TZ"] = before
    time.tzset()


@pytest.mark.parametrize(("moment", "session", "why"), DUE)
def test_an_evening_is_due_as_a_hand_table_says(zone, moment, session, why):
    now = dt.datetime.fromisoformat(f"{moment}+05:30")
    for told in (now, now.astimezone(dt.UTC), now.astimezone()):
        assert latest_evening(told, ("NIFTY",), MARGIN) == dt.date.fromisoformat(session), why


def test_half_past_three_in_india_is_told_in_utc(zone):
    assert ends_at(dt.date(2026, 7, 31), "NIFTY", 0.0).isoformat() == "2026-07-31T10:00:00+00:00"
    assert ends_at(dt.date(2026, 8, 3), "NIFTY", 0.0).isoformat() == "2026-08-03T10:10:00+00:00"


def test_cron_tries_a_failed_evening_again_after_a_pause():
    now = dt.datetime(2025, 11, 20, 12, 0, tzinfo=dt.UTC)
    tried = "2025-11-20T11:30:00+00:00"
    asked, day = EveningSettings(), dt.date(2025, 11, 20)
    told = {
        "new": (None, True),
        "killed": (Manifest(day, "open", tried), True),
        "failed half an hour ago": (Manifest(day, "failed", tried), False),
        "no data half an hour ago": (Manifest(day, "no data", tried), False),
        "failed an hour ago": (Manifest(day, "failed", "2025-11-20T11:00:00+00:00"), True),
    }
    for why, (manifest, expected) in told.items():
        assert is_worth_trying(manifest, asked, now) is expected, why


def job(root: Path, **environ: str) -> schedule.Job:
    return schedule.job_of(
        root / "store", root / "models", root / "100% mine.toml", root / "it's.log", (), environ
    )


THEIRS = "MAILTO=me@example.org\n0 4 * * 1 /usr/bin/backup --all  # mine\n"


@pytest.mark.parametrize("theirs", ["", THEIRS, THEIRS.removesuffix("\n")])
def test_a_crontab_keeps_its_owners_lines(tmp_path, theirs):
    block = schedule.cron_block(job(tmp_path))
    once = schedule.with_block(theirs, block)
    assert once.endswith(block)
    assert schedule.with_block(once, block) == once
    assert schedule.without_block(once).rstrip("\n") == theirs.rstrip("\n")
    after = f"{once}@daily other\n"
    assert schedule.without_block(after).endswith("@daily other\n")


def test_the_block_has_absolute_paths_and_no_bare_percent(tmp_path):
    (line,) = schedule.cron_block(job(tmp_path, PYTHONPATH="/a b")).splitlines()[1:-1]
    assert line.startswith("*/10 * * * * nice -n 10 env PYTHONPATH='/a b' /")
    assert "100\\% mine.toml" in line
    command = line.split(" * * * * ")[1].replace("\\%", "%")
    words = subprocess.run(
        ["sh", "-c", f"set -- {command.split(' >> ')[0]}; printf '%s\\n' \"$@\""],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert words[words.index("--config") + 1] == str(tmp_path / "100% mine.toml")
    assert words[words.index("--store") + 1] == str(tmp_path / "store")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_accepts_the_units(tmp_path):
    for name, text in schedule.units(job(tmp_path, PYTHONPATH="/a b")).items():
        (tmp_path / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"{tmp_path}/{schedule.UNIT}.timer"],
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")


def bare(root: Path) -> tuple[Place, str]:
    """A place with nothing to do but to find itself, and the line that a crontab would hold."""
    place = Place(root, SETTINGS)
    environ = {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", "")}
    made = schedule.job_of(
        place.store, place.models, root / "optiq.toml", root / "log", environ=environ
    )
    (line,) = schedule.cron_block(made).splitlines()[1:-1]
    return place, line


def test_in_a_bare_environment_it_finds_its_settings_store_and_models(tmp_path):
    place, line = bare(tmp_path)
    command = line.split(" * * * * ")[1]
    done = subprocess.run(
        ["env", "-i", "HOME=/", "PATH=/usr/bin:/bin", "SHELL=/bin/sh", "/bin/sh", "-c", command],
        cwd="/",
        check=False,
    )
    assert done.returncode == 10, (tmp_path / "log").read_text()
    assert "no data" in (tmp_path / "log").read_text()
    (evening,) = (place.store / "evenings").glob("2*")
    assert (evening / "evening.html").is_file()
    assert place.models.is_dir()


def test_this_python_is_the_one_that_is_started(tmp_path):
    assert job(tmp_path).arguments[0] == sys.executable


def test_install_and_remove_touch_only_our_block(tmp_path):
    (tmp_path / "bin").mkdir()
    kept = tmp_path / "crontab.txt"
    kept.write_text(THEIRS)
    fake = tmp_path / "bin" / "crontab"
    fake.write_text(f'#!/bin/sh\nif [ "$1" = -l ]; then cat {kept}; else cat > {kept}; fi\n')
    fake.chmod(0o755)

    def optiq(*words: str) -> int:
        environ = {**os.environ, "PATH": f"{fake.parent}:{os.environ['PATH']}"}
        environ["PYTHONPATH"] = str(ROOT)
        command = [sys.executable, "-m", "optiq.cli", "cron", *words]
        return subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True).returncode

    assert optiq("install") == 0
    once = kept.read_text()
    assert once.startswith(THEIRS)
    assert f"--store {tmp_path}/data/store" in once
    assert optiq("install") == 0
    assert kept.read_text() == once
    assert optiq("remove") == 0
    assert kept.read_text() == THEIRS
