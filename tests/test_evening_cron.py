"""The real cron, with a crontab that the real command installed, starts the evening.

It runs where nothing of the machine's own is seen: an empty spool, no other crontabs, no lock of a
cron that runs already. There a line for every ten minutes becomes one for cron's own start, so that
nobody waits for the minute.
"""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from evenings import Place

from optiq.cli.schedule import BEGIN, END

ROOT = Path(__file__).parents[1]
PROGRAMS = ("cron", "crontab", "unshare", "mount")
PATIENCE_S = 90.0
APART = """
set -e
mount -t tmpfs none /run
mount -t tmpfs none /var/spool/cron
mkdir -m 1730 /var/spool/cron/crontabs
mount -t tmpfs none /etc/cron.d
mount --bind /dev/null /etc/crontab
"""
THEIRS = "# mine\n0 4 * * 1 /usr/bin/true\n"


def apart(script: str) -> list[str]:
    """A shell whose cron is nobody else's."""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", APART + script]


@pytest.fixture
def place(tmp_path) -> Place:
    if os.geteuid() != 0 or any(shutil.which(name) is None for name in PROGRAMS):
        pytest.skip("needs root and Debian's cron (apt install cron)")
    if subprocess.run(apart("true"), capture_output=True).returncode:
        pytest.skip("no file system can be mounted here: cron cannot be run apart")
    return Place(tmp_path)


def optiq_cron(*words: str) -> str:
    return shlex.join([sys.executable, "-m", "optiq.cli", "cron", *words])


def install(place: Place) -> str:
    return optiq_cron("install", "--config", str(place.root / "optiq.toml"))


def told(place: Place) -> list[Path]:
    return list((place.store / "evenings").glob("2*/evening.html"))


@contextmanager
def running(script: str) -> Iterator[subprocess.Popen[str]]:
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    started = subprocess.Popen(apart(script), env=environ, text=True, cwd="/", **pipes)
    try:
        yield started
    finally:
        started.send_signal(signal.SIGKILL)
        started.communicate()


def test_it_starts_the_evening_in_its_bare_environment(place):
    """Which finds its settings, store and models, and that nothing came in."""
    at_once = r"crontab -l | sed 's#^\*/10 \* \* \* \*#@reboot#' | crontab -"
    with running(f"{install(place)}\n{at_once}\nexec cron -f") as cron:
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends and cron.poll() is None and not told(place):
            time.sleep(0.2)
    log = place.store / "evenings" / "evening.log"
    assert told(place), log.read_text() if log.exists() else "cron did not start it"
    assert place.models.is_dir()
    (page,) = told(place)
    assert "No data" in page.read_text()


def test_the_crontab_program_takes_the_block_and_keeps_the_rest(place):
    theirs = place.root / "theirs"
    theirs.write_text(THEIRS)
    steps = f"""
    crontab {theirs}
    {install(place)} >&2; crontab -l; echo =
    {install(place)} >&2; crontab -l; echo =
    {optiq_cron("remove")} >&2; crontab -l
    """
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(apart(steps), env=environ, capture_output=True, text=True, cwd="/")
    once, again, after = done.stdout.split("=\n")
    assert (done.returncode, once, after) == (0, again, THEIRS), done.stderr
    assert once.startswith(THEIRS + BEGIN)
    assert once.endswith(END + "\n")
