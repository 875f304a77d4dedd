"""A token goes into one header, and nothing that anyone can read ever holds it."""

from __future__ import annotations

import logging
import os
import pickle
import subprocess
import sys
import time
import traceback
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from feed_server import CLOSE, FakeClock, Vendor, served

from optiq.cli.app import main
from optiq.errors import InputError
from optiq.market.feeds import live
from optiq.market.feeds.faults import FeedFault
from optiq.market.feeds.secret import Secret, token
from optiq.run.journal import NAME
from optiq.run.sessions import FOLDER, read_session

CANARY = "CANARY-4f1c0d9e77aa"
CLIENT = "CANARY-2093847561"
TROUBLES = ("slow", "drip", "cut", "401", "403", "429", "500", "302", "empty", "{}", "html")
TROUBLES += ("nan", "symbol", "old", "half", "expiry", "echo", "")
VARIABLES = {
    "UPSTOX_ACCESS_TOKEN": CANARY,
    "DHAN_ACCESS_TOKEN": CANARY,
    "DHAN_CLIENT_ID": CLIENT,
}


def holds_canary(data: bytes) -> bool:
    return b"CANARY" in data


@pytest.mark.parametrize("name", ["upstox", "dhan"])
@pytest.mark.parametrize("trouble", TROUBLES)
def test_no_output_log_or_file_holds_it(tmp_path, monkeypatch, capfd, caplog, name, trouble):
    caplog.set_level(logging.DEBUG)
    clock = FakeClock(CLOSE - np.timedelta64(240, "s"))
    for variable, text in VARIABLES.items():
        monkeypatch.setenv(variable, text)
    monkeypatch.setattr("optiq.market.feeds.clocks.system_clock", lambda: clock.clock)
    with served(Vendor(lambda: clock.at, trouble=trouble, echo=f"{CANARY} {CLIENT}")) as vendor:
        open_feed = partial(live.open_feed, base_url=vendor.url, timeout_s=0.2)
        monkeypatch.setattr(live, "open_feed", open_feed)
        asked = ["paper-run", "--feed", name, "--store", str(tmp_path), "--session", "s"]
        assert main([*asked, "--strategy", "gamma_scalping"]) == 0
    assert any(holds_canary(str(told).encode()) for told in vendor.headers), "it was sent"
    shown = capfd.readouterr()
    assert "CANARY" not in shown.out + shown.err + caplog.text
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {NAME, "config.toml"} <= {path.name for path in files}
    assert [path for path in files if holds_canary(path.read_bytes())] == []
    events = read_session(tmp_path / FOLDER / "s").events
    assert [event for event in events if holds_canary(event.body)] == []


@pytest.mark.parametrize("trouble", sorted({*TROUBLES} - {"", "old", "expiry"}))
def test_no_error_or_traceback_holds_it(trouble):
    clock = FakeClock(CLOSE - np.timedelta64(240, "s"))
    with served(Vendor(lambda: clock.at, echo=f"{CANARY} {CLIENT}")) as vendor:
        feed = live.open_feed(
            "dhan", "NIFTY", clock.clock, environ=VARIABLES, base_url=vendor.url, timeout_s=0.2
        )
        feed.snapshot()
        vendor.trouble = trouble
        clock.sleep(10.0)
        with pytest.raises(FeedFault) as caught:
            feed.snapshot()
        feed.close()
    error = caught.value
    text = "".join(traceback.format_exception(error))
    assert "CANARY" not in text + repr(error) + repr(vars(error))
    assert error.__cause__ is None
    assert error.__context__ is None, "httpx's errors carry the request, and it the header"


DRIVER = """
import sys, time
import numpy as np
from functools import partial
from optiq.cli.app import main
from optiq.market.feeds import clocks, live
at = [np.datetime64("2026-08-18T09:30:00", "us")]
def sleep(seconds):
    time.sleep(0.05)
    at[0] += np.timedelta64(int(seconds * 1e6), "us")
clocks.system_clock = lambda: clocks.Clock(lambda: at[0], sleep)
live.open_feed = partial(live.open_feed, base_url=sys.argv[1])
raise SystemExit(main(["paper-run", "--feed", "upstox", "--store", sys.argv[2]]))
"""


def test_no_list_of_processes_holds_it(tmp_path):
    clock = FakeClock(np.datetime64("2026-08-18T09:30:00", "us"))
    with served(Vendor(lambda: clock.at, trouble="401", echo=CANARY)) as vendor:
        command = [sys.executable, "-c", DRIVER, vendor.url, str(tmp_path)]
        environ = {**os.environ, **VARIABLES}
        with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as child:
            for _ in range(600):
                if vendor.asked:
                    break
                time.sleep(0.05)
            listed = subprocess.run(["ps", "-ww", "-eo", "pid,args,comm"], capture_output=True)
            status = Path(f"/proc/{child.pid}/status").read_bytes()
            child.terminate()
            out, _ = child.communicate(timeout=30)
    assert vendor.asked
    assert str(child.pid).encode() in listed.stdout
    assert not holds_canary(listed.stdout + status + out)


def test_a_secret_shows_as_stars_whatever_is_done_to_it():
    secret = Secret(CANARY).after("Bearer ")
    assert secret.reveal() == f"Bearer {CANARY}"
    shown = f"{secret} {secret!r} {[secret]} {secret!s}" + "%s" % secret  # noqa: UP031
    assert "CANARY" not in shown
    assert secret.scrub(f"you sent {CANARY}.") == "you sent ****."
    with pytest.raises(TypeError, match="a secret is not written down"):
        pickle.dumps(secret)


def test_the_environment_comes_first_then_the_keyring(monkeypatch):
    keyring, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})
    kept = {("optiq", "UPSTOX_ACCESS_TOKEN"): "from the ring".replace(" ", "-")}
    keyring.get_password = lambda service, name: kept.get((service, name))
    monkeypatch.setitem(sys.modules, "keyring", keyring)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    assert token("UPSTOX_ACCESS_TOKEN", {}).reveal() == "from-the-ring"
    assert token("UPSTOX_ACCESS_TOKEN", {"UPSTOX_ACCESS_TOKEN": " mine\n"}).reveal() == "mine"
    with pytest.raises(InputError, match="no DHAN_CLIENT_ID in the environment"):
        token("DHAN_CLIENT_ID", {})

    def locked(service: str, name: str) -> str:
        raise errors.KeyringError("locked")

    keyring.get_password = locked
    with pytest.raises(InputError, match="no UPSTOX_ACCESS_TOKEN"):
        token("UPSTOX_ACCESS_TOKEN", {})


def test_without_the_package_there_is_only_the_environment(monkeypatch):
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(InputError, match="no UPSTOX_ACCESS_TOKEN"):
        token("UPSTOX_ACCESS_TOKEN", {})


def test_what_cannot_stand_in_a_header_is_refused_without_being_told():
    for text in (f"{CANARY}\nx: y", f"{CANARY} x", f"{CANARY}é"):
        with pytest.raises(InputError, match="holds what no token consists of") as caught:
            token("UPSTOX_ACCESS_TOKEN", {"UPSTOX_ACCESS_TOKEN": text})
        assert "CANARY" not in f"{caught.value} {caught.value.hint}"
