"""Alerts: a program, a web server that misbehaves, and a session that never waits for either."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from paper_days import ensemble_of, plan_of

from optiq.cli.app import main
from optiq.errors import InputError
from optiq.market.chain_row import rows_of
from optiq.market.context import Context
from optiq.market.panel import Panel
from optiq.market.simulated_settings import Simulation
from optiq.market.simulated_store import store_simulation
from optiq.market.store import Store
from optiq.report.paper_alerts import SAME_FAULT_AGAIN_S, PaperAlerts
from optiq.run.alerts import KINDS, Alert, Alerts, Delivery, Program, Undelivered, target_of
from optiq.run.backtest import Settings
from optiq.run.paper import Fault
from optiq.run.sessions import opened, read_session
from optiq.trade.limits import Limits

NAMES = ("gamma_scalping", "vwap_deviation", "oi_buildup")
SECRET = "CANARY-T0/B1/x9y8z7"
ALERT = Alert("entry", "s:7:1", "s: 09:21 entry $(touch pwned); `touch pwned` \"'", {"row": 7})


class Posted(ThreadingHTTPServer):
    """A server that keeps what is posted, and answers with the statuses it is given, then 200."""

    daemon_threads = True

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.bodies, self.paths = list(statuses), [], []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                server.bodies.append(json.loads(body))
                server.paths.append(self.path)
                self.send_response(server.statuses.pop(0) if server.statuses else 200)
                self.send_header("Content-Length", "0")
                self.send_header("Location", f"http://127.0.0.1:1/{SECRET}")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        super().__init__(("127.0.0.1", 0), Handler)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/{SECRET}?key={SECRET}"


@contextmanager
def posted(*statuses: int) -> Iterator[Posted]:
    with Posted(*statuses) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def script(folder: Path, body: str) -> str:
    """A command that runs some Python, in a folder whose name has a blank."""
    place = folder / "my scripts"
    place.mkdir(exist_ok=True)
    path = place / "tell.py"
    path.write_text(body)
    return f"{sys.executable} '{path}'"


def wrote(path: Path, body: str = "") -> str:
    return (
        "import json, os, sys\n"
        f"{body}\n"
        "told = {'stdin': json.load(sys.stdin), 'environ': dict(os.environ)}\n"
        f"open({str(path)!r}, 'w').write(json.dumps(told))"
    )


def test_a_program_gets_json_and_variables_but_no_shell_and_no_token(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out.json"
    hidden = {"UPSTOX_ACCESS_TOKEN": SECRET, "NOTIFY_SOCKET": "@x", "HOOK": SECRET}
    command = f"exec:{script(tmp_path, wrote(out))} '; touch pwned'"
    beside = [command, "webhook:env:HOOK"]
    program = target_of(command, {"PATH": "/bin", "HOME": "/h", **hidden}, beside)
    program.deliver(ALERT)
    told = json.loads(out.read_text())
    assert told["stdin"] == {"id": "s:7:1", "kind": "entry", "text": ALERT.text, "row": 7}
    own = {name: told["environ"][f"OPTIQ_ALERT_{name}"] for name in ("KIND", "ID", "TEXT")}
    assert own == {"KIND": "entry", "ID": "s:7:1", "TEXT": ALERT.text}
    assert not set(hidden) & set(told["environ"])
    assert not (tmp_path / "pwned").exists()


def test_a_program_that_is_told_may_run_optiq_itself(tmp_path, monkeypatch, capsys):
    for name in ("KIND", "ID", "TEXT"):
        monkeypatch.setenv(f"OPTIQ_ALERT_{name}", "x")
    assert main(["sessions", "ls", "--store", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["sessions"] == []


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("import sys; sys.exit(3)", "ended with 3"),
        ("import time; time.sleep(60)", "took over 0.3 s"),
        ("import os, time; os.fork(); time.sleep(60)", "took over 0.3 s"),
    ],
)
def test_a_program_that_fails_or_hangs_is_told_by_its_name_alone(tmp_path, body, said):
    command = f"{script(tmp_path, body)} {SECRET}"
    program, start = Program(command, timeout_s=0.3), time.monotonic()
    with pytest.raises(Undelivered, match=said) as caught:
        program.deliver(ALERT)
    assert time.monotonic() - start < 5.0
    assert SECRET not in str(caught.value)
    assert caught.value.is_final


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("mail:me", "--alert mail: is no way to tell"),
        ("exec:", "nothing is no program"),
        ("exec:no-such-program-here --x", "no-such-program-here is no program"),
        ("exec:sh 'open", "No closing quotation"),
        ("webhook:ftp://host/x", "that is no web address"),
        ("webhook:https://host:99999/x", "that is no web address"),
        ("webhook:https:// host/x", "that is no web address"),
        (f"webhook:{SECRET}", "that is no web address"),
        ("webhook:env:NOWHERE", "no NOWHERE in the environment"),
    ],
)
def test_what_cannot_be_told_is_refused_at_once_and_never_repeated(target, said):
    with pytest.raises(InputError, match=said) as caught:
        target_of(target, {"PATH": "/bin"})
    assert SECRET not in f"{caught.value} {caught.value.hint}"


def test_a_web_address_gets_json_after_the_server_comes_round():
    pauses: list[float] = []
    with posted(500, 503) as server:
        target = target_of("webhook:env:HOOK", {"HOOK": server.url})
        delivery = Delivery(target, pause=pauses.append)
        delivery.put(ALERT)
        delivery.close(10.0)
    assert server.bodies == [ALERT.body()] * 3
    assert server.paths == [f"/{SECRET}?key={SECRET}"] * 3
    assert (delivery.sent, delivery.failed, pauses) == (1, 0, [0.5, 1.0])


@pytest.mark.parametrize(
    ("statuses", "tries", "said"),
    [
        ((404,), 1, "answered 404"),
        ((401,), 1, "answered 401"),
        ((302,), 1, "answered 302: it points elsewhere"),
        ((500, 500, 500, 500), 3, "answered 500"),
    ],
)
def test_a_web_address_that_refuses_is_counted_and_its_secret_told_nowhere(statuses, tries, said):
    with posted(*statuses) as server:
        alerts = Alerts([target_of(f"webhook:{server.url}")])
        (delivery,) = alerts.deliveries
        delivery._pause = lambda _: None
        alerts.send(ALERT)
        alerts.close(10.0)
    (trouble,) = alerts.troubles()
    assert trouble.startswith("1 alert not delivered: webhook:127.0.0.1 answered")
    assert said in trouble
    assert SECRET not in trouble + repr(vars(delivery.target)) + repr(vars(delivery))
    assert len(server.bodies) == tries


class Stuck:
    """A target that takes nothing until it is let go."""

    name = "exec:stuck"

    def __init__(self) -> None:
        self.go, self.got = threading.Event(), []

    def deliver(self, alert: Alert) -> None:
        self.go.wait(30.0)
        self.got.append(alert.id)


def test_a_target_that_hangs_holds_up_nobody_and_what_it_misses_is_counted():
    stuck, free = Stuck(), Stuck()
    free.go.set()
    alerts = Alerts([stuck, free])
    start = time.monotonic()
    for number in range(300):
        alerts.send(Alert("entry", str(number), "", {}))
    sending = time.monotonic() - start
    alerts.deliveries[1].close(10.0)
    assert sending < 0.5
    assert len(free.got) + alerts.deliveries[1].failed == 300
    assert alerts.deliveries[0].failed >= 300 - 256 - 1
    start = time.monotonic()
    alerts.deliveries[0].close(0.2)
    assert time.monotonic() - start < 2.0
    assert alerts.deliveries[0].failed == 300
    assert alerts.troubles()[0].startswith("300 alerts not delivered")
    stuck.go.set()


class Kept:
    """A target that keeps what it gets."""

    name = "exec:kept"

    def __init__(self) -> None:
        self.got: list[Alert] = []

    def deliver(self, alert: Alert) -> None:
        self.got.append(alert)


@pytest.fixture(scope="module")
def day(tmp_path_factory) -> Panel:
    store = Store(tmp_path_factory.mktemp("store"))
    store_simulation(Simulation(days=1, seed=11), store)
    return store.read_panel("NIFTY", store.days("NIFTY")[0].date)


def told_by(folder: Path, day: Panel, rows: slice, kept: Kept, kinds=KINDS, *, end=True) -> None:
    """Run a session over some rows and tell of it."""
    limits = Limits(max_trades_per_day=3)
    who = ensemble_of(*NAMES, settings=Settings(limits=limits))
    alerts = Alerts([kept], kinds)
    with opened(folder, plan_of(day, Context(), who), who) as session:
        watcher = PaperAlerts(session, "s", alerts)
        for row in rows_of(day)[rows]:
            watcher.row(row, session.take(row))
        if end:
            watcher.ended(session.finish())
    alerts.close(10.0)


def test_what_is_told_is_what_was_journaled_each_once_also_across_a_restart(tmp_path, day):
    kept = Kept()
    told_by(tmp_path, day, slice(0, 200), kept, end=False)
    assert [alert.told["limit"] for alert in kept.got if alert.kind == "limit"] == ["max_trades"]
    told_by(tmp_path, day, slice(200, 240), kept)
    journaled = [e for e in read_session(tmp_path).events if e.kind in ("entry", "exit")]
    told = [alert for alert in kept.got if alert.kind in ("entry", "exit")]
    assert len(journaled) >= 4
    assert [alert.kind for alert in told] == [event.kind for event in journaled]
    for alert, event in zip(told, journaled, strict=True):
        assert alert.told["contract"] == event.told["contract"]
        assert alert.told["legs"] == event.told["legs"]
    assert len({alert.id for alert in kept.got}) == len(kept.got)
    limits = [alert.told["limit"] for alert in kept.got if alert.kind == "limit"]
    assert limits == ["max_trades"], "once a day, and not again after the restart"
    assert [alert.kind for alert in kept.got][-1] == "end"
    assert kept.got[-1].text.startswith("s: over, net ")


def test_only_the_kinds_asked_for_are_told(tmp_path, day):
    kept = Kept()
    told_by(tmp_path, day, slice(0, 100), kept, ["exit", "end"])
    assert {alert.kind for alert in kept.got} == {"exit", "end"}
    with pytest.raises(InputError, match="no alerts on exits"):
        Alerts([kept], ["exits"])


def test_the_same_fault_is_told_again_only_after_a_while(tmp_path, day):
    kept, now, who = Kept(), [0.0], ensemble_of("gamma_scalping")
    alerts = Alerts([kept])
    with opened(tmp_path, plan_of(day, Context(), who), who) as session:
        watcher = PaperAlerts(session, "s", alerts, lambda: now[0])
        for kind, seconds in (("timeout", 1.0), ("timeout", 1.0), ("server", SAME_FAULT_AGAIN_S)):
            fault = Fault(kind, f"upstox: {kind}")
            session.note(fault)
            watcher.fault(fault)
            now[0] += seconds
        session.note(fault := Fault("timeout", "upstox: timeout"))
        watcher.fault(fault)
    alerts.close(10.0)
    assert [alert.told["fault"] for alert in kept.got] == ["timeout", "server", "timeout"]
    assert len({alert.id for alert in kept.got}) == 3


def test_the_command_tells_and_warns_and_shows_no_secret(day, tmp_path, capsys, monkeypatch):
    store = Store(tmp_path)
    store_simulation(Simulation(days=1, seed=11), store)
    asked = ["paper-run", "--date", str(day.date), "--store", str(tmp_path), "--session", "s"]
    asked += ["--strategy", "gamma_scalping"]
    with posted() as server, posted(*[404] * 300) as bad:
        monkeypatch.setenv("HOOK", bad.url)
        targets = ["--alert", f"webhook:{server.url}", "--alert", "webhook:env:HOOK"]
        assert main([*asked, *targets, "--alert-on", "entry,end"]) == 0
    events = read_session(tmp_path / "sessions" / "s").events
    entries = sum(event.kind == "entry" for event in events)
    assert [body["kind"] for body in server.bodies] == ["entry"] * entries + ["end"]
    shown = capsys.readouterr()
    assert f"{entries + 1} alerts not delivered: webhook:127.0.0.1 answered 404" in shown.err
    assert "CANARY" not in shown.out + shown.err
    assert not any(b"CANARY" in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert main([*asked, "--alert-on", "exit"]) == 2
    assert "--alert-on without --alert" in capsys.readouterr().err
